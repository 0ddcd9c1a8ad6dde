//! One page, one transaction: its rows and where the run goes on are saved together, or not at all.

use std::time::{Duration, Instant};

use clerk_core::backend_api::ApiFault;
use pgrx::PgSqlErrorCode;

use super::apply::{Manner, Origin, Tally};
use super::run::{Run, Trouble};
use super::step::Step;
use crate::mirror::setup::{self, Setup, Source};
use crate::subtransaction::SqlError;
use crate::workers::one_shot::nap;
use crate::workers::{cancellable, transaction};

/// How long a page waits for rows that other sessions hold before it is applied without them.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long until it is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a run stops before its end.
pub enum Halt {
    /// Somebody cancelled the worker.
    Cancelled,
    /// The run is not this worker's any more.
    NotOurs,
    /// Clerk did not answer as it should.
    Api(Box<ApiFault>),
    /// The database did not take something.
    Sql(SqlError),
}

impl From<ApiFault> for Halt {
    fn from(fault: ApiFault) -> Self {
        Self::Api(Box::new(fault))
    }
}

impl From<SqlError> for Halt {
    fn from(error: SqlError) -> Self {
        if error.sqlstate == PgSqlErrorCode::ERRCODE_QUERY_CANCELED {
            Self::Cancelled
        } else {
            Self::Sql(error)
        }
    }
}

impl Halt {
    /// What to say of it.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Api(fault) => Trouble {
                message: fault.message.clone(),
                hint: fault.hint.clone(),
                trace_id: fault.trace_id.clone(),
                cause: fault.cause.as_str(),
            },
            Self::Sql(error) => Trouble {
                message: error.to_string(),
                hint: format!(
                    "{} The run goes on where it stopped.",
                    error
                        .hint
                        .as_deref()
                        .unwrap_or("The server log may say more. Mend the cause.")
                ),
                trace_id: None,
                cause: "database",
            },
            Self::Cancelled | Self::NotOurs => Trouble {
                message: "the run was cancelled".to_owned(),
                hint: String::new(),
                trace_id: None,
                cause: "database",
            },
        }
    }

    /// Whether it may pass by itself.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Api(fault) => fault.is_passing(),
            Self::Sql(error) => is_passing(error),
            Self::Cancelled | Self::NotOurs => false,
        }
    }
}

/// Asks Clerk something, in a way that can be cancelled.
pub fn ask<R>(question: impl FnOnce() -> Result<R, ApiFault>) -> Result<R, Halt> {
    Ok(cancellable(question)??)
}

/// Runs `work` in a transaction that also holds the run, and saves the step. While rows are held by others it is tried again for a
/// while; after that, and for any other error, object by object.
pub fn save(
    run: &Run,
    step: &mut Step,
    mut work: impl FnMut(&mut Step, &Setup, &Source, Manner) -> Tally,
) -> Result<(), Halt> {
    let started = Instant::now();
    let mut manner = Manner::Together;
    let before = (step.position.clone(), step.done, step.total);
    loop {
        let outcome = transaction(|| {
            if !run.hold_getting_on() {
                return false;
            }
            let setup = setup::current();
            let tally = work(step, &setup, setup.source(&run.issuer), manner);
            step.save(&tally);
            true
        });
        match outcome {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(Halt::NotOurs),
            Err(error) if manner == Manner::Together && can_be_tried_again(&error) => {
                (step.position, step.done, step.total) = before.clone();
                if is_passing(&error) && started.elapsed() < PATIENCE {
                    cancellable(|| nap(PAUSE))?;
                } else {
                    manner = Manner::Apart;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Runs something short in a transaction that holds the run.
pub fn holding<R>(run: &Run, work: impl FnOnce(&Setup, &Source) -> R) -> Result<R, Halt> {
    let outcome = transaction(|| {
        run.hold().then(|| {
            let setup = setup::current();
            let source = setup.source(&run.issuer);
            work(&setup, source)
        })
    });
    outcome?.ok_or(Halt::NotOurs)
}

fn can_be_tried_again(error: &SqlError) -> bool {
    error.sqlstate != PgSqlErrorCode::ERRCODE_QUERY_CANCELED
}

/// Locks of others, deadlocks, and resources that ran out for now.
fn is_passing(error: &SqlError) -> bool {
    matches!(
        error.sqlstate,
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
            | PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED
            | PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE
            | PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY
            | PgSqlErrorCode::ERRCODE_DISK_FULL
            | PgSqlErrorCode::ERRCODE_INSUFFICIENT_RESOURCES
    )
}

impl<'s> Origin<'s> {
    /// What came at that time of Clerk's.
    pub fn at(observed_at: i64, setup: &'s Setup, source: &'s Source) -> Self {
        Self {
            setup,
            source,
            observed_at,
        }
    }
}
