//! Work that must end by a certain time: after a limit of its own, or before `statement_timeout` ends the statement.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use super::backend_local::BackendLocal;

unsafe extern "C-unwind" {
    // pgrx has no bindings for these. None of them raises an error.
    fn RegisterTimeout(timeout: i32, handler: unsafe extern "C-unwind" fn()) -> i32;
    fn enable_timeout_at(timeout: i32, at: pg_sys::TimestampTz);
    fn disable_timeout(timeout: i32, keep_indicator: bool);
    fn get_timeout_active(timeout: i32) -> bool;
    fn get_timeout_finish_time(timeout: i32) -> pg_sys::TimestampTz;
}

/// Place of `statement_timeout` in Postgres' list of timeouts, from 15 to 18.
const STATEMENT_TIMEOUT: i32 = 3;
/// Any number from `USER_TIMEOUT` on, which is 12 in 15 and 16 and 13 in 17 and 18, asks `RegisterTimeout` for a new timeout.
const NEW_TIMEOUT: i32 = 13;

/// What a deadline leaves of a statement's time, for an answer or an error.
const RESERVE: Duration = Duration::from_millis(500);

/// A time by which work must have ended, in microseconds since 2000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pg_sys::TimestampTz);

impl Deadline {
    /// `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self(now().saturating_add(micros(limit)))
    }

    /// 500 ms before the running statement reaches `statement_timeout`; if less than a second is left, in the middle of what is left.
    /// None if the statement has no limit.
    ///
    /// The limit counts from the start of the statement. A `statement_timeout` that was set since then counts from the next one.
    pub fn before_statement_timeout() -> Option<Self> {
        let end = statement_end()?;
        let left = (end - now()).max(0);
        Some(Self(end - micros(RESERVE).min(left / 2)))
    }

    /// How long until then; zero if it has passed.
    pub fn left(self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - now()).unwrap_or(0))
    }

    /// Whether it has passed.
    pub fn is_over(self) -> bool {
        self.0 <= now()
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn now() -> pg_sys::TimestampTz {
    // SAFETY: reads the clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// When `statement_timeout` will end the running statement, if it has not done so.
fn statement_end() -> Option<pg_sys::TimestampTz> {
    // SAFETY: both read the list of timeouts, which every connected process has.
    unsafe { get_timeout_active(STATEMENT_TIMEOUT).then(|| get_timeout_finish_time(STATEMENT_TIMEOUT)) }
}

/// Does the work. If it has not ended by the deadline it is cancelled, and `overdue` raises the error to be had for it; also if it has
/// caught the cancel, and if the deadline has passed before it begins. A cancel of somebody else's and the statement's own
/// timeout go on as what they are (57014). Without a deadline it only does the work.
///
/// Postgres merges interrupts that come before it looks for any: a cancel of somebody else's that comes between ours and that look is
/// taken for ours.
pub fn within<R>(deadline: Option<Deadline>, work: impl FnOnce() -> R, overdue: impl FnOnce()) -> R {
    let Some(deadline) = deadline else {
        return work();
    };
    if deadline.is_over() {
        raise(overdue);
    }
    let watch = Watch::start(deadline);
    let done = PgTryBuilder::new(AssertUnwindSafe(|| {
        let done = work();
        watch.stop();
        // It may have gone off at the last moment.
        pgrx::check_for_interrupts!();
        Some(done)
    }))
    .catch_when(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, |error| {
        if !watch.has_cancelled() {
            error.rethrow();
        }
        None
    })
    .execute();
    let has_cancelled = watch.has_cancelled();
    drop(watch);
    match done {
        Some(done) if !has_cancelled => done,
        _ => raise(overdue),
    }
}

fn raise(overdue: impl FnOnce()) -> ! {
    overdue();
    unreachable!("what is to be raised for a missed deadline was not raised")
}

/// The deadline that is being watched, if any.
static WATCHED: BackendLocal<Option<Deadline>> = BackendLocal::new(None);

/// Whether the timeout of a deadline has cancelled what is running.
static HAS_CANCELLED: AtomicBool = AtomicBool::new(false);

/// A deadline whose passing cancels what is running, in place of an outer one, which is not earlier.
struct Watch {
    outer: Option<Deadline>,
    has_limited_statement: bool,
}

impl Watch {
    fn start(deadline: Deadline) -> Self {
        let outer = WATCHED.with(|watched| {
            let deadline = watched.map_or(deadline, |outer| outer.min(deadline));
            arm(deadline);
            watched.replace(deadline)
        });
        Self {
            outer,
            has_limited_statement: statement_end().is_some(),
        }
    }

    fn stop(&self) {
        // SAFETY: the timeout was registered; stopping one that has stopped does nothing.
        unsafe { disable_timeout(timeout(), false) };
    }

    /// Whether the deadline has cancelled what is running, and `statement_timeout` has not.
    fn has_cancelled(&self) -> bool {
        HAS_CANCELLED.load(Ordering::Relaxed) && self.has_limited_statement == statement_end().is_some()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
        HAS_CANCELLED.store(false, Ordering::Relaxed);
        WATCHED.with(|watched| *watched = self.outer);
        // If it has passed meanwhile it goes off at once.
        self.outer.into_iter().for_each(arm);
    }
}

fn arm(deadline: Deadline) {
    HAS_CANCELLED.store(false, Ordering::Relaxed);
    // SAFETY: the timeout was registered; an active one is moved.
    unsafe { enable_timeout_at(timeout(), deadline.0) };
}

/// Our place in Postgres' list of timeouts, which this process takes at the first use.
fn timeout() -> i32 {
    static TIMEOUT: AtomicI32 = AtomicI32::new(0);
    match TIMEOUT.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: the process has timeouts, because it is connected; the handler does what a signal handler may. Ends the
            // session if other extensions have taken all ten places.
            let timeout = unsafe { RegisterTimeout(NEW_TIMEOUT, cancel) };
            TIMEOUT.store(timeout, Ordering::Relaxed);
            timeout
        }
        timeout => timeout,
    }
}

