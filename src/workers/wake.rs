//! Asking for a round of maintenance before its time, where there is a launcher to ask.

use std::time::Duration;

use pgrx::prelude::*;

use super::board::{self, Wake};
use crate::pg::at_commit::at_commit;

/// Asks for a round that long after the commit of the running transaction, so that it sees what the transaction did.
pub fn wake_at_commit(delay: Duration) {
    let seconds = whole_seconds(delay);
    at_commit(format!("wake in {seconds}"), move || {
        wake(Wake {
            seconds,
            is_changed: false,
        })
    });
}

/// Asks for a round as soon as the running transaction has committed, also if earlier ones failed so often that the launcher has
/// become slow: the transaction changed what they may have failed for.
pub fn wake_for_change_at_commit() {
    at_commit("wake for a change", || {
        wake(Wake {
            seconds: 0,
            is_changed: true,
        })
    });
}

/// Asks for a round in this database after that time.
pub fn wake_in(delay: Duration) {
    wake(Wake {
        seconds: whole_seconds(delay),
        is_changed: false,
    });
}

fn wake(wake: Wake) {
    // SAFETY: set in every process that is connected to a database.
    board::wake(unsafe { pg_sys::MyDatabaseId }, wake);
}

fn whole_seconds(delay: Duration) -> u32 {
    let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
