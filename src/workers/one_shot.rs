//! Starts a background worker that does one thing and ends, and waits for it. Needs no preloading.

use std::ffi::{CStr, c_char};
use std::time::{Duration, Instant};

use pgrx::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exchange::Exchange;
use super::failure::Failure;
use super::task::{Order, Task};
use crate::catalog;
use crate::error::Fault;

/// A worker that was started, and that somebody may wait for.
pub struct OneShot {
    handle: *mut pg_sys::BackgroundWorkerHandle,
    exchange: Exchange,
    ends_on_drop: bool,
}

/// Starts a worker in the running session's database, as the owner of the extension, with a question that has `room` bytes for its
/// answer.
pub fn start<T, Q>(task: &Task, what: T, question: &Q, room: usize) -> Result<OneShot, Failure>
where
    T: Serialize + DeserializeOwned,
    Q: Serialize,
{
    start_as(task, &Order::new(database(), owner()?, what), question, room)
}

/// As [`start`], for the order of the caller's choice.
pub fn start_as<T, Q>(task: &Task, order: &Order<T>, question: &Q, room: usize) -> Result<OneShot, Failure>
where
    T: Serialize + DeserializeOwned,
    Q: Serialize,
{
    let exchange = Exchange::ask(question, room).ok_or_else(|| {
        Fault::argument(
            "the question to a background worker is too long",
            "Pass shorter arguments.",
        )
    })?;
    let mut worker = describe(task, c"clerk_sync worker");
    fill(&mut worker.bgw_extra, to_json(order).as_bytes());
    worker.bgw_main_arg = pg_sys::Datum::from(exchange.handle());
    // So that the postmaster wakes us when the worker ends.
    // SAFETY: reads a variable of the process.
    worker.bgw_notify_pid = unsafe { pg_sys::MyProcPid };
    let mut handle = std::ptr::null_mut();
    // SAFETY: the description is copied; the handle is allocated in the current memory context, which outlives the OneShot.
    let is_registered = unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle) };
    if !is_registered {
        return Err(Failure::NoSlot);
    }
    Ok(OneShot {
        handle,
        exchange,
        ends_on_drop: false,
    })
}

/// A worker for nobody to wait for, with all that may fail done already.
#[derive(Clone)]
pub struct Unattended {
    task: &'static Task,
    order: String,
}

impl Unattended {
    /// In the running session's database, as the owner of the extension.
    pub fn prepare<T: Serialize + DeserializeOwned>(task: &'static Task, what: T) -> Result<Self, Fault> {
        let order = Order::new(database(), owner()?, what);
        Ok(Self {
            task,
            order: to_json(&order),
        })
    }

    /// What tells it from others.
    pub fn key(&self) -> String {
        format!("{} {}", self.task.purpose, self.order)
    }

    /// Starts it; false if every slot is taken. Allocates nothing in Postgres' memory and raises nothing.
    pub fn start(&self) -> bool {
        let mut worker = describe(self.task, c"clerk_sync worker");
        fill(&mut worker.bgw_extra, self.order.as_bytes());
        // SAFETY: the description is copied, and no handle is asked for.
        unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, std::ptr::null_mut()) }
    }
}

fn to_json<T: Serialize + DeserializeOwned>(order: &Order<T>) -> String {
    serde_json::to_string(order).expect("orders are numbers and names")
}

fn database() -> pg_sys::Oid {
    // SAFETY: set in every backend that runs SQL.
    unsafe { pg_sys::MyDatabaseId }
}

/// A worker that uses databases, is never started before recovery has ended, and ends for good when it ends. `kind` is its
/// `backend_type` in `pg_stat_activity`.
pub fn describe(task: &Task, kind: &CStr) -> pg_sys::BackgroundWorker {
    // SAFETY: an all-zero BackgroundWorker is a valid empty one; its arrays are filled below with room for the final zero.
    let mut worker: pg_sys::BackgroundWorker = unsafe { std::mem::zeroed() };
    fill(&mut worker.bgw_name, task.name.to_bytes());
    fill(&mut worker.bgw_type, kind.to_bytes());
    fill(&mut worker.bgw_library_name, c"clerk_sync".to_bytes());
    fill(&mut worker.bgw_function_name, task.function.to_bytes());
    worker.bgw_flags = (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION) as i32;
    worker.bgw_start_time = pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = pg_sys::BGW_NEVER_RESTART;
    worker
}

