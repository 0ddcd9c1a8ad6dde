//! The worker that works off runs of one instance, one after the other.
//!
//! Whoever asks for a run starts it once the transaction has committed, so that it finds the run; `maintain` starts it for what
//! was interrupted or put off. For each instance and lane one works at a time.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::exchange::SHORT;
use super::failure::Failure;
use super::give_way::give_way;
use super::one_shot::{self, OneShot, Unattended, nap};
use super::session;
use super::task::Task;
use super::work_lock::WorkLock;
use super::{cancellable, transaction};
use crate::error::Fault;
use crate::operations::key_store::issuer_hash;
use crate::pg::at_commit::at_commit;
use crate::subtransaction::SqlError;
use crate::sync::{self, Lane};

pub const TASK: Task = Task {
    function: c"clerk_run_syncs_worker",
    name: c"clerk_sync: sync runs",
    purpose: "work off runs",
};

/// A run that was put off for no longer than this is waited for; for longer, `maintain` starts it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest time between two looks at whether somebody wants the database alone.
const SLICE: Duration = Duration::from_millis(200);

/// 67 is the class of `key_store`, 68 that of `run_handlers`, 71 that of rounds of maintenance.
fn lock(issuer_hash: i64, lane: Lane) -> WorkLock {
    let class = match lane {
        Lane::Walks => 69,
        Lane::Subjects => 70,
    };
    WorkLock::of(class, issuer_hash)
}

/// Whose runs a worker works off.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Work {
    issuer_hash: i64,
    lane: Lane,
}

impl Work {
    fn of(issuer: &str, lane: Lane) -> Self {
        Self {
            issuer_hash: issuer_hash(issuer),
            lane,
        }
    }

    fn lock(self) -> WorkLock {
        lock(self.issuer_hash, self.lane)
    }
}

/// Sees to it that a worker takes the instance's runs as soon as the running transaction has committed. If none can be had then,
/// `maintain` or `follow_run` starts one.
pub fn start_at_commit(issuer: &str, lane: Lane) {
    let work = Work::of(issuer, lane);
    // An owner who may not log in cannot have a worker; whoever asks for a run is told so.
    let Ok(worker) = Unattended::prepare(&TASK, work) else {
        return;
    };
    at_commit(worker.key(), move || {
        // Who has the lock looks once more after giving it back, so it finds what could be seen before.
        if !work.lock().is_taken() {
            worker.start();
        }
    });
}

/// Interrupts the worker with that process once the running transaction has committed.
pub fn cancel_at_commit(pid: i32) {
    at_commit(format!("cancel {pid}"), move || {
        // SAFETY: sends a signal, to a process that was one of our workers a moment ago.
        unsafe { libc::kill(pid, libc::SIGINT) };
    });
}

/// Starts a worker that takes the instance's runs, unless one has them.
pub fn start_now(issuer: &str, lane: Lane) -> Result<Option<OneShot>, Failure> {
    let work = Work::of(issuer, lane);
    // A worker of a standby would wait until that is none any more.
    // SAFETY: reads state.
    if unsafe { pg_sys::RecoveryInProgress() } || work.lock().is_taken() {
        return Ok(None);
    }
    one_shot::start(&TASK, work, &(), SHORT).map(Some)
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_run_syncs_worker(_argument: pg_sys::Datum) {
    let Some(begun) = session::begin::<Work>() else {
        return;
    };
    let (what, lock) = (begun.order.what, begun.order.what.lock());
    while lock.try_acquire() {
        let outcome = work(what);
        if let Err(error) = &outcome {
            put_off(what, error);
        }
        lock.release();
        match outcome {
            // Somebody may have seen the lock and relied on us.
            Ok(issuer) if is_more_due(issuer.as_deref(), what.lane) => {}
            Ok(_) => return,
            Err(error) => return warn(&error),
        }
    }
}

/// Notes why the runs could not be taken, and puts them off. If that fails too, the log has to do, and whoever follows a run.
fn put_off(what: Work, error: &SqlError) {
    if error.sqlstate == PgSqlErrorCode::ERRCODE_QUERY_CANCELED {
        return;
    }
    let _ = transaction(|| {
        if let Some(issuer) = sync::issuer_with_hash(what.issuer_hash) {
            sync::put_off_all(&issuer, what.lane, error);
        }
    });
}

fn is_more_due(issuer: Option<&str>, lane: Lane) -> bool {
    issuer.is_some_and(|issuer| transaction(|| sync::any_due(issuer, lane)).unwrap_or(false))
}

/// Works off what is due, and what will be soon. With the lock held. Gives the instance, if it is still configured.
fn work(what: Work) -> Result<Option<String>, SqlError> {
    let mut tried = HashSet::new();
    loop {
        // By its hash each time: it may have been renamed meanwhile, and then another worker has it.
        let Some(issuer) = transaction(|| sync::issuer_with_hash(what.issuer_hash))? else {
            return Ok(None);
        };
        match transaction(|| sync::take_next(&issuer, what.lane))? {
            Some(run) => {
                tried.insert(run.id);
                sync::perform(&run);
            }
            None => {
                let due_in = transaction(|| sync::next_due_in(&issuer, what.lane))?;
                match due_in.filter(|due_in| *due_in <= PATIENCE && !tried.is_empty()) {
                    Some(due_in) => wait(due_in)?,
                    None => return Ok(Some(issuer)),
                }
            }
        }
    }
}

/// Waits, but no longer than a second, so that what is asked for meanwhile is found.
fn wait(due_in: Duration) -> Result<(), SqlError> {
    let until = Instant::now() + due_in.clamp(Duration::from_millis(10), Duration::from_secs(1));
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        cancellable(|| nap(left.clamp(Duration::from_millis(1), SLICE)))?;
        give_way();
    }
    Ok(())
}

fn warn(error: &SqlError) {
    Fault::new(
        error.sqlstate,
        format!("a worker of clerk_sync's runs ended early: {}", error.message),
        "clerk.maintain() starts another one.",
    )
    .warn();
}
