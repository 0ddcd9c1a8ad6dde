//! A round: one part after the other, each on its own, so that one that fails does not stop the others.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde_json::{Map, Value, json};

use super::parts::PARTS;
use super::record::{self, Round};
use crate::call::Call;
use crate::error::Fault;
use crate::subtransaction::{SqlError, attempt, survive};
use crate::workers::give_way::{give_way, leave};
use crate::workers::one_shot::show_activity;
use crate::workers::wake::wake_in;
use crate::workers::work_lock::WorkLock;
use crate::{c_function, catalog, json};

c_function!(clerk_maintain, maintain);

/// Held during a round. 67 to 70 are those of fetching keys, calling handlers and runs.
fn lock() -> WorkLock {
    WorkLock::new(71)
}

/// Who has a round done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The launcher, in a worker.
    Launcher,
    /// Whoever calls `clerk.maintain()`.
    Sql,
}

impl Caller {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launcher => "launcher",
            Self::Sql => "sql",
        }
    }

    /// Does something short: in a worker in a transaction of its own, so that it holds no lock longer than it takes itself.
    pub fn batch<R>(self, work: impl FnOnce() -> R) -> R {
        if self == Self::Sql {
            return work();
        }
        give_way();
        BackgroundWorker::transaction(AssertUnwindSafe(|| {
            // Dropped since the last one; then nothing is left to maintain.
            if catalog::extension_owner().is_none() {
                leave();
            }
            work()
        }))
    }

    fn attempt<R>(self, part: impl FnOnce() -> R) -> Result<R, SqlError> {
        match self {
            Self::Launcher => survive(part),
            Self::Sql => attempt(part),
        }
    }
}

/// `maintain()`.
fn maintain(_call: &Call) -> Option<pg_sys::Datum> {
    // SAFETY: raises, or does nothing.
    unsafe { pg_sys::PreventCommandIfReadOnly(c"maintain()".as_ptr()) };
    // What this round does is seen by another only at the end of the transaction, so it must not begin before.
    let report = if lock().try_acquire_for_transaction() {
        run(Caller::Sql)
    } else {
        json!({ "skipped": "another round is running" })
    };
    Some(json::to_datum(&json::to_jsonb(&report.to_string())))
}

/// A round in the worker that the launcher started, which is in no transaction.
pub fn run_in_worker() {
    if !lock().try_acquire() {
        return;
    }
    run(Caller::Launcher);
    if let Some(due) = Caller::Launcher.batch(record::next_due) {
        wake_in(due.max(LEAST_REST));
    }
}

/// What is due again earlier than this waits for it: it may be due because somebody else is busy with it.
const LEAST_REST: Duration = Duration::from_secs(5);

fn run(caller: Caller) -> Value {
    let round = caller.batch(|| Round::begin(caller));
    let mut report = Map::new();
    let mut errors = Vec::new();
    for (name, part) in PARTS {
        if caller == Caller::Launcher {
            show_activity(Some(&format!("maintain: {name}")));
        }
        let done = caller.attempt(|| part(caller)).unwrap_or_else(|error| {
            errors.push(format!("{name}: {error}"));
            json!({ "error": warn(name, error) })
        });
        report.insert((*name).to_owned(), done);
    }
    let report = Value::Object(report);
    caller.batch(|| round.end(&report, &errors));
    report
}

fn warn(part: &str, error: SqlError) -> String {
    let text = error.to_string();
    Fault::new(
        error.sqlstate,
        format!(
            "clerk.maintain() could not do this part: {part}: {}",
            error.message
        ),
        format!(
            "{} The other parts are done; the next round tries again.",
            error.hint.as_deref().unwrap_or("Mend the cause.")
        ),
    )
    .warn();
    text
}
