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
    // The caller may be a superuser, and a deferred trigger of the tables' owner would run at commit, as whoever commits. In a
    // security-restricted operation it cannot be put off.
    // SAFETY: reads a variable of the backend.
    let _restricted = AsRole::enter(unsafe { pg_sys::GetUserId() });
    Spi::connect_mut(|client| client.update(statement, None, arguments).map(|_| ()))
        .unwrap_or_else(|error| fault(error))
}

/// Raises what SPI reports without an error of Postgres' own: an answer of another shape than we know.
pub fn fault(error: pgrx::spi::Error) -> ! {
    Fault::prerequisite(
        format!("clerk_sync could not use its tables: {error}"),
        "The library and the SQL objects may differ in version: run ALTER EXTENSION clerk_sync UPDATE.",
    )
    .raise()
}
