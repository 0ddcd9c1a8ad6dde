//! Starts a background worker that does one thing and ends, and waits for it. Needs no preloading.

use std::ffi::{CStr, CString, c_char};
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use crate::catalog;
use crate::error::Fault;

/// A worker that was started.
pub struct OneShot {
    handle: *mut pg_sys::BackgroundWorkerHandle,
}

/// Starts the C function `function` of this library as a worker with `argument` (at most 127 bytes), shown as `name` in
/// `pg_stat_activity`. None if every slot is taken.
pub fn start(function: &CStr, name: &CStr, argument: &str) -> Option<OneShot> {
    let mut handle = std::ptr::null_mut();
    // SAFETY: the handle is allocated in the current memory context and outlives this call.
    unsafe { register(function, name, argument, &mut handle) }.then_some(OneShot { handle })
}

/// As [`start`], for nobody to wait for; false if every slot is taken. Allocates nothing in Postgres' memory and raises
/// nothing.
pub fn start_unattended(function: &CStr, name: &CStr, argument: &str) -> bool {
    // SAFETY: no handle is asked for.
    unsafe { register(function, name, argument, std::ptr::null_mut()) }
}

unsafe fn register(
    function: &CStr,
    name: &CStr,
    argument: &str,
    handle: *mut *mut pg_sys::BackgroundWorkerHandle,
) -> bool {
    // SAFETY: the caller passes NULL or room for a handle.
    unsafe {
        let mut worker = describe(function, name, c"clerk_sync worker");
        fill(&mut worker.bgw_extra, argument.as_bytes());
        worker.bgw_restart_time = pg_sys::BGW_NEVER_RESTART;
        if !handle.is_null() {
            // So that the postmaster wakes us when the worker ends.
            worker.bgw_notify_pid = pg_sys::MyProcPid;
        }
        pg_sys::RegisterDynamicBackgroundWorker(&mut worker, handle)
    }
}

/// A worker that runs the C function `function` of this library and uses databases; never before recovery has ended. `kind` is
/// its `backend_type` in `pg_stat_activity`.
pub fn describe(function: &CStr, name: &CStr, kind: &CStr) -> pg_sys::BackgroundWorker {
    // SAFETY: an all-zero BackgroundWorker is a valid empty one; its arrays are filled below with room for the final zero.
    let mut worker: pg_sys::BackgroundWorker = unsafe { std::mem::zeroed() };
    fill(&mut worker.bgw_name, name.to_bytes());
    fill(&mut worker.bgw_type, kind.to_bytes());
    fill(&mut worker.bgw_library_name, c"clerk_sync".to_bytes());
    fill(&mut worker.bgw_function_name, function.to_bytes());
    worker.bgw_flags = (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION) as i32;
    worker.bgw_start_time = pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished;
    worker
}

fn fill<const N: usize>(target: &mut [c_char; N], text: &[u8]) {
    assert!(text.len() < N, "text for a background worker is too long");
    for (to, from) in target.iter_mut().zip(text) {
        *to = *from as c_char;
    }
}

