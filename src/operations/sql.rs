//! Runs our own statements. Their text is fixed; values go in as parameters only.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::as_role::AsRole;
use crate::error::Fault;

/// Runs a statement that changes or locks something, and whose rows, if any, do not matter. Raises 25006 in a read-only
/// transaction and on a standby.
pub fn run(statement: &str, arguments: &[DatumWithOid]) {
    // SAFETY: raises, or does nothing. SPI would fail on a standby too, but with an internal error.
    unsafe { pg_sys::PreventCommandIfReadOnly(c"changes of clerk_sync's tables".as_ptr()) };
    query(|| Spi::connect_mut(|client| client.update(statement, None, arguments).map(|_| ())));
}

/// Does something with SPI. The caller may be a superuser, and what the tables' owner put on them runs with it: a deferred
/// trigger would run at commit, as whoever commits; in a security-restricted operation it cannot be put off.
pub fn query<R>(work: impl FnOnce() -> Result<R, pgrx::spi::Error>) -> R {
    let _restricted = AsRole::restricted();
    work().unwrap_or_else(|error| fault(error))
}

/// Raises what SPI reports without an error of Postgres' own: an answer of another shape than we know.
pub fn fault(error: pgrx::spi::Error) -> ! {
    Fault::prerequisite(
        format!("clerk_sync could not use its tables: {error}"),
        "The library and the SQL objects may differ in version: run ALTER EXTENSION clerk_sync UPDATE.",
    )
    .raise()
}
