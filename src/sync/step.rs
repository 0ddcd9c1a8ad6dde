//! The row of a step in `clerk.sync_steps`: how far a run is in one table. Everything here happens in a transaction of the caller's.

use std::time::Instant;

use clerk_core::mirror::Resource;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::apply::Tally;
use super::kind::Kind;
use super::run::Run;
use crate::mirror::prepared::{Prepared, Row};

/// Where a step goes on. Times are Clerk's, in microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Position {
    pub phase: Phase,
    /// The walker's own position, while a listing is walked.
    pub walk: Option<Value>,
    /// Time of the first answer to the first walk. What was seen since then was listed.
    pub began_at: Option<i64>,
    /// The same of the second walk.
    pub again_at: Option<i64>,
    /// Rows that the first walk saw.
    pub seen: u64,
    /// How often the list was read again because rows lacked.
    pub rereads: u32,
    /// How many rows Clerk counts, and how many of them it did not list, also when it was asked again.
    pub counted: i64,
    pub unlisted: i64,
    /// Items of subscriptions of which it is not known who pays.
    pub nameless: i64,
    /// The last row that was asked for: its organization, where that matters, and its id.
    pub asked: (String, String),
}

/// What a step is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Walking the listing.
    #[default]
    Listing,
    /// Deciding whether what was not listed may be taken for gone.
    Judging,
    /// Asking for each row that was not listed.
    Asking,
    /// Walking the listing once more, because some rows were not listed.
    ListingAgain,
    /// Taking those for gone that were not listed twice.
    Missing,
}

/// A step that is to be done or gone on with.
#[derive(Debug)]
pub struct Step {
    pub run_id: i64,
    pub resource: Resource,
    pub position: Position,
    pub done: i64,
    pub total: Option<i64>,
    is_reconcile: bool,
    /// When its row was last saved, or it was taken.
    since: Instant,
}

/// Makes the rows of a run's steps, unless they are there.
pub fn plan(run: &Run, resources: &[Resource]) {
    static INSERT: Prepared = Prepared::new(
        "INSERT INTO clerk.sync_steps (run_id, resource, ordinal) VALUES ($1, $2, $3) ON CONFLICT (run_id, resource) DO NOTHING",
        &[pg_sys::INT8OID, pg_sys::TEXTOID, pg_sys::INT4OID],
    );
    for (ordinal, resource) in (1_i32..).zip(resources) {
        INSERT.run(&[
            run.id.into_datum(),
            resource.table().into_datum(),
            ordinal.into_datum(),
        ]);
    }
}

/// The next step of the run that is not finished: all lists are read first.
pub fn next(run: &Run) -> Option<Step> {
    static NEXT: Prepared = Prepared::new(
        "SELECT s.resource, s.position::text, s.done, s.total FROM clerk.sync_steps AS s
         WHERE s.run_id = $1 AND s.finished_at IS NULL ORDER BY s.listed_at IS NOT NULL, s.ordinal LIMIT 1",
        &[pg_sys::INT8OID],
    );
    let read = |row: &Row| {
        let position: String = row.required(2);
        Some(Step {
            run_id: run.id,
            resource: Resource::from_table(&row.required::<String>(1))?,
            // A position of another version of ours is none: the step begins anew.
            position: serde_json::from_str(&position).unwrap_or_default(),
            done: row.required(3),
            total: row.get(4),
            is_reconcile: run.kind == Kind::Reconcile,
            since: Instant::now(),
        })
    };
    NEXT.query(&[run.id.into_datum()], read).pop().flatten()
}

/// What the steps that could not be done say of it.
pub fn notes_of_refusal(run: &Run) -> Vec<String> {
    static REFUSED: Prepared = Prepared::new(
        "SELECT s.note FROM clerk.sync_steps AS s WHERE s.run_id = $1 AND s.position ->> 'refused' = 'true' ORDER BY s.ordinal",
        &[pg_sys::INT8OID],
    );
    let notes = REFUSED.query(&[run.id.into_datum()], |row| row.get::<String>(1));
    notes.into_iter().flatten().collect()
}

