//! How long one delivery may wait for locks: PostgREST gives anon three seconds for everything.

use std::ffi::CString;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

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
        // SAFETY: a setting that every role may change; GUC_ACTION_SAVE ends with the function that is running, all of
        // which are declared with SET search_path and so have a nest level of their own.
        unsafe {
            pg_sys::set_config_option(
                c"lock_timeout".as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
}
