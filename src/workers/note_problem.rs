//! The worker that writes how often something was wrong with tokens; see `identity::problems`.

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::one_shot::Unattended;
use super::session;
use super::task::Task;
use crate::operations::sql;

const TASK: Task = Task {
    function: c"clerk_note_problem_worker",
    name: c"clerk_sync: note problems of tokens",
    purpose: "note problems of tokens",
};

/// What it is told: the instance's hash, the reason, and how often it was seen.
type Seen = (Option<i64>, String, u32);

/// Starts it at once, whatever becomes of the transaction: a refusal is rolled back and has happened all the same. False if no
/// worker can be had.
pub fn start(issuer: Option<i64>, reason: &str, seen: u32) -> bool {
    let what: Seen = (issuer, reason.to_owned(), seen);
    Unattended::prepare(&TASK, what).is_ok_and(|worker| worker.start())
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_note_problem_worker(_argument: pg_sys::Datum) {
    let Some(begun) = session::begin::<Seen>() else {
        return;
    };
    let (issuer, reason, seen) = begun.order.what;
    // An instance that was removed meanwhile has nothing to be told of.
    let note = "INSERT INTO clerk.token_problems AS p (issuer, reason, seen, last_seen_at)
         SELECT i.issuer, $2, $3, pg_catalog.clock_timestamp()
         FROM (SELECT) AS always
         LEFT JOIN clerk.instances AS i ON pg_catalog.hashtextextended(i.issuer, 0) OPERATOR(pg_catalog.=) $1
         WHERE $1 IS NULL OR i.issuer IS NOT NULL
         ON CONFLICT (issuer, reason) DO UPDATE
         SET seen = p.seen OPERATOR(pg_catalog.+) excluded.seen, last_seen_at = excluded.last_seen_at";
    BackgroundWorker::transaction(|| sql::run(note, &[issuer.into(), reason.into(), i64::from(seen).into()]));
}
