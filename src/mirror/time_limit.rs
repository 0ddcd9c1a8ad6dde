//! How long applying events may take: it ends before `statement_timeout` ends the statement, so that what could not be applied is
//! stored as failed and tried again, instead of being lost with the statement.

use std::time::Instant;

use pgrx::PgSqlErrorCode;

use crate::error::Fault;
use crate::pg::deadline::{Deadline, within};
use crate::subtransaction::{SqlError, attempt};

/// The time that a statement has for applying events; without `statement_timeout`, any time.
pub struct TimeLimit {
    started: Instant,
    deadline: Option<Deadline>,
}

impl TimeLimit {
    /// Of the running statement. What is left after the deadline is for storing what could not be applied.
    pub fn of_statement() -> Self {
        Self {
            started: Instant::now(),
            deadline: Deadline::before_statement_timeout(),
        }
    }

    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(Deadline::is_over)
    }

    /// As [`attempt`]; also what takes too long is undone and an error (57000).
    pub fn attempt<R>(&self, work: impl FnOnce() -> R) -> Result<R, SqlError> {
        attempt(|| within(self.deadline, work, || self.too_long().raise()))
    }

    fn too_long(&self) -> Fault {
        Fault::new(
            PgSqlErrorCode::ERRCODE_OPERATOR_INTERVENTION,
            format!(
                "applying was ended after {} ms, shortly before statement_timeout would have ended the statement",
                self.started.elapsed().as_millis()
            ),
            "Look for a slow trigger on the tables of the mirror, or raise statement_timeout.",
        )
    }
}
