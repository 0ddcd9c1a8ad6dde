//! The worker that works off runs of one instance, one after the other.
//!
//! Whoever asks for a run starts it once the transaction has committed, so that it finds the run; `maintain` starts it for what
//! was interrupted or put off. For each instance and lane one works at a time.

use std::collections::HashSet;
use std::ffi::{CStr, c_void};
use std::sync::Once;
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::give_way::give_way;
use super::one_shot::{self, nap};
use super::work_lock::WorkLock;
use super::{cancellable, transaction};
use crate::error::Fault;
use crate::operations::key_store::issuer_hash;
use crate::pg::backend_local::BackendLocal;
use crate::subtransaction::SqlError;
use crate::sync::{self, Lane};

const FUNCTION: &CStr = c"clerk_run_syncs_worker";
const NAME: &CStr = c"clerk_sync: sync runs";

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

/// What the worker is told.
#[derive(Serialize, Deserialize)]
struct Order {
    database: u32,
    owner: u32,
    issuer_hash: i64,
    lane: Lane,
}

/// Something for the end of the transaction, with all that can fail done already.
#[derive(Clone, PartialEq, Eq, Hash)]
enum AtCommit {
    Start {
        issuer_hash: i64,
        is_subjects: bool,
        argument: String,
    },
    Cancel(i32),
}

static AT_COMMIT: BackendLocal<Vec<AtCommit>> = BackendLocal::new(Vec::new());

fn argument(issuer: &str, lane: Lane) -> Option<String> {
    // SAFETY: MyDatabaseId is set in every backend that runs SQL.
    let database = unsafe { pg_sys::MyDatabaseId };
    let order = Order {
        database: database.to_u32(),
        owner: one_shot::owner().ok()?.to_u32(),
        issuer_hash: issuer_hash(issuer),
        lane,
    };
    serde_json::to_string(&order).ok()
}

/// Sees to it that a worker takes the instance's runs as soon as the running transaction has committed. If none can be had then,
/// `maintain` or `follow_run` starts one.
pub fn start_at_commit(issuer: &str, lane: Lane) {
    if let Some(argument) = argument(issuer, lane) {
        at_commit(AtCommit::Start {
            issuer_hash: issuer_hash(issuer),
            is_subjects: lane == Lane::Subjects,
            argument,
        });
    }
}

/// Interrupts the worker with that process once the running transaction has committed.
pub fn cancel_at_commit(pid: i32) {
    at_commit(AtCommit::Cancel(pid));
}

fn at_commit(what: AtCommit) {
    static REGISTERED: Once = Once::new();
    // SAFETY: the callback is static.
    REGISTERED
        .call_once(|| unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) });
    AT_COMMIT.with(|list| {
        if !list.contains(&what) {
            list.push(what);
        }
    });
}

/// Nothing here may fail: the transaction has been committed. Its rows can be seen already.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let list = AT_COMMIT.with(std::mem::take);
    if event != XACT_EVENT_COMMIT {
        return;
    }
    for what in list {
        match what {
            AtCommit::Start {
                issuer_hash,
                is_subjects,
                argument,
            } => {
                let lane = if is_subjects { Lane::Subjects } else { Lane::Walks };
                // Who has the lock looks once more after giving it back, so it finds what could be seen before.
                if !lock(issuer_hash, lane).is_taken() {
                    one_shot::start_unattended(FUNCTION, NAME, &argument);
                }
            }
            // SAFETY: sends a signal, to a process that was one of our workers a moment ago.
            AtCommit::Cancel(pid) => unsafe {
                libc::kill(pid, libc::SIGINT);
            },
        }
    }
}

/// Whether a worker has the instance's runs, or may be about to take them: one was started unless that is so. False if every slot
/// is taken.
pub fn start_now(issuer: &str, lane: Lane) -> bool {
    // A worker of a standby would wait until that is none any more.
    // SAFETY: reads state.
    if unsafe { pg_sys::RecoveryInProgress() } || lock(issuer_hash(issuer), lane).is_taken() {
        return true;
    }
    argument(issuer, lane).is_some_and(|argument| one_shot::start(FUNCTION, NAME, &argument).is_some())
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_run_syncs_worker(_argument: pg_sys::Datum) {
    let Ok(order) = serde_json::from_str::<Order>(&one_shot::argument()) else {
        return Fault::argument("clerk_run_syncs_worker was started without an order", "").warn();
    };
    one_shot::connect(order.database.into(), order.owner.into());
    let lock = lock(order.issuer_hash, order.lane);
    while lock.try_acquire() {
        let outcome = work(&order);
        lock.release();
        match outcome {
            // Somebody may have seen the lock and relied on us.
            Ok(issuer) if is_more_due(issuer.as_deref(), order.lane) => {}
            Ok(_) => return,
            Err(error) => return warn(&error),
        }
    }
}

fn is_more_due(issuer: Option<&str>, lane: Lane) -> bool {
    issuer.is_some_and(|issuer| transaction(|| sync::any_due(issuer, lane)).unwrap_or(false))
}

/// Works off what is due, and what will be soon. With the lock held. Gives the instance, if it is still configured.
fn work(order: &Order) -> Result<Option<String>, SqlError> {
    let mut tried = HashSet::new();
    loop {
        // By its hash each time: it may have been renamed meanwhile, and then another worker has it.
        let Some(issuer) = transaction(|| sync::issuer_with_hash(order.issuer_hash))? else {
            return Ok(None);
        };
        match transaction(|| sync::take_next(&issuer, order.lane))? {
            Some(run) => {
                tried.insert(run.id);
                sync::perform(&run);
            }
            None => {
                let due_in = transaction(|| sync::next_due_in(&issuer, order.lane))?;
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