impl Step {
    /// Saves where the step is, and what came of it since it was saved last.
    pub fn save(&mut self, tally: &Tally) {
        static SAVE: Prepared = Prepared::new(
            "UPDATE clerk.sync_steps AS s
             SET position = $3::jsonb, done = $4, total = $5, pages = s.pages + $6, inserted = s.inserted + $7,
                 changed = s.changed + $8, missing = s.missing + $9, repaired = s.repaired + $10, failed = s.failed + $11,
                 errors = CASE WHEN jsonb_array_length(s.errors) < 20 THEN s.errors || $12::jsonb ELSE s.errors END,
                 time_spent = s.time_spent + make_interval(secs => $13), started_at = COALESCE(s.started_at, clock_timestamp())
             WHERE s.run_id = $1 AND s.resource = $2",
            &[
                pg_sys::INT8OID,
                pg_sys::TEXTOID,
                pg_sys::TEXTOID,
                pg_sys::INT8OID,
                pg_sys::INT8OID,
                pg_sys::INT8OID,
                pg_sys::INT8OID,
                pg_sys::INT8OID,
                pg_sys::INT8OID,
                pg_sys::INT8OID,
                pg_sys::INT8OID,
                pg_sys::TEXTOID,
                pg_sys::FLOAT8OID,
            ],
        );
        let position = serde_json::json!(self.position).to_string();
        let changes = tally.changes;
        let repaired = if self.is_reconcile {
            changes.inserted + changes.changed + tally.missing
        } else {
            0
        };
        SAVE.run(&[
            self.run_id.into_datum(),
            self.resource.table().into_datum(),
            position.as_str().into_datum(),
            self.done.into_datum(),
            self.total.into_datum(),
            tally.pages.into_datum(),
            changes.inserted.into_datum(),
            changes.changed.into_datum(),
            tally.missing.into_datum(),
            repaired.into_datum(),
            tally.failed.into_datum(),
            tally.errors_json().as_str().into_datum(),
            self.since.elapsed().as_secs_f64().into_datum(),
        ]);
        self.since = Instant::now();
    }

    /// Notes that the list was read to its end.
    pub fn note_listed(&self) {
        static NOTE: Prepared = Prepared::new(
            "UPDATE clerk.sync_steps AS s SET listed_at = clock_timestamp() WHERE s.run_id = $1 AND s.resource = $2",
            &[pg_sys::INT8OID, pg_sys::TEXTOID],
        );
        NOTE.run(&[self.run_id.into_datum(), self.resource.table().into_datum()]);
    }

    /// Ends the step; with a note if it could not read everything.
    pub fn finish(&mut self, note: Option<&str>) {
        self.save(&Tally::default());
        let Position {
            counted, unlisted, ..
        } = self.position;
        let lack = (unlisted > 0).then(|| {
            format!(
                "Clerk counts {counted} and lists {} of them, also when asked again",
                counted - unlisted
            )
        });
        let notes: Vec<&str> = note.into_iter().chain(lack.as_deref()).collect();
        let notes = (!notes.is_empty()).then(|| notes.join("; "));
        self.end(notes.as_deref(), false);
    }

    /// Ends the step because it must not be done; the run will have failed.
    pub fn refuse(&mut self, note: &str) {
        self.save(&Tally::default());
        self.end(Some(note), true);
    }

    fn end(&self, note: Option<&str>, refused: bool) {
        static END: Prepared = Prepared::new(
            "UPDATE clerk.sync_steps AS s
             SET finished_at = clock_timestamp(), note = $3,
                 position = CASE WHEN $4 THEN s.position || '{\"refused\": true}' ELSE s.position END
             WHERE s.run_id = $1 AND s.resource = $2",
            &[pg_sys::INT8OID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::BOOLOID],
        );
        END.run(&[
            self.run_id.into_datum(),
            self.resource.table().into_datum(),
            note.into_datum(),
            refused.into_datum(),
        ]);
    }
}
