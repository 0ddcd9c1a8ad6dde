//! The worker that calls event handlers.
//!
//! A delivery that queues a call starts it once its transaction has committed, so that it finds the call; `maintain` starts
//! it for whatever is due. One works at a time in a database, and stays a moment for what comes next.

use std::ffi::{CStr, c_void};
use std::sync::Once;
use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::exchange::Exchange;
use super::give_way::give_way;
use super::one_shot::{self, nap};
use super::work_lock::WorkLock;
use crate::error::Fault;
use crate::mirror::handlers::{self, Outcome};
use crate::pg::backend_local::BackendLocal;

const FUNCTION: &CStr = c"clerk_run_handlers_worker";
const NAME: &CStr = c"clerk_sync: run handlers";

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

/// What the worker is told.
#[derive(Serialize, Deserialize)]
struct Order {
    database: u32,
    owner: u32,
    /// Where in shared memory somebody waits for the outcome.
    answer: Option<u32>,
}

fn argument(answer: Option<u32>) -> Result<String, Fault> {
    // SAFETY: MyDatabaseId is set in every backend that runs SQL.
    let database = unsafe { pg_sys::MyDatabaseId };
    let order = Order {
        database: database.to_u32(),
        owner: one_shot::owner()?.to_u32(),
        answer,
    };
    serde_json::to_string(&order).map_err(|error| Fault::prerequisite(error.to_string(), ""))
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

/// The argument of the worker that is to be started when the running transaction commits.
static AT_COMMIT: BackendLocal<Option<String>> = BackendLocal::new(None);

/// Sees to it that a worker finds what the running transaction queues, as soon as it has committed. If none can be had then,
/// the next delivery or `maintain` starts one.
pub fn start_at_commit() {
    static REGISTERED: Once = Once::new();
    // SAFETY: the callback is static.
    REGISTERED
        .call_once(|| unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) });
    if AT_COMMIT.with(|argument| argument.is_none()) {
        // An owner who may not log in cannot have a worker; `maintain` says so.
        let prepared = argument(None).ok();
        AT_COMMIT.with(|argument| *argument = prepared);
    }
}

/// Nothing here may fail: the transaction has been committed. Its rows can be seen already.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let argument = AT_COMMIT.with(Option::take);
    if let Some(argument) = argument.filter(|_| event == XACT_EVENT_COMMIT) {
        // Who has the lock looks once more after giving it back, so it finds what could be seen before.
        if !lock().is_taken() && !started_just_now() {
            one_shot::start_unattended(FUNCTION, NAME, &argument);
        }
    }
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
    let exchange = Exchange::ask(&()).ok_or_else(no_answer)?;
    let argument = argument(Some(exchange.handle()))?;
    let worker = one_shot::start(FUNCTION, NAME, &argument).ok_or_else(no_free_slot)?;
    let has_ended = worker.wait(WAIT);
    match exchange.answer::<Round>() {
        Some(round) => Ok(Some(round)),
        None if has_ended => Err(no_answer()),
        None => Ok(None),
    }
}

/// Has a worker make the calls that are due, unless one is at it.
pub fn start_now() -> Result<(), Fault> {
    let is_at_work = lock().is_taken() || one_shot::start_unattended(FUNCTION, NAME, &argument(None)?);
    is_at_work.then_some(()).ok_or_else(no_free_slot)
}

fn no_free_slot() -> Fault {
    Fault::new(
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "no background worker is free to call event handlers",
        "Raise max_worker_processes and restart the server, or try again when other workers have ended.",
    )
}

fn no_answer() -> Fault {
    Fault::prerequisite(
        "the background worker that calls event handlers ended without an answer",
        "The server log says why; a common cause is that no more connections are allowed.",
    )
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_run_handlers_worker(_argument: pg_sys::Datum) {
    let Ok(order) = serde_json::from_str::<Order>(&one_shot::argument()) else {
        return Fault::argument("clerk_run_handlers_worker was started without an order", "").warn();
    };
    one_shot::connect(order.database.into(), order.owner.into());
    match order.answer {
        None => {
            if lock().try_acquire() {
                work(LINGER);
            }
        }
        Some(handle) => answer(handle),
    }
}

/// For somebody who waits: everything due, and no lingering.
fn answer(handle: u32) {
    let started = Instant::now();
    // The one who asked may have been cancelled.
    let Some(exchange) = Exchange::open(handle) else {
        return;
    };
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
