//! A transaction of a worker that goes on when it fails.

use std::panic::AssertUnwindSafe;

use pgrx::prelude::*;

use super::give_way::give_way;
use crate::subtransaction::{SqlError, caught};

/// Runs `work` in a transaction of its own and commits. If it raises, everything is undone and the error comes back, a cancel of
/// the statement too. A worker that is told to end, or whose database somebody wants alone, does not come back.
///
/// What it gives must not lie in Postgres' memory: that is freed.
pub fn transaction<R>(work: impl FnOnce() -> R) -> Result<R, SqlError> {
    // Clerk may answer so fast that no wait for it would.
    give_way();
    // SAFETY: what the main loop of a backend does around a statement. After an error the transaction is aborted before
    // anything else happens, which also gives back locks, timeouts and memory.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        let result = PgTryBuilder::new(AssertUnwindSafe(|| {
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let result = work();
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
            Ok(result)
        }))
        .catch_others(|error| Err(Box::new(error)))
        .execute();
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        // So that autovacuum learns of the rows of a run that takes long.
        pg_sys::pgstat_report_stat(false);
        result.map_err(|error| caught(&error))
    }
}

/// Runs `work` outside a transaction, where it may wait for long; a cancel comes back as an error.
pub fn cancellable<R>(work: impl FnOnce() -> R) -> Result<R, SqlError> {
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| Err(Box::new(error)))
        .execute()
        .map_err(|error| caught(&error))
}
