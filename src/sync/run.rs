//! The row of a run in `clerk.sync_runs`. Everything here happens in a transaction of the caller's.

use clerk_core::mirror::Resource;
use pgrx::prelude::*;

use super::kind::{Kind, Lane};
use crate::error::Fault;
use crate::mirror::prepared::{Prepared, Row};
use crate::mirror::setup;
use crate::subtransaction::SqlError;

/// A run that this process has.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: i64,
    pub issuer: String,
    pub kind: Kind,
    pub full_walk: bool,
    pub confirm_missing: bool,
    pub subject_id: Option<String>,
    pub resources: Vec<Resource>,
}

/// The instance whose issuer has that hash: all that fits into a worker's argument.
pub fn issuer_with_hash(hash: i64) -> Option<String> {
    static FIND: Prepared = Prepared::new(
        "SELECT i.issuer FROM clerk.instances AS i WHERE hashtextextended(i.issuer, 0) = $1",
        &[pg_sys::INT8OID],
    );
    FIND.query(&[hash.into_datum()], |row| row.get::<String>(1))
        .pop()
        .flatten()
}

/// Whether a run of the lane waits to be taken. One that is `running` does as well, for who has the lane's lock: whoever had it
/// before is gone.
pub fn any_due(issuer: &str, lane: Lane) -> bool {
    !due(issuer, lane).is_empty()
}

/// Takes the next run of the lane, one that was interrupted first. The caller has the lane's lock.
pub fn take_next(issuer: &str, lane: Lane) -> Option<Run> {
    static TAKE: Prepared = Prepared::new(
        "UPDATE clerk.sync_runs AS r
         SET state = 'running', worker_pid = pg_backend_pid(), started_at = COALESCE(r.started_at, clock_timestamp()),
             heartbeat_at = clock_timestamp(), next_attempt_at = NULL
         WHERE r.id = (
             SELECT o.id FROM clerk.sync_runs AS o
             WHERE o.issuer = $1 AND o.state IN ('queued', 'running') AND (o.subject_id IS NOT NULL) = $2
               AND (o.state = 'running' OR COALESCE(o.next_attempt_at <= clock_timestamp(), true))
             ORDER BY o.state DESC, o.id LIMIT 1 FOR UPDATE
         )
         RETURNING r.id, r.issuer, r.kind, r.full_walk, r.confirm_missing, r.subject_id, r.resources",
        &[pg_sys::TEXTOID, pg_sys::BOOLOID],
    );
    let arguments = [issuer.into_datum(), (lane == Lane::Subjects).into_datum()];
    TAKE.query(&arguments, read).pop().flatten()
}

fn read(row: &Row) -> Option<Run> {
    let tables = row.texts(7);
    Some(Run {
        id: row.required(1),
        issuer: row.required(2),
        kind: Kind::parse(&row.required::<String>(3))?,
        full_walk: row.required(4),
        confirm_missing: row.required(5),
        subject_id: row.get(6),
        resources: tables
            .iter()
            .filter_map(|table| Resource::from_table(table))
            .collect(),
    })
}

/// Why a run does not go on.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub message: String,
    pub hint: String,
    pub trace_id: Option<String>,
    /// What has to be looked at, as `clerk.sync_runs.cause` has it.
    pub cause: &'static str,
}

impl Run {
    /// Notes that somebody has the run, and holds it until the transaction ends. False if it is not this worker's any more: it
    /// was cancelled, or its instance renamed or removed.
    pub fn hold(&self) -> bool {
        static HOLD: Prepared = Prepared::new(
            "UPDATE clerk.sync_runs AS r SET heartbeat_at = clock_timestamp()
             WHERE r.id = $1 AND r.issuer = $2 AND r.state = 'running' AND r.worker_pid = pg_backend_pid()
             RETURNING r.id",
            &[pg_sys::INT8OID, pg_sys::TEXTOID],
        );
        self.is_held(&HOLD)
    }

    /// As [`Run::hold`], of a run that is getting on: what was in its way is not any more. Only an answer of Clerk's shows that;
    /// else a run would be tried for ever.
    pub fn hold_getting_on(&self) -> bool {
        static HOLD: Prepared = Prepared::new(
            "UPDATE clerk.sync_runs AS r
             SET heartbeat_at = clock_timestamp(), attempts = 0, last_error = NULL, last_hint = NULL, trace_id = NULL, cause = NULL
             WHERE r.id = $1 AND r.issuer = $2 AND r.state = 'running' AND r.worker_pid = pg_backend_pid()
             RETURNING r.id",
            &[pg_sys::INT8OID, pg_sys::TEXTOID],
        );
        self.is_held(&HOLD)
    }

    fn is_held(&self, hold: &Prepared) -> bool {
        let arguments = [self.id.into_datum(), self.issuer.as_str().into_datum()];
        !hold.query(&arguments, |_| ()).is_empty()
    }

    /// Ends the run; with trouble it has failed.
    pub fn finish(&self, trouble: Option<&Trouble>) {
        let state = if trouble.is_some() { "failed" } else { "done" };
        self.end(state, trouble);
    }

    /// Notes that the worker was cancelled.
    pub fn cancel(&self) {
        self.end("cancelled", None);
    }

