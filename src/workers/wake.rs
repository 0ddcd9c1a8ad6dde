//! Asking for a round of maintenance before its time, where there is a launcher to ask.

use std::ffi::c_void;
use std::sync::Once;
use std::time::Duration;

use pgrx::prelude::*;

use super::board;
use crate::pg::backend_local::BackendLocal;

/// In how many seconds a round is wanted, once the running transaction has committed.
static AT_COMMIT: BackendLocal<Option<u32>> = BackendLocal::new(None);

/// Asks for a round that long after the commit of the running transaction, so that it sees what the transaction did.
pub fn wake_at_commit(delay: Duration) {
    static REGISTERED: Once = Once::new();
    // SAFETY: the callback is static.
    REGISTERED
        .call_once(|| unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) });
    let seconds = whole_seconds(delay);
    AT_COMMIT.with(|wanted| *wanted = Some(wanted.map_or(seconds, |sooner| sooner.min(seconds))));
}

/// Asks for a round in this database after that time.
pub fn wake_in(delay: Duration) {
    // SAFETY: set in every process that is connected to a database.
    board::wake(unsafe { pg_sys::MyDatabaseId }, whole_seconds(delay));
}

fn whole_seconds(delay: Duration) -> u32 {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Nothing here may fail: the transaction has been committed.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let wanted = AT_COMMIT.with(Option::take);
    if let Some(seconds) = wanted.filter(|_| event == XACT_EVENT_COMMIT) {
        // SAFETY: set in every process that is connected to a database.
        board::wake(unsafe { pg_sys::MyDatabaseId }, seconds);
    }
}
