//! Runs our own statements. Their text is fixed; values go in as parameters only.

use std::ffi::CStr;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::as_role::AsRole;
use crate::catalog;
use crate::error::Fault;
use crate::pg::cell::Texts;
use crate::pg::relation::Unfit;
use crate::pg::writable::{require_serial, require_writable};

/// Runs a statement that changes or locks something, and whose rows, if any, do not matter. Raises 25006 in a read-only
/// transaction and on a standby.
#[track_caller]
pub fn run(statement: &str, arguments: &[DatumWithOid]) {
    require_writable(c"changes of clerk_sync's tables");
    query(|| Spi::connect_mut(|client| client.update(statement, None, arguments).map(|_| ())));
}

/// As [`run`], for an UPDATE of the row of `clerk.settings`; an error (55000) if it is not there.
pub fn set(update: &str, arguments: &[DatumWithOid]) {
    require_writable(c"changes of clerk_sync's tables");
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
#[track_caller]
pub fn query<R>(work: impl FnOnce() -> Result<R, pgrx::spi::Error>) -> R {
    require_serial(c"statements of clerk_sync");
    let _restricted = AsRole::restricted();
    match work() {
        Ok(result) => result,
        Err(error) => fault(error),
    }
}

/// Raises what SPI reports without an error of PostgreSQL's own; such an error keeps its SQLSTATE and does not come here.
#[track_caller]
pub fn fault(error: pgrx::spi::Error) -> ! {
    match error {
        pgrx::spi::Error::SpiError(code) => refused(code as i32),
        // The answer has another shape than the statement should give.
        error => Fault::prerequisite(
            format!("clerk_sync could not use its tables: {error}"),
            "The library and the SQL objects may differ in version: run ALTER EXTENSION clerk_sync UPDATE.",
        )
        .raise(),
    }
}

/// Raises XX000: SPI refused a call, with this code. Only a wrong call of ours makes it do that.
#[track_caller]
pub fn refused(code: i32) -> ! {
    // SAFETY: gives a static string, or one of a static buffer, which is copied.
    let name = unsafe { CStr::from_ptr(pg_sys::SPI_result_code_string(code)) }.to_string_lossy();
    Fault::internal(format!("a statement of clerk_sync failed in SPI with {name}")).raise()
}

#[cfg(any(test, feature = "pg_test"))]
#[pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::subtransaction::attempt;

    #[pg_test]
    fn what_spi_refuses_is_a_bug_of_ours_and_named() {
        let refused = || super::run("COPY pg_catalog.pg_class TO STDOUT", &[]);
        let error = attempt(refused).expect_err("SPI cannot copy to a client");
        assert_eq!(error.sqlstate, PgSqlErrorCode::ERRCODE_INTERNAL_ERROR);
        assert!(error.message.contains("SPI_ERROR_COPY"), "{error:?}");
        assert!(error.hint.is_some(), "{error:?}");
    }

    #[pg_test]
    fn an_error_of_a_statement_keeps_its_sqlstate() {
        let error = attempt(|| super::run("SELECT 1 / 0", &[])).expect_err("no division by zero");
        assert_eq!(error.sqlstate, PgSqlErrorCode::ERRCODE_DIVISION_BY_ZERO);
    }

    #[pg_test]
    fn an_answer_of_another_shape_is_no_bug_of_ours() {
        let read = || {
            super::query(|| {
                Spi::connect(|client| {
                    client
                        .select("SELECT 'text'", Some(1), &[])?
                        .first()
                        .get_one::<i64>()
                })
            })
        };
        let error = attempt(read).expect_err("text is no bigint");
        assert_eq!(
            error.sqlstate,
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
        );
    }
}
