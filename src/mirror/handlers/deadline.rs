//! Work that must end in time. For background workers only: there nobody else uses Postgres' statement timer.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use crate::error::Fault;

unsafe extern "C-unwind" {
    /// pgrx has no binding for these two; neither raises.
    fn enable_timeout_after(timeout: i32, milliseconds: i32);
    fn disable_timeout(timeout: i32, keep_indicator: bool);
}

/// Its place in Postgres' list of timers, from 15 to 18.
const STATEMENT_TIMEOUT: i32 = 3;

/// The running timer.
struct Timer {
    limit: Duration,
    started: Instant,
}

impl Timer {
    fn start(limit: Duration) -> Self {
        // SAFETY: every connected process has this timer; at its end it cancels what is running.
        unsafe { enable_timeout_after(STATEMENT_TIMEOUT, limit.as_millis() as i32) };
        Self {
            limit,
            started: Instant::now(),
        }
    }

    fn stop(&self) {
        // SAFETY: stopping a timer that has stopped does nothing.
        unsafe { disable_timeout(STATEMENT_TIMEOUT, false) };
    }

    fn is_over(&self) -> bool {
        self.started.elapsed() >= self.limit
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Does the work. If it takes longer than `limit` it is cancelled, and that is an error like others (57000); somebody's
/// cancel goes on as what it is (57014).
pub fn within(limit: Duration, work: impl FnOnce()) {
    let timer = Timer::start(limit);
    PgTryBuilder::new(AssertUnwindSafe(|| {
        work();
        timer.stop();
        // It may have gone off at the last moment.
        pgrx::check_for_interrupts!();
    }))
    .catch_when(PgSqlErrorCode::ERRCODE_QUERY_CANCELED, |error| {
        if !timer.is_over() {
            error.rethrow();
        }
    })
    .execute();
    // Also when the work itself caught the cancel and went on.
    if timer.is_over() {
        Fault::new(
            PgSqlErrorCode::ERRCODE_OPERATOR_INTERVENTION,
            format!(
                "the handler took longer than clerk.handler_timeout allows, {} ms",
                limit.as_millis()
            ),
            "Let it do less, or leave work to a job of your own.",
        )
        .raise();
    }
}