fn fill<const N: usize>(target: &mut [c_char; N], text: &[u8]) {
    assert!(text.len() < N, "text for a background worker is too long");
    for (to, from) in target.iter_mut().zip(text) {
        *to = *from as c_char;
    }
}

impl OneShot {
    /// The same worker, which is told to end when the caller stops waiting: nobody else wants what it does.
    pub fn for_us_alone(mut self) -> Self {
        self.ends_on_drop = true;
        self
    }

    /// Waits until the worker has ended. False if it has not within `limit`. Cancellable at once.
    pub fn wait(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() >= deadline {
                return false;
            }
            nap(Duration::from_millis(100));
        }
        true
    }

    /// Waits until the worker has begun, at most that long.
    pub fn wait_until_begun(&self, limit: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        loop {
            // In this order: it may begin and end in between.
            let is_running = self.is_running();
            if self.exchange.has_begun() {
                return Ok(());
            }
            if !is_running || Instant::now() >= deadline {
                return Err(self.failure().unwrap_or(Failure::NotBegun(limit)));
            }
            nap(Duration::from_millis(10));
        }
    }

    /// Waits for the answer, at most that long for the worker to end.
    pub fn answer<A: DeserializeOwned>(&self, limit: Duration) -> Result<A, Failure> {
        self.wait(limit);
        match self.exchange.answer() {
            Some(answer) => Ok(answer),
            None => Err(self.failure().unwrap_or(match self.exchange.has_begun() {
                true if self.is_running() => Failure::NoAnswer(limit),
                true => Failure::Ended,
                false => Failure::NotBegun(limit),
            })),
        }
    }

    /// Why the worker has failed, if it is known to have: it ended before it had begun, or with an error.
    pub fn failure(&self) -> Option<Failure> {
        if self.is_running() {
            return None;
        }
        match (self.exchange.has_begun(), self.exchange.error()) {
            (false, None) => Some(Failure::NotLoaded),
            (false, Some(error)) => Some(Failure::NotConnected(error)),
            (true, Some(error)) => Some(Failure::Broken(error)),
            (true, None) => None,
        }
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        let mut pid = 0;
        // SAFETY: the handle came from RegisterDynamicBackgroundWorker.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(self.handle, &mut pid) };
        status == pg_sys::BgwHandleStatus::BGWH_STARTED
            || status == pg_sys::BgwHandleStatus::BGWH_NOT_YET_STARTED
    }

    /// Asks the worker to end.
    pub fn terminate(&self) {
        // SAFETY: the handle came from RegisterDynamicBackgroundWorker.
        unsafe { pg_sys::TerminateBackgroundWorker(self.handle) };
    }
}

impl Drop for OneShot {
    fn drop(&mut self) {
        if self.ends_on_drop {
            self.terminate();
        }
        // SAFETY: the handle came from RegisterDynamicBackgroundWorker, nothing else points to it, and its memory context has not
        // ended: a OneShot lives no longer than the call that started the worker, or in the launcher, where the context is the
        // process'.
        unsafe { pg_sys::pfree(self.handle.cast()) };
    }
}

/// Sleeps for `time` or until the process is woken; raises if the statement was cancelled meanwhile.
pub fn nap(time: Duration) {
    // SAFETY: MyLatch is this process' latch, and WL_EXIT_ON_PM_DEATH takes care of a dead postmaster.
    unsafe {
        let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
        let wait_event = pg_sys::PG_WAIT_EXTENSION;
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as i32,
            time.as_millis() as i64,
            wait_event,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pgrx::check_for_interrupts!();
}

/// As [`nap`], but for the whole time.
pub fn pause(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        nap(left.max(Duration::from_millis(1)));
    }
}

/// The role that workers run as: the owner of the extension's tables.
pub fn owner() -> Result<pg_sys::Oid, Fault> {
    let owner = catalog::table_owner(c"instances");
    check_owner(owner)?;
    Ok(owner)
}

/// Before PostgreSQL 17 a worker cannot connect as a role that may not log in; that is a fault.
pub fn check_owner(owner: pg_sys::Oid) -> Result<(), Fault> {
    #[cfg(any(feature = "pg15", feature = "pg16"))]
    if !catalog::role_can_login(owner) {
        return Err(Fault::prerequisite(
            "the owner of extension clerk_sync may not log in, so its background workers cannot start",
            "Run ALTER ROLE … LOGIN for the owner of schema clerk (it needs no password), or use PostgreSQL 17 or later.",
        ));
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    let _ = owner;
    Ok(())
}
