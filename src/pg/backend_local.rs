//! State of one backend, without the cost of a thread local.

use std::cell::RefCell;
use std::panic::Location;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// A value of the backend's main thread.
///
/// A backend runs SQL on one thread, so access needs no lock. A thread that the library starts must not touch such a value;
/// debug builds check this at every access. Code that is reached again while it has the value, for example because it
/// called into PostgreSQL, gets an error instead of a second mutable reference. An error that unwinds ends the access.
pub struct BackendLocal<T>(RefCell<T>);

// SAFETY: only the main thread has access, see above.
unsafe impl<T> Sync for BackendLocal<T> {}

impl<T> BackendLocal<T> {
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Runs `f` with exclusive access to the value. Raises XX000 if the caller already has it.
    #[inline(always)]
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        match self.try_with(f) {
            Some(result) => result,
            None => raise_reentry(Location::caller()),
        }
    }

    /// Runs `f` with exclusive access to the value; None if the caller already has it. For code that must not raise.
    #[inline(always)]
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        debug_assert!(cfg!(test) || is_main_thread(), "not the backend's main thread");
        let mut value = self.0.try_borrow_mut().ok()?;
        Some(f(&mut value))
    }
}

fn is_main_thread() -> bool {
    // SAFETY: two system calls without arguments.
    unsafe { libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid()) }
}

#[cold]
#[inline(never)]
fn raise_reentry(caller: &Location) -> ! {
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
        format!(
            "state of the backend is already in use at {}:{}",
            caller.file(),
            caller.line()
        ),
        env!("CARGO_PKG_NAME"),
    )
    .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use pgrx::pg_sys::panic::ErrorReportWithLevel;

    use super::*;

    fn sqlstate_of(work: impl FnOnce()) -> Option<PgSqlErrorCode> {
        let payload = catch_unwind(AssertUnwindSafe(work)).err()?;
        let report = payload
            .downcast::<ErrorReportWithLevel>()
            .expect("an error of PostgreSQL");
        Some(report.sql_error_code())
    }

    #[test]
    fn reentry_is_an_internal_error() {
        let local = BackendLocal::new(vec![1]);
        let reenter = || local.with(|outer| local.with(|inner| inner.append(outer)));
        assert_eq!(sqlstate_of(reenter), Some(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR));
    }

    #[test]
    fn reentry_without_raising_gives_none() {
        let local = BackendLocal::new(1);
        assert_eq!(local.with(|_| local.try_with(|value| *value)), None);
        assert_eq!(local.try_with(|value| *value), Some(1));
    }

    #[test]
    fn an_error_ends_the_access() {
        let local = BackendLocal::new(1);
        let raise = || {
            local.with(|value| {
                *value = 2;
                pgrx::ereport!(ERROR, PgSqlErrorCode::ERRCODE_DIVISION_BY_ZERO, "raised inside");
            })
        };
        assert_eq!(sqlstate_of(raise), Some(PgSqlErrorCode::ERRCODE_DIVISION_BY_ZERO));
        assert_eq!(local.with(|value| *value), 2);
    }
}
