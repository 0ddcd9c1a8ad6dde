//! The worker that notes a token without a role claim; see `identity::missing_role`.

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::one_shot::Unattended;
use super::session;
use super::task::Task;
use crate::operations::key_store::issuer_hash;
use crate::operations::sql;
use crate::pg::at_commit::at_commit;

const TASK: Task = Task {
    function: c"clerk_note_missing_role_worker",
    name: c"clerk_sync: note a missing role claim",
    purpose: "note a missing role claim",
};

/// Starts it for the instance with that issuer once the running transaction has committed, if a worker can be had.
pub fn start_at_commit(issuer: &str) {
    if let Ok(worker) = Unattended::prepare(&TASK, issuer_hash(issuer)) {
        at_commit(worker.key(), move || {
            worker.start();
        });
    }
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_note_missing_role_worker(_argument: pg_sys::Datum) {
    let Some(begun) = session::begin::<i64>() else {
        return;
    };
    let note = "INSERT INTO clerk.tokens_without_role AS t (issuer, last_seen_at)
         SELECT i.issuer, pg_catalog.clock_timestamp() FROM clerk.instances AS i
         WHERE pg_catalog.hashtextextended(i.issuer, 0) OPERATOR(pg_catalog.=) $1
         ON CONFLICT (issuer) DO UPDATE SET last_seen_at = excluded.last_seen_at";
    BackgroundWorker::transaction(|| sql::run(note, &[begun.order.what.into()]));
}
