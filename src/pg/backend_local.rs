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

#[cfg(any(test, feature = "pg_test"))]
#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::BackendLocal;
    use crate::subtransaction::attempt;

    #[pg_test]
    fn reentry_is_an_internal_error() {
        static LOCAL: BackendLocal<Vec<i32>> = BackendLocal::new(Vec::new());
        let reenter = || LOCAL.with(|outer| LOCAL.with(|inner| inner.append(outer)));
        let error = attempt(reenter).expect_err("a second mutable reference");
        assert_eq!(error.sqlstate, PgSqlErrorCode::ERRCODE_INTERNAL_ERROR);
        assert_eq!(LOCAL.with(|_| LOCAL.try_with(|value| value.len())), None);
        assert_eq!(LOCAL.try_with(|value| value.len()), Some(0));
    }

    #[pg_test]
    fn an_error_ends_the_access() {
        static LOCAL: BackendLocal<i32> = BackendLocal::new(1);
        let raise = || {
            LOCAL.with(|value| {
                *value = 2;
                // Of PostgreSQL, which jumps, not of Rust.
                Spi::run("SELECT 1 / 0").map(|_| ())
            })
        };
        let error = attempt(raise).expect_err("no division by zero");
        assert_eq!(error.sqlstate, PgSqlErrorCode::ERRCODE_DIVISION_BY_ZERO);
        assert_eq!(LOCAL.with(|value| *value), 2);
    }
}
