//! Runs our own statements. Their text is fixed; values go in as parameters only.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::as_role::AsRole;
use crate::catalog;
use crate::error::Fault;
use crate::pg::cell::Texts;
use crate::pg::relation::Unfit;

/// Runs a statement that changes or locks something, and whose rows, if any, do not matter. Raises 25006 in a read-only
/// transaction and on a standby.
pub fn run(statement: &str, arguments: &[DatumWithOid]) {
    // SAFETY: raises, or does nothing. SPI would fail on a standby too, but with an internal error.
    unsafe { pg_sys::PreventCommandIfReadOnly(c"changes of clerk_sync's tables".as_ptr()) };
    query(|| Spi::connect_mut(|client| client.update(statement, None, arguments).map(|_| ())));
}

/// As [`run`], for an UPDATE of the row of `clerk.settings`; an error (55000) if it is not there.
pub fn set(update: &str, arguments: &[DatumWithOid]) {
    // SAFETY: raises, or does nothing.
    unsafe { pg_sys::PreventCommandIfReadOnly(c"changes of clerk_sync's tables".as_ptr()) };
    let updated =
        query(|| Spi::connect_mut(|client| client.update(update, None, arguments).map(|rows| rows.len())));
    if updated != 1 {
        catalog::settings_missing().raise();
    }
}

/// What a column holds that was made NOT NULL; an error (55000) if it is NULL.
pub fn required<T>(value: Option<T>, column: &str) -> T {
    value.unwrap_or_else(|| {
        catalog::fault(Unfit(format!(
            "column \"{column}\" of a table of clerk_sync is NULL"
        )))
        .raise()
    })
}

/// A `text[]` of a column that was made NOT NULL; an error (55000) if it or an element is NULL, or it has several dimensions.
pub fn texts(value: Option<Texts>, column: &str) -> Vec<String> {
    required(value, column).0.unwrap_or_else(|what| {
        let what = format!("column \"{column}\" of a table of clerk_sync {what}");
        catalog::fault(Unfit(what)).raise()
    })
}

/// Does something with SPI. The caller may be a superuser, and what the tables' owner put on them runs with it: a deferred
/// trigger would run at commit, as whoever commits; in a security-restricted operation it cannot be put off.
pub fn query<R>(work: impl FnOnce() -> Result<R, pgrx::spi::Error>) -> R {
    refuse_parallel_mode();
    let _restricted = AsRole::restricted();
    work().unwrap_or_else(|error| fault(error))
}

/// Raises 25000 in a parallel query: the owner can mark a function as parallel safe that is not, and what it then does would be an
/// internal error of PostgreSQL's.
pub fn refuse_parallel_mode() {
    // SAFETY: raises, or does nothing.
    unsafe { pg_sys::PreventCommandIfParallelMode(c"statements of clerk_sync".as_ptr()) };
}

/// Raises what SPI reports without an error of Postgres' own: an answer of another shape than we know.
pub fn fault(error: pgrx::spi::Error) -> ! {
    Fault::prerequisite(
        format!("clerk_sync could not use its tables: {error}"),
        "The library and the SQL objects may differ in version: run ALTER EXTENSION clerk_sync UPDATE.",
    )
    .raise()
}