    fn end(&self, state: &str, trouble: Option<&Trouble>) {
        static END: Prepared = Prepared::new(
            "UPDATE clerk.sync_runs AS r
             SET state = $2, finished_at = clock_timestamp(), heartbeat_at = clock_timestamp(), last_error = $3, last_hint = $4,
                 trace_id = $5, cause = $6
             WHERE r.id = $1 AND r.state = 'running' AND r.worker_pid = pg_backend_pid()",
            &[
                pg_sys::INT8OID,
                pg_sys::TEXTOID,
                pg_sys::TEXTOID,
                pg_sys::TEXTOID,
                pg_sys::TEXTOID,
                pg_sys::TEXTOID,
            ],
        );
        let trouble_text = |of: fn(&Trouble) -> Option<&str>| trouble.and_then(of).into_datum();
        END.run(&[
            self.id.into_datum(),
            state.into_datum(),
            trouble_text(|trouble| Some(&trouble.message)),
            trouble_text(|trouble| {
                Some(&trouble.hint)
                    .filter(|hint| !hint.is_empty())
                    .map(String::as_str)
            }),
            trouble_text(|trouble| trouble.trace_id.as_deref()),
            trouble_text(|trouble| Some(trouble.cause)),
        ]);
    }

    /// Puts the run off because of something that may pass.
    pub fn put_off(&self, trouble: &Trouble, max_attempts: i32) {
        put_off(&[self.id], true, trouble, max_attempts);
    }
}

/// Five seconds, doubled with every attempt in a row up to half an hour, ±20 %. After `max_attempts` a run has failed. With
/// `only_ours`, only runs that this worker has.
fn put_off(ids: &[i64], only_ours: bool, trouble: &Trouble, max_attempts: i32) {
    static PUT_OFF: Prepared = Prepared::new(
        "UPDATE clerk.sync_runs AS r
         SET state = CASE WHEN r.attempts + 1 >= $5 THEN 'failed' ELSE 'queued' END, attempts = r.attempts + 1,
             next_attempt_at = CASE WHEN r.attempts + 1 < $5 THEN
                 clock_timestamp() + LEAST(5 * 2.0 ^ LEAST(r.attempts, 20), 1800) * (0.8 + 0.4 * random()) * interval '1 second' END,
             finished_at = CASE WHEN r.attempts + 1 >= $5 THEN clock_timestamp() END,
             last_error = $2, last_hint = $3, trace_id = $4, cause = $7
         WHERE r.id = ANY ($1) AND r.state IN ('queued', 'running')
           AND (NOT $6 OR r.state = 'running' AND r.worker_pid = pg_backend_pid())",
        &[
            pg_sys::INT8ARRAYOID,
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::INT4OID,
            pg_sys::BOOLOID,
            pg_sys::TEXTOID,
        ],
    );
    PUT_OFF.run(&[
        ids.to_vec().into_datum(),
        trouble.message.as_str().into_datum(),
        Some(trouble.hint.as_str())
            .filter(|hint| !hint.is_empty())
            .into_datum(),
        trouble.trace_id.as_deref().into_datum(),
        max_attempts.into_datum(),
        only_ours.into_datum(),
        trouble.cause.into_datum(),
    ]);
}

/// Runs of the lane that a worker should take, with the lane's lock.
fn due(issuer: &str, lane: Lane) -> Vec<i64> {
    static DUE: Prepared = Prepared::new(
        "SELECT r.id FROM clerk.sync_runs AS r
         WHERE r.issuer = $1 AND (r.subject_id IS NOT NULL) = $2
           AND (r.state = 'running' OR r.state = 'queued' AND COALESCE(r.next_attempt_at <= clock_timestamp(), true))",
        &[pg_sys::TEXTOID, pg_sys::BOOLOID],
    );
    let arguments = [issuer.into_datum(), (lane == Lane::Subjects).into_datum()];
    let ids = DUE.query(&arguments, |row| row.get::<i64>(1));
    ids.into_iter().flatten().collect()
}

/// Puts off every run of the lane that is due, because none can be taken. The caller has the lane's lock.
pub fn put_off_all(issuer: &str, lane: Lane, error: &SqlError) {
    let trouble = Trouble {
        message: error.to_string(),
        hint: "The run could not be taken by its worker. Mend the cause; it is tried again.".to_owned(),
        trace_id: None,
        cause: "database",
    };
    put_off(&due(issuer, lane), false, &trouble, setup::current().max_attempts);
}

/// Notes, in every run of the lane that is due, why no worker takes it.
pub fn note_not_started(issuer: &str, lane: Lane, fault: &Fault) {
    static NOTE: Prepared = Prepared::new(
        "UPDATE clerk.sync_runs AS r SET last_error = $2, last_hint = $3, trace_id = NULL, cause = NULL
         WHERE r.id = ANY ($1) AND r.state IN ('queued', 'running') AND r.last_error IS DISTINCT FROM $2",
        &[pg_sys::INT8ARRAYOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
    );
    NOTE.run(&[
        due(issuer, lane).into_datum(),
        fault.message().into_datum(),
        fault.hint().into_datum(),
    ]);
}

/// How long until the next run of the lane that was put off is due; None if none is.
pub fn next_due_in(issuer: &str, lane: Lane) -> Option<std::time::Duration> {
    static NEXT: Prepared = Prepared::new(
        "SELECT extract(epoch FROM min(r.next_attempt_at) - clock_timestamp())::float8 FROM clerk.sync_runs AS r
         WHERE r.issuer = $1 AND r.state = 'queued' AND (r.subject_id IS NOT NULL) = $2",
        &[pg_sys::TEXTOID, pg_sys::BOOLOID],
    );
    let arguments = [issuer.into_datum(), (lane == Lane::Subjects).into_datum()];
    let seconds = NEXT.query(&arguments, |row| row.get::<f64>(1)).pop().flatten()?;
    Some(std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e6)))
}
