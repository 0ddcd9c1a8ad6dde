//! The times of Postgres, as the rules of tokens count them: seconds since 1970.

use pgrx::prelude::*;

unsafe extern "C" {
    /// Declared here because pgrx's own bindings guard every call, and these are on the way of every row.
    fn GetCurrentStatementStartTimestamp() -> pg_sys::TimestampTz;
    fn GetCurrentTransactionStartTimestamp() -> pg_sys::TimestampTz;
}

/// Postgres counts from 2000-01-01.
const EPOCH_OFFSET_SECONDS: f64 = 946_684_800.0;
const EPOCH_OFFSET_MICROS: i64 = 946_684_800_000_000;

/// When the running statement began, or its transaction if that is later, as after a COMMIT in a procedure: one answer for
/// all rows of a query, and the same in its parallel workers.
#[inline]
pub fn statement_time() -> f64 {
    // SAFETY: these return variables of the backend and cannot raise.
    let (statement, transaction) = unsafe {
        (
            GetCurrentStatementStartTimestamp(),
            GetCurrentTransactionStartTimestamp(),
        )
    };
    seconds(statement.max(transaction))
}

/// Now, up to a few milliseconds late, at the cost of reading a variable.
#[inline]
pub fn coarse_now() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the struct that it is given. It cannot fail: Linux has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// When this process was started.
pub fn process_start() -> f64 {
    // SAFETY: reads a variable of the process.
    seconds(unsafe { pg_sys::MyStartTimestamp })
}

/// Now, even in the middle of a long statement.
pub fn now() -> f64 {
    // SAFETY: reads the clock.
    seconds(unsafe { pg_sys::GetCurrentTimestamp() })
}

fn seconds(timestamp: pg_sys::TimestampTz) -> f64 {
    timestamp as f64 / 1e6 + EPOCH_OFFSET_SECONDS
}

/// A stored time in the same unit.
pub fn from_timestamp(timestamp: TimestampWithTimeZone) -> f64 {
    seconds(timestamp.into())
}

/// Postgres' form of a time that counts microseconds since 1970. The least number is `-infinity`.
pub fn timestamp_tz(unix_micros: i64) -> pg_sys::TimestampTz {
    match unix_micros {
        i64::MIN => i64::MIN,
        micros => micros.saturating_sub(EPOCH_OFFSET_MICROS),
    }
}

/// The reverse of `timestamp_tz`.
pub fn unix_micros(timestamp: pg_sys::TimestampTz) -> i64 {
    match timestamp {
        i64::MIN => i64::MIN,
        micros => micros.saturating_add(EPOCH_OFFSET_MICROS),
    }
}

/// Now, in microseconds since 1970.
pub fn now_micros() -> i64 {
    // SAFETY: reads the clock.
    unix_micros(unsafe { pg_sys::GetCurrentTimestamp() })
}
