//! Walks a listing to its end, or down to what is known.

use clerk_core::backend_api::Listing;
use clerk_core::mirror::Resource;
use pgrx::prelude::*;

use super::apply::{Origin, Tally, apply_objects};
use super::page::{Halt, ask, holding, save};
use super::run::Run;
use super::step::Step;
use crate::clerk_api::{Backend, pages::Walker};
use crate::clock;
use crate::mirror::prepared::Prepared;

/// How far an incremental reconcile reads beyond what should be known: a change may become visible a while after its time.
const OVERLAP_MICROS: i64 = 5 * 60 * 1_000_000;

/// What a walk came to.
#[derive(Debug, Clone, Copy)]
pub struct Walked {
    /// Whether as many rows were seen as Clerk counts.
    pub is_complete: bool,
    /// Clerk's time of the first answer: what was seen since then was listed.
    pub began_at: i64,
    /// Rows that were seen.
    pub seen: u64,
    /// How many Clerk counts, if it says so.
    pub total: Option<u64>,
    /// Whether the list was read to its end, not only down to what is known.
    pub is_whole: bool,
}

/// Walks on from the step's position, and applies each page.
pub fn walk(
    run: &Run,
    step: &mut Step,
    backend: &mut Backend,
    listing: Listing,
    down_to: Option<i64>,
) -> Result<Walked, Halt> {
    let mut walker = Walker::new(listing, step.position.walk.as_ref());
    let mut is_whole = true;
    while let Some(page) = ask(|| walker.next_page(backend))? {
        save(run, step, |step, setup, source, manner| {
            let origin = Origin::at(page.observed_at, setup, source);
            let mut tally = Tally::of_page();
            apply_objects(step.resource, page.objects(), &origin, manner, &mut tally);
            step.position.walk = Some(walker.position());
            step.done = walker.seen() as i64;
            step.total = walker.total().map(|total| total as i64);
            tally
        })?;
        if down_to.is_some_and(|down_to| walker.edge().is_some_and(|edge| edge < down_to)) {
            is_whole = false;
            break;
        }
    }
    let total = if is_whole {
        ask(|| walker.total_now(backend))?
    } else {
        None
    };
    Ok(Walked {
        is_complete: walker.is_complete(),
        // A walk without any answer would have been a fault.
        began_at: walker.began_at().unwrap_or(i64::MIN),
        seen: walker.seen(),
        total,
        is_whole,
    })
}

/// How far down an incremental reconcile reads; None: to the end.
pub fn known_until(run: &Run, resource: Resource) -> Result<Option<i64>, Halt> {
    static READ: Prepared = Prepared::new(
        "SELECT w.read_until FROM clerk.sync_watermarks AS w WHERE w.issuer = $1 AND w.resource = $2",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID],
    );
    let arguments = [run.issuer.as_str().into_datum(), resource.table().into_datum()];
    holding(run, |_, _| {
        let times = READ.query(&arguments, |row| row.get::<TimestampWithTimeZone>(1));
        let time = times.into_iter().flatten().next()?;
        Some(clock::unix_micros(time.into()).saturating_sub(OVERLAP_MICROS))
    })
}

/// Notes that what Clerk had changed by then has been read; if that was everything, how many rows Clerk counts and does not list.
pub fn note_read(run: &Run, resource: Resource, until: i64, unlisted: Option<i64>) {
    static NOTE: Prepared = Prepared::new(
        "INSERT INTO clerk.sync_watermarks AS w (issuer, resource, read_until, read_whole_at, unlisted)
         SELECT i.issuer, $2, $3, CASE WHEN $4 IS NOT NULL THEN clock_timestamp() END, COALESCE($4, 0)
         FROM clerk.instances AS i WHERE i.issuer = $1
         ON CONFLICT (issuer, resource) DO UPDATE
         SET read_until = GREATEST(w.read_until, excluded.read_until),
             read_whole_at = COALESCE(excluded.read_whole_at, w.read_whole_at),
             unlisted = COALESCE($4, w.unlisted)",
        &[
            pg_sys::TEXTOID,
            pg_sys::TEXTOID,
            pg_sys::TIMESTAMPTZOID,
            pg_sys::INT8OID,
        ],
    );
    NOTE.run(&[
        run.issuer.as_str().into_datum(),
        resource.table().into_datum(),
        Some(pg_sys::Datum::from(clock::timestamp_tz(until))),
        unlisted.into_datum(),
    ]);
}
