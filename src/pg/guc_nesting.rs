//! Settings that hold for a while, and are what they were afterwards.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A level of settings. When it is dropped, every setting that was changed meanwhile is what it was before, whoever changed
/// it.
///
/// There is one rule for a return and for an error that unwinds. The level ends with the drop if the subtransaction in
/// which it began is still the innermost one: nothing else would have ended it. If it is not, the drop does nothing: the end
/// of a subtransaction ends the levels that began in it, and its abort ends those that an error left behind. Ending the level
/// here as well would take levels from code that is still using them.
#[must_use = "the settings are put back when it is dropped"]
pub struct GucNesting {
    level: i32,
    subtransaction: pg_sys::SubTransactionId,
}

impl GucNesting {
    /// Begins a level.
    pub fn begin() -> Self {
        // SAFETY: two functions that read and count variables of the backend.
        unsafe {
            Self {
                level: pg_sys::NewGUCNestLevel(),
                subtransaction: pg_sys::GetCurrentSubTransactionId(),
            }
        }
    }

    /// Sets a setting that every role may change, until the level ends.
    pub fn set(&self, name: &CStr, value: &CStr) {
        set_in_level(name, value);
    }
}

/// Sets a setting that every role may change, until the innermost level ends: that of the running function if it is declared with SET,
/// else that of the (sub)transaction.
pub fn set_in_level(name: &CStr, value: &CStr) {
    // SAFETY: NUL-terminated strings, which are copied.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
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

impl Drop for GucNesting {
    fn drop(&mut self) {
        // SAFETY: reads a variable; then ends a level that this subtransaction has begun and not ended. As at an abort, so that
        // what others have set at this level does not outlive it; restoring a value raises nothing.
        unsafe {
            if pg_sys::GetCurrentSubTransactionId() == self.subtransaction {
                pg_sys::AtEOXact_GUC(false, self.level);
            }
        }
    }
}

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::GucNesting;
    use crate::subtransaction::attempt;

    fn name() -> String {
        Spi::get_one("SELECT pg_catalog.current_setting('application_name')")
            .expect("the setting can be read")
            .expect("it has a value")
    }

    fn level(value: &std::ffi::CStr) -> GucNesting {
        let level = GucNesting::begin();
        level.set(c"application_name", value);
        level
    }

    #[pg_test]
    fn settings_are_put_back_whoever_changed_them() {
        let before = name();
        let outer = level(c"outer");
        {
            let _inner = level(c"inner");
            Spi::run("SET application_name = 'by a statement'").expect("it can be set");
            assert_eq!(name(), "by a statement");
        }
        assert_eq!(name(), "outer");
        drop(outer);
        assert_eq!(name(), before);
    }

    /// The unwinding drop, then the abort of the subtransaction: together they end one level, not two and not none.
    #[pg_test]
    fn an_error_ends_the_levels_that_it_leaves_and_no_other() {
        let before = name();
        let outer = level(c"outer");
        for _ in 0..3 {
            let raise = || {
                let _inner = level(c"inner");
                let _innermost = level(c"innermost");
                Spi::run("SELECT 1 / 0")
            };
            assert!(attempt(raise).is_err());
            assert_eq!(name(), "outer");
        }
        {
            let _again = level(c"again");
            assert_eq!(name(), "again");
        }
        assert_eq!(name(), "outer");
        drop(outer);
        assert_eq!(name(), before);
    }

    /// Nobody but the drop ends a level when an error is caught without a subtransaction.
    #[pg_test]
    fn an_error_without_a_subtransaction_ends_its_levels_too() {
        let before = name();
        let raise = || {
            let _level = level(c"inner");
            pgrx::ereport!(ERROR, PgSqlErrorCode::ERRCODE_DIVISION_BY_ZERO, "raised inside");
        };
        PgTryBuilder::new(raise).catch_others(|_| ()).execute();
        assert_eq!(name(), before);
    }

    /// A level that began outside a subtransaction is not ended by a drop inside: the levels of those inside are still in use.
    #[pg_test]
    fn a_drop_in_another_subtransaction_leaves_the_levels_alone() {
        let before = name();
        let outer = level(c"outer");
        let inside = attempt(|| {
            drop(outer);
            name()
        });
        assert_eq!(inside.expect("nothing is raised"), "outer");
        // What ends it here is the end of the test's transaction; meanwhile another level works as ever.
        {
            let _again = level(c"again");
            assert_eq!(name(), "again");
        }
        assert_eq!(name(), "outer");
        assert_ne!(before, "outer");
    }
}
