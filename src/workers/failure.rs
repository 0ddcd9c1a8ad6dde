//! Why a worker did not do what it was started for.

use std::time::Duration;

use pgrx::PgSqlErrorCode;

use super::task::Task;
use crate::error::Fault;
use crate::subtransaction::SqlError;

#[derive(Debug)]
pub enum Failure {
    /// Nothing was started, because something must be done first.
    Refused(Fault),
    /// Every slot for background workers is taken.
    NoSlot,
    /// It could not connect, or could not set up its session.
    NotConnected(SqlError),
    /// It ended before it could say why: its library could not be loaded, or it was killed.
    NotLoaded,
    /// It has not begun within that time.
    NotBegun(Duration),
    /// It had begun, and ended with this error.
    Broken(SqlError),
    /// It had begun, and ended without an answer or an error.
    Ended,
    /// It had begun, and has not answered within that time.
    NoAnswer(Duration),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault)
    }
}

impl Failure {
    /// As an error for who waits, in the words of an administrator: it quotes what the server said.
    pub fn fault(self, task: &Task) -> Fault {
        let worker = format!("the background worker that is to {}", task.purpose);
        let prerequisite =
            |what: String, hint: &'static str| Fault::prerequisite(format!("{worker} {what}"), hint);
        match self {
            Self::Refused(fault) => fault,
            Self::NoSlot => Fault::new(
                PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                format!("no background worker is free to {}", task.purpose),
                "Raise max_worker_processes and restart the server, or try again when other workers have ended.",
            ),
            Self::NotConnected(error) => {
                let message = format!("{worker} could not connect: {}", error.message);
                match error.sqlstate {
                    PgSqlErrorCode::ERRCODE_TOO_MANY_CONNECTIONS => Fault::new(
                        error.sqlstate,
                        message,
                        "Close sessions, or raise max_connections or the connection limit of the role or the database.",
                    ),
                    _ => Fault::prerequisite(
                        message,
                        "It connects as the owner of schema clerk, who needs LOGIN (before PostgreSQL 17) and CONNECT on the database.",
                    ),
                }
            }
            Self::NotLoaded => prerequisite(
                "ended before it had begun: it could not load its library, or was killed".to_owned(),
                "The server log says why. If the library is gone or was replaced, install the extension again and restart the server.",
            ),
            Self::NotBegun(limit) => prerequisite(
                format!("has not begun within {} s", limit.as_secs()),
                "The server is busy. Try again; if that does not help, see the server log.",
            ),
            Self::Broken(error) => Fault::new(
                error.sqlstate,
                format!("{worker} ended with an error: {}", error.message),
                "The server log may say more.",
            ),
            Self::Ended => prerequisite(
                "ended without an answer".to_owned(),
                "It was told to end, or left because somebody wants the database alone. Try again.",
            ),
            Self::NoAnswer(limit) => prerequisite(
                format!("gave no answer within {} s", limit.as_secs()),
                "Try again; if that does not help, see the server log.",
            ),
        }
    }
}