/// Cancels what is running, as `statement_timeout` does. Called in the signal handler of Postgres' timeouts.
unsafe extern "C-unwind" fn cancel() {
    // A cancel that came before and has not been noticed yet stays somebody else's.
    // SAFETY: reads a variable that signal handlers may use.
    if unsafe { std::ptr::read_volatile(&raw const pg_sys::QueryCancelPending) } != 0 {
        return;
    }
    HAS_CANCELLED.store(true, Ordering::Relaxed);
    // SAFETY: reads a variable that never changes, and calls a function that signal handlers may call.
    unsafe { libc::kill(pg_sys::MyProcPid, libc::SIGINT) };
}

#[cfg(any(test, feature = "pg_test"))]
#[pg_schema]
mod tests {
    use std::time::{Duration, Instant};

    use pgrx::prelude::*;

    use super::{Deadline, within};
    use crate::subtransaction::{SqlError, attempt};

    const LONG: &str = "SELECT pg_catalog.pg_sleep(60)";

    fn raise(message: &'static str) {
        pgrx::ereport!(ERROR, PgSqlErrorCode::ERRCODE_OPERATOR_INTERVENTION, message);
    }

    fn in_time<R>(limit: Duration, message: &'static str, work: impl FnOnce() -> R) -> Result<R, SqlError> {
        attempt(|| within(Some(Deadline::after(limit)), work, || raise(message)))
    }

    const SHORT: Duration = Duration::from_millis(50);
    const AMPLE: Duration = Duration::from_secs(30);

    #[pg_test]
    fn what_takes_too_long_is_cancelled_and_what_does_not_is_left_alone() {
        let error = in_time(SHORT, "too long", || Spi::run(LONG)).expect_err("it is cancelled");
        assert_eq!(error.message, "too long");
        assert_eq!(error.sqlstate, PgSqlErrorCode::ERRCODE_OPERATOR_INTERVENTION);
        assert_eq!(in_time(AMPLE, "too long", || 1).expect("there is time"), 1);
        // Nothing is left that goes off later.
        Spi::run("SELECT pg_catalog.pg_sleep(0.1)").expect("it is not cancelled");
    }

    #[pg_test]
    fn nothing_begins_after_the_deadline() {
        let begun = std::cell::Cell::new(false);
        let error = in_time(Duration::ZERO, "too late", || begun.set(true)).expect_err("it is over");
        assert_eq!((error.message.as_str(), begun.get()), ("too late", false));
    }

    #[pg_test]
    fn an_error_of_the_work_stays_what_it_is() {
        let error = in_time(AMPLE, "too long", || Spi::run("SELECT 1 / 0")).expect_err("it fails");
        assert_eq!(error.sqlstate, PgSqlErrorCode::ERRCODE_DIVISION_BY_ZERO);
    }

    #[pg_test]
    fn work_that_catches_the_cancel_is_overdue_all_the_same() {
        let stubborn =
            "DO $$ BEGIN PERFORM pg_catalog.pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END $$";
        let error = in_time(SHORT, "too long", || Spi::run(stubborn)).expect_err("it was cancelled");
        assert_eq!(error.message, "too long");
    }

    /// The inner deadline is the outer one if that is earlier, and the outer one goes on when the inner has ended.
    #[pg_test]
    fn deadlines_nest() {
        for (outer, inner, messages) in [(SHORT, AMPLE, ["inner", "outer"]), (AMPLE, SHORT, ["inner", ""])] {
            let mut seen = [String::new(), String::new()];
            let result = in_time(outer, "outer", || {
                let error = in_time(inner, "inner", || Spi::run(LONG)).expect_err("it is cancelled");
                seen[0] = error.message;
                Spi::run("SELECT pg_catalog.pg_sleep(0.1)")
            });
            seen[1] = result.err().map(|error| error.message).unwrap_or_default();
            assert_eq!(seen, messages);
        }
        let started = Instant::now();
        let error = in_time(SHORT, "outer", || {
            in_time(AMPLE, "inner", || ()).expect("there is time");
            Spi::run(LONG)
        });
        assert_eq!(error.expect_err("it is cancelled").message, "outer");
        assert!(started.elapsed() < AMPLE);
    }
}
