//! The worker that calls event handlers.
//!
//! A delivery that queues a call starts it once its transaction has committed, so that it finds the call; `maintain` starts
//! it for whatever is due. One works at a time in a database, and stays a moment for what comes next.

use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::exchange::{Exchange, SHORT};
use super::failure::Failure;
use super::give_way::give_way;
use super::one_shot::{self, Unattended, nap};
use super::session;
use super::task::Task;
use super::work_lock::WorkLock;
use crate::error::Fault;
use crate::mirror::handlers::{self, Outcome};
use crate::pg::at_commit::at_commit;
use crate::pg::backend_local::BackendLocal;

const TASK: Task = Task {
    function: c"clerk_run_handlers_worker",
    name: c"clerk_sync: run handlers",
    purpose: "call event handlers",
};

/// How long the worker stays when there is nothing left to do, so that a stream of deliveries does not start one each.
const LINGER: Duration = Duration::from_secs(1);
/// How often it looks meanwhile.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a worker may take to begin.
const STARTING: Duration = Duration::from_millis(100);
/// How long `maintain` waits.
const WAIT: Duration = Duration::from_secs(20);

/// Held by the worker that is working. 67 is the class of `key_store`.
fn lock() -> WorkLock {
    WorkLock::new(68)
}

/// How the calls of one round went.
#[derive(Default, Serialize, Deserialize)]
pub struct Round {
    succeeded: u64,
    failed: u64,
    quarantined: u64,
}

impl Round {
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Succeeded => self.succeeded += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Quarantined => self.quarantined += 1,
        }
    }
}

/// Sees to it that a worker finds what the running transaction queues, as soon as it has committed. If none can be had then,
/// the next delivery or `maintain` starts one.
pub fn start_at_commit() {
    // An owner who may not log in cannot have a worker; `maintain` says so.
    let Ok(worker) = Unattended::prepare(&TASK, ()) else {
        return;
    };
    at_commit(worker.key(), move || {
        // Who has the lock looks once more after giving it back, so it finds what could be seen before.
        if !lock().is_taken() && !started_just_now() {
            worker.start();
        }
    });
}

/// Whether this backend has started a worker that may not have got to the lock yet. If it never will, because it cannot even
/// connect, a stream of deliveries must not start one each.
fn started_just_now() -> bool {
    static LAST_START: BackendLocal<Option<Instant>> = BackendLocal::new(None);
    LAST_START.with(|last| {
        let is_recent = last.is_some_and(|at| at.elapsed() < STARTING);
        if !is_recent {
            *last = Some(Instant::now());
        }
        is_recent
    })
}

/// Has a worker make the calls that are due. None if it has not ended in time.
pub fn run_now() -> Result<Option<Round>, Fault> {
    let worker = one_shot::start(&TASK, (), &(), SHORT);
    match worker.and_then(|worker| worker.answer(WAIT)) {
        Ok(round) => Ok(Some(round)),
        Err(Failure::NoAnswer(_)) => Ok(None),
        Err(failure) => Err(failure.fault(&TASK)),
    }
}

/// Has a worker make the calls that are due, unless one is at it.
pub fn start_now() -> Result<(), Fault> {
    let is_at_work = lock().is_taken() || Unattended::prepare(&TASK, ())?.start();
    is_at_work
        .then_some(())
        .ok_or_else(|| Failure::NoSlot.fault(&TASK))
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_run_handlers_worker(_argument: pg_sys::Datum) {
    let Some(begun) = session::begin::<()>() else {
        return;
    };
    match begun.exchange {
        None => {
            if lock().try_acquire() {
                work(LINGER);
            }
        }
        Some(exchange) => answer(exchange),
    }
}

/// For somebody who waits: everything due, and no lingering.
fn answer(exchange: &Exchange) {
    let started = Instant::now();
    while !lock().try_acquire() {
        if started.elapsed() >= WAIT {
            return;
        }
        nap(PAUSE);
        give_way();
    }
    exchange.reply(&work(Duration::ZERO));
}

/// Makes the calls that are due, and those that become due while it lingers. Begins with the lock held.
fn work(linger: Duration) -> Round {
    let lock = lock();
    let mut round = Round::default();
    loop {
        drain(linger, &mut round);
        lock.release();
        // A delivery may have seen the lock and relied on us.
        if !BackgroundWorker::transaction(handlers::any_due) || !lock.try_acquire() {
            return round;
        }
    }
}

fn drain(linger: Duration, round: &mut Round) {
    let mut idle_since: Option<Instant> = None;
    let mut has_worked = false;
    loop {
        give_way();
        if let Some(outcome) = BackgroundWorker::transaction(handlers::run_next) {
            round.count(outcome);
            (idle_since, has_worked) = (None, true);
            continue;
        }
        let idle = idle_since.get_or_insert_with(Instant::now).elapsed();
        if !has_worked || idle >= linger {
            return;
        }
        nap(PAUSE);
    }
}
