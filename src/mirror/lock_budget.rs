//! How long one delivery may wait for locks: PostgREST gives anon three seconds for everything.

use std::ffi::CString;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::pg::guc_nesting::set_in_level;

/// What the waits of one delivery may cost together.
pub const WAIT: Duration = Duration::from_secs(1);
/// A wait that cannot be granted any more is still tried for this long.
const LEAST: Duration = Duration::from_millis(20);

/// Time for waiting that gets used up. Sets `lock_timeout` until the running function returns.
pub struct LockBudget {
    started: Instant,
    wait: Duration,
}

impl LockBudget {
    /// Begins now; all waits together may take about `wait`.
    pub fn start(wait: Duration) -> Self {
        let budget = Self {
            started: Instant::now(),
            wait,
        };
        budget.set(wait);
        budget
    }

    /// Lets the next statement wait for what is left.
    pub fn apply(&self) {
        let used = self.started.elapsed();
        // Short of this, setting it costs more than it saves.
        if used > LEAST {
            self.set(self.wait.saturating_sub(used).max(LEAST));
        }
    }

    fn set(&self, wait: Duration) {
        // SAFETY: reads a variable of the backend.
        let own = unsafe { pg_sys::LockTimeout };
        let milliseconds = wait.as_millis() as i32;
        // The caller may want to wait less, never more.
        if own > 0 && own <= milliseconds {
            return;
        }
        let value = CString::new(milliseconds.to_string()).unwrap_or_default();
        // The functions that receive deliveries are declared with SET search_path, so each has a level of its own.
        set_in_level(c"lock_timeout", &value);
    }
}
