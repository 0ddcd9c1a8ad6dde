//! The times of Postgres, as the rules of tokens count them: seconds since 1970.

use pgrx::prelude::*;

unsafe extern "C" {
    /// Declared here because pgrx's own binding guards every call, and this one is on the way of every row.
    fn GetCurrentStatementStartTimestamp() -> pg_sys::TimestampTz;
}

/// Postgres counts from 2000-01-01.
const EPOCH_OFFSET_SECONDS: f64 = 946_684_800.0;
const EPOCH_OFFSET_MICROS: i64 = 946_684_800_000_000;

/// When the running statement began: one answer for all its rows, and the same in its parallel workers.
#[inline]
pub fn statement_time() -> f64 {
    // SAFETY: returns a variable of the backend and cannot raise.
    seconds(unsafe { GetCurrentStatementStartTimestamp() })
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
