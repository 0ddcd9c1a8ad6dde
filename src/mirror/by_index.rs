//! Rows looked up by index, whatever a table looked like when a statement was planned.

use pgrx::prelude::*;

/// While this lives, statements are planned to look rows up by an index. Each is planned once and kept, perhaps while its table is
/// nearly empty: a scan of all of it is cheap then, and ruinous a million rows later.
pub struct ByIndex(i32);

impl ByIndex {
    pub fn enter() -> Self {
        // SAFETY: settings that every role may change, NUL-terminated strings. If anything raises, the end of the
        // (sub)transaction takes them back.
        unsafe {
            let level = pg_sys::NewGUCNestLevel();
            for setting in [c"enable_seqscan", c"enable_hashjoin", c"enable_mergejoin"] {
                pg_sys::set_config_option(
                    setting.as_ptr(),
                    c"off".as_ptr(),
                    pg_sys::GucContext::PGC_USERSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            Self(level)
        }
    }
}

impl Drop for ByIndex {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the level that was begun in `enter`.
            unsafe { pg_sys::AtEOXact_GUC(true, self.0) };
        }
    }
}
