//! Tries something that may fail, without losing what the transaction did before.

use std::panic::AssertUnwindSafe;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};
use pgrx::prelude::*;

use crate::error::Fault;

/// An error that was caught.
#[derive(Debug, Clone)]
pub struct SqlError {
    pub sqlstate: PgSqlErrorCode,
    pub message: String,
    /// DETAIL. It may show values of rows, so it goes only to whom the error itself would have gone.
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl SqlError {
    /// Raises it again, with all that it says. Its LOCATION is that of this call.
    #[track_caller]
    pub fn raise(self) -> ! {
        let fault = Fault::new(self.sqlstate, self.message, self.hint.unwrap_or_default());
        match self.detail {
            Some(detail) => fault.with_detail(detail),
            None => fault,
        }
        .raise()
    }
}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", sqlstate_text(self.sqlstate), self.message)
    }
}

/// Runs `work` in a subtransaction. If it raises, all it did is undone and the error comes back; but a cancelled statement
/// or a server that shuts down is never held up: those errors go on.
pub fn attempt<R>(work: impl FnOnce() -> R) -> Result<R, SqlError> {
    // SAFETY: the pattern of PL/pgSQL's exception blocks: context and resource owner are put back in every case, and after
    // an error the subtransaction is rolled back before anything else happens.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
            .catch_others(|error| Err(Box::new(error)))
            .execute();
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => {
                pg_sys::MemoryContextSwitchTo(context);
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result.map_err(into_sql_error)
    }
}

/// As [`attempt`], for a worker that is in no transaction: `work` begins and ends its own. If it raises, only what it had not
/// committed is undone.
pub fn survive<R>(work: impl FnOnce() -> R) -> Result<R, SqlError> {
    let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| Err(Box::new(error)))
        .execute();
    result.map_err(|error| {
        // SAFETY: what Postgres' own loops do after an error; does nothing if no transaction is open.
        unsafe {
            pg_sys::AbortOutOfAnyTransaction();
            pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        }
        into_sql_error(error)
    })
}

/// The error in our form, unless it must go on.
fn into_sql_error(error: Box<CaughtError>) -> SqlError {
    let caught = caught(&error);
    if must_go_on(caught.sqlstate) {
        error.rethrow();
    }
    caught
}

/// What an error says.
pub fn caught(error: &CaughtError) -> SqlError {
    let report = report(error);
    SqlError {
        sqlstate: report.sql_error_code(),
        message: report.message().to_owned(),
        detail: report.detail().map(str::to_owned),
        hint: report.hint().map(str::to_owned),
    }
}

fn report(error: &CaughtError) -> &ErrorReportWithLevel {
    match error {
        CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. } => report,
    }
}

/// Cancelled, or the server or session is to end.
fn must_go_on(sqlstate: PgSqlErrorCode) -> bool {
    matches!(
        sqlstate,
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED
            | PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CRASH_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CANNOT_CONNECT_NOW
            | PgSqlErrorCode::ERRCODE_DATABASE_DROPPED
    )
}

/// The five characters of an SQLSTATE.
pub fn sqlstate_text(sqlstate: PgSqlErrorCode) -> String {
    // Postgres packs six bits a character, least significant first.
    let packed = sqlstate as i32;
    (0..5)
        .map(|place| char::from(((packed >> (6 * place)) & 0x3f) as u8 + b'0'))
        .collect()
}

#[cfg(any(test, feature = "pg_test"))]
#[pg_schema]
mod tests {
    use pgrx::prelude::*;

    use super::{SqlError, attempt};

    #[pg_test]
    fn an_error_that_is_raised_again_says_all_that_it_said() {
        let raise = "DO $$ BEGIN
            RAISE EXCEPTION USING ERRCODE = '23514', MESSAGE = 'the message', DETAIL = 'the detail', HINT = 'the hint';
        END $$";
        let first = attempt(|| Spi::run(raise)).expect_err("it raises");
        let second = attempt(|| first.clone().raise()).expect_err("it raises again");
        for error in [first, second] {
            let SqlError {
                sqlstate,
                message,
                detail,
                hint,
            } = error;
            assert_eq!(sqlstate, PgSqlErrorCode::ERRCODE_CHECK_VIOLATION);
            assert_eq!(message, "the message");
            assert_eq!(detail.as_deref(), Some("the detail"));
            assert_eq!(hint.as_deref(), Some("the hint"));
        }
    }
}
