//! What `maintain` does by itself: reconciles that are due, runs that were interrupted or put off, runs that are old.

use std::time::Duration;

use pgrx::prelude::*;
use serde_json::{Value, json};

use super::instance::{has_secret_key, try_hold};
use super::kind::Lane;
use super::plan;
use super::run::note_not_started;
use super::start::{insert_reconcile, mirrored, tables};
use crate::error::Fault;
use crate::mirror::prepared::Prepared;
use crate::operations::instances::{self, Instance};
use crate::workers::run_syncs;

/// How long a worker may take to begin.
const BEGINNING: Duration = Duration::from_secs(2);

/// Asks for reconciles that are due, whose workers are started when the transaction commits, and forgets old runs; says what it did.
pub fn request_due() -> Value {
    let mut requested = Vec::new();
    for instance in instances::all() {
        if has_secret_key(&instance.issuer)
            && try_hold(&instance.issuer)
            && let Some(id) = request(&instance)
        {
            requested.push(id);
            run_syncs::start_at_commit(&instance.issuer, Lane::Walks);
        }
    }
    json!({ "requested": requested, "pruned": prune() })
}

/// Has workers go on with what nobody works on. Gives how many were started, and why others were not, which is noted in their runs.
/// In a transaction of its own, if it can: it waits for the workers to begin.
pub fn start_open() -> (usize, Vec<Fault>) {
    let started: Vec<_> = open_lanes()
        .into_iter()
        .map(|(issuer, lane)| {
            let worker = run_syncs::start_now(&issuer, lane);
            (issuer, lane, worker)
        })
        .collect();
    let mut failed = Vec::new();
    let all = started.len();
    for (issuer, lane, worker) in started {
        let begun =
            worker.and_then(|worker| worker.map_or(Ok(()), |worker| worker.wait_until_begun(BEGINNING)));
        if let Err(failure) = begun {
            let fault = failure.fault(&run_syncs::TASK);
            note_not_started(&issuer, lane, &fault);
            failed.push(fault);
        }
    }
    (all - failed.len(), failed)
}

/// The number of the new reconcile, if one is due. A full one counts as the other as well, and so does a backfill; a walk through some
/// of the tables is neither. One that failed is not tried again before the other is due.
fn request(instance: &Instance) -> Option<i64> {
    static DUE: Prepared = Prepared::new(
        "WITH setting AS (
             SELECT s.reconcile_every AS often, s.full_reconcile_every AS seldom FROM clerk.settings AS s
         ), walks AS (
             SELECT r.state, r.requested_at, r.finished_at, r.kind = 'backfill' OR r.full_walk AS is_full,
                 r.resources @> $2 AS is_whole
             FROM clerk.sync_runs AS r WHERE r.issuer = $1 AND r.subject_id IS NULL
         )
         SELECT CASE
             WHEN EXISTS (SELECT FROM walks AS w WHERE w.state IN ('queued', 'running')) THEN NULL
             WHEN s.seldom > interval '0'
                  AND NOT EXISTS (SELECT FROM walks AS w WHERE w.is_full AND w.is_whole AND w.state = 'done' AND w.finished_at > clock_timestamp() - s.seldom)
                  AND NOT EXISTS (
                      SELECT FROM walks AS w
                      WHERE w.is_full AND w.is_whole AND w.requested_at > clock_timestamp() - LEAST(s.seldom, GREATEST(s.often, interval '1 hour'))
                        AND w.state <> 'done'
                  )
                 THEN true
             WHEN s.often > interval '0'
                  AND NOT EXISTS (SELECT FROM walks AS w WHERE w.is_whole AND COALESCE(w.finished_at, w.requested_at) > clock_timestamp() - s.often)
                 THEN false
         END
         FROM setting AS s",
        &[pg_sys::TEXTOID, pg_sys::TEXTARRAYOID],
    );
    let needed = tables(&plan::readable(&mirrored(instance)));
    let arguments = [instance.issuer.as_str().into_datum(), needed.into_datum()];
    let due = DUE.query(&arguments, |row| row.get::<bool>(1));
    let full_walk = due.into_iter().flatten().next()?;
    Some(insert_reconcile(instance, full_walk, false, "maintain"))
}

/// Instances and lanes with a run that waits to be taken, or was interrupted.
fn open_lanes() -> Vec<(String, Lane)> {
    static OPEN: Prepared = Prepared::new(
        "SELECT DISTINCT r.issuer, r.subject_id IS NOT NULL FROM clerk.sync_runs AS r
         WHERE r.state IN ('queued', 'running')
           AND (r.state = 'running' OR COALESCE(r.next_attempt_at <= clock_timestamp(), true))",
        &[],
    );
    OPEN.query(&[], |row| {
        let is_subjects = row.get::<bool>(2).unwrap_or(false);
        let lane = if is_subjects { Lane::Subjects } else { Lane::Walks };
        (row.required(1), lane)
    })
}

/// Forgets runs as the ledger forgets events, but the last of each kind.
fn prune() -> i64 {
    static PRUNE: Prepared = Prepared::new(
        "WITH pruned AS (
             DELETE FROM clerk.sync_runs AS r
             WHERE r.finished_at < clock_timestamp() - (SELECT s.event_retention FROM clerk.settings AS s)
               AND r.state NOT IN ('queued', 'running')
               AND EXISTS (
                   SELECT FROM clerk.sync_runs AS later
                   WHERE later.issuer = r.issuer AND later.kind = r.kind AND later.full_walk = r.full_walk AND later.id > r.id
               )
             RETURNING 1
         ) SELECT count(*) FROM pruned",
        &[],
    );
    let pruned = PRUNE.query(&[], |row| row.get::<i64>(1));
    pruned.into_iter().flatten().next().unwrap_or(0)
}