impl OneShot {
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

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        let mut pid = 0;
        // SAFETY: the handle came from RegisterDynamicBackgroundWorker.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(self.handle, &mut pid) };
        status == pg_sys::BgwHandleStatus::BGWH_STARTED
            || status == pg_sys::BgwHandleStatus::BGWH_NOT_YET_STARTED
    }

    /// Frees what is kept about a worker. Elsewhere the end of the statement does; who starts workers for ever must.
    pub fn forget(self) {
        // SAFETY: the handle came from RegisterDynamicBackgroundWorker, and nothing else points to it.
        unsafe { pg_sys::pfree(self.handle.cast()) };
    }

    /// Asks the worker to end.
    pub fn terminate(&self) {
        // SAFETY: the handle came from RegisterDynamicBackgroundWorker.
        unsafe { pg_sys::TerminateBackgroundWorker(self.handle) };
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

/// Makes the worker that is running a session of the extension's owner in `database`, with a pinned `search_path`
/// and bounded waits for locks, ending promptly on SIGTERM.
pub fn connect(database: pg_sys::Oid, owner: pg_sys::Oid) {
    accept_signals();
    // SAFETY: called once, at the start of the worker, on its main thread.
    unsafe { pg_sys::BackgroundWorkerInitializeConnectionByOid(database, owner, CONNECTION_FLAGS) };
    show_name();
    set(c"search_path", c"pg_catalog, pg_temp");
    // An administrator's open transaction may hold our rows; the next token starts another worker. And where a worker and DROP
    // EXTENSION, which takes one table after the other, wait for each other, the worker is to be the one that fails: others
    // look for deadlocks after a second.
    set(c"lock_timeout", c"800ms");
    set_as_superuser(c"deadlock_timeout", c"100ms");
    // The worker is there to write, whatever the database's sessions do by default.
    set(c"default_transaction_read_only", c"off");
    set(c"default_transaction_isolation", c"read committed");
    // Meant for sessions in which a person may have forgotten a transaction; a worker that it ends would be ended every time.
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    set(c"transaction_timeout", c"0");
    // Errors are dealt with, and our SQL has backslashes.
    set(c"exit_on_error", c"off");
    set(c"standard_conforming_strings", c"on");
}

/// Lets the worker that is running be told to end, at once, whatever it waits for.
pub fn accept_signals() {
    // SAFETY: called once, at the start of the worker, on its main thread.
    unsafe {
        handle_signal(pg_sys::SIGTERM, die);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// # Safety
/// `handler` must be one of Postgres' own, fit for a signal.
pub unsafe fn handle_signal(signal: u32, handler: unsafe extern "C-unwind" fn(i32)) {
    // SAFETY: by the caller's promise.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal as i32, Some(handler));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal as i32, Some(handler));
    }
}

/// Shows in `pg_stat_activity` what the worker that is running is for.
pub fn show_name() {
    // SAFETY: MyBgworkerEntry is set in every background worker, and its name ends with a zero.
    let name = unsafe { CStr::from_ptr((*pg_sys::MyBgworkerEntry).bgw_name.as_ptr()) };
    set(c"application_name", name);
}

/// Shows in `pg_stat_activity` what the worker that is running is doing, if anything.
pub fn show_activity(activity: Option<&str>) {
    let text = activity.map(|text| CString::new(text).unwrap_or_default());
    let (state, text) = match &text {
        Some(text) => (pg_sys::BackendState::STATE_RUNNING, text.as_ptr()),
        None => (pg_sys::BackendState::STATE_IDLE, std::ptr::null()),
    };
    // SAFETY: the text is copied.
    unsafe { pg_sys::pgstat_report_activity(state, text) };
}

fn set(name: &CStr, value: &CStr) {
    set_in(pg_sys::GucContext::PGC_USERSET, name, value);
}

/// A setting that the worker's role may not change itself.
fn set_as_superuser(name: &CStr, value: &CStr) {
    set_in(pg_sys::GucContext::PGC_SUSET, name, value);
}

fn set_in(context: pg_sys::GucContext::Type, name: &CStr, value: &CStr) {
    // SAFETY: NUL-terminated strings; a setting that may be changed in that context.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            context,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        )
    };
}

unsafe extern "C-unwind" {
    /// Postgres' own handler for SIGTERM. pgrx's binding of it is not fit for a signal handler: it installs a guard.
    fn die(signal: i32);
}

/// The owner need not be able to log in. Before PostgreSQL 17 there was no way to say so.
#[cfg(any(feature = "pg17", feature = "pg18"))]
const CONNECTION_FLAGS: u32 = pg_sys::BGWORKER_BYPASS_ROLELOGINCHECK;
#[cfg(any(feature = "pg15", feature = "pg16"))]
const CONNECTION_FLAGS: u32 = 0;

/// The argument that the worker was started with.
pub fn argument() -> String {
    // SAFETY: MyBgworkerEntry is set in every background worker, and `start` left a zero at the end of bgw_extra.
    unsafe {
        CStr::from_ptr((*pg_sys::MyBgworkerEntry).bgw_extra.as_ptr())
            .to_string_lossy()
            .into_owned()
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
