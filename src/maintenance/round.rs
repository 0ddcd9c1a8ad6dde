//! A round: one part after the other, each on its own, so that one that fails does not stop the others.
//!
//! In a worker of the launcher, what is about keys comes first and depends on nothing else: neither on the record of rounds nor on
//! whether another round is at work on the mirror.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::parts::{About, PARTS, Part};
use super::record::{self, Round};
use crate::call::Call;
use crate::error::Fault;
use crate::pg::writable::require_writable;
use crate::subtransaction::{SqlError, attempt, survive};
use crate::workers::give_way::{give_way, leave};
use crate::workers::session::show_activity;
use crate::workers::wake::wake_in;
use crate::workers::work_lock::WorkLock;
use crate::{c_function, catalog, json};

c_function!(clerk_maintain, maintain);

/// Held while a round is at that. 67 to 70 are those of fetching keys, calling handlers and runs.
fn lock(about: About) -> WorkLock {
    WorkLock::new(match about {
        About::Mirror => 71,
        About::Keys => 72,
    })
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
    require_writable(c"maintain()");
    // What this round does is seen by another only at the end of the transaction, so it must not begin before.
    let report = if [About::Keys, About::Mirror]
        .map(lock)
        .iter()
        .all(WorkLock::try_acquire_for_transaction)
    {
        let round = Round::begin(Caller::Sql);
        let mut report = Report::default();
        report.run(Caller::Sql, |_| true);
        round.end(&report.parts(), &report.errors);
        report.parts()
    } else {
        json!({ "skipped": "another round is running" })
    };
    Some(json::to_datum(&json::to_jsonb(&report.to_string())))
}

/// What the launcher's worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    All,
    /// Only what is about keys, while the rest is at work or fails.
    Keys,
}

/// How far the launcher's worker came with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Progress {
    #[default]
    Open,
    /// Or somebody else is at it.
    Done,
    /// Every part of it failed.
    Failed,
}

/// What the launcher's worker tells it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Outcome {
    pub keys: Progress,
    pub mirror: Progress,
}

/// A round in the worker that the launcher started, which is in no transaction. Tells after each half how far it came.
pub fn run_in_worker(scope: Scope, tell: impl Fn(&Outcome)) {
    let (mut outcome, mut report) = (Outcome::default(), Report::default());
    outcome.keys = alone(About::Keys, || {
        report.run(Caller::Launcher, |part| part.about == About::Keys)
    });
    tell(&outcome);
    if scope == Scope::Keys {
        return;
    }
    outcome.mirror = alone(About::Mirror, || {
        let round = Caller::Launcher.batch(|| Round::begin(Caller::Launcher));
        let progress = report.run(Caller::Launcher, |part| part.about == About::Mirror);
        Caller::Launcher.batch(|| round.end(&report.parts(), &report.errors));
        if let Some(due) = Caller::Launcher.batch(record::next_due) {
            wake_in(due.max(LEAST_REST));
        }
        progress
    });
    tell(&outcome);
}

/// Does it unless another round is at it.
fn alone(about: About, work: impl FnOnce() -> Progress) -> Progress {
    let lock = lock(about);
    if !lock.try_acquire() {
        return Progress::Done;
    }
    let progress = work();
    lock.release();
    progress
}

/// What is due again earlier than this waits for it: it may be due because somebody else is busy with it.
const LEAST_REST: Duration = Duration::from_secs(5);

/// What parts came to.
#[derive(Default)]
struct Report {
    parts: Map<String, Value>,
    errors: Vec<String>,
}

impl Report {
    /// Runs those of the parts that are `wanted`.
    fn run(&mut self, caller: Caller, wanted: impl Fn(&Part) -> bool) -> Progress {
        let (mut has_done, mut has_failed) = (false, false);
        for part in PARTS.iter().filter(|part| wanted(part)) {
            if caller == Caller::Launcher {
                show_activity(Some(&format!("maintain: {}", part.name)));
            }
            let done = match caller.attempt(|| (part.run)(caller)) {
                Ok(done) => {
                    has_done = true;
                    done
                }
                Err(error) => {
                    has_failed = true;
                    self.errors.push(format!("{}: {error}", part.name));
                    json!({ "error": warn(part.name, error) })
                }
            };
            self.parts.insert(part.name.to_owned(), done);
        }
        if has_failed && !has_done {
            Progress::Failed
        } else {
            Progress::Done
        }
    }

    fn parts(&self) -> Value {
        Value::Object(self.parts.clone())
    }
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
