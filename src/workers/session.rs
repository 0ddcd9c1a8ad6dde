//! A worker that has just been started: it learns what it is told, connects, and tells whoever waits that it has begun.

use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exchange::Exchange;
use super::task::Order;
use crate::error::Fault;
use crate::pg::{last_words, worker_session};

/// Settings of our workers besides those that every worker needs.
const SETTINGS: &[(&CStr, &CStr)] = &[
    // An administrator's open transaction may hold our rows; what is not done now is done later. And where a worker and DROP
    // EXTENSION, which takes one table after the other, wait for each other, the worker is to be the one that fails: others
    // look for deadlocks after a second.
    (c"lock_timeout", c"800ms"),
    (c"deadlock_timeout", c"100ms"),
    // Nobody calls.
    (c"request.jwt.claims", c""),
    (c"clerk.jwt", c""),
];

/// The handle of no segment; PostgreSQL's DSM_HANDLE_INVALID.
const NOBODY: u32 = 0;

/// What a worker was told, and who waits for it.
pub struct Begun<T> {
    pub order: Order<T>,
    /// None if nobody waits, or does not wait any more.
    pub exchange: Option<&'static Exchange>,
}

/// Makes the process that is running, a worker, a session of the role and in the database that it was told, with the settings that it
/// depends on, ending promptly on SIGTERM. None if it was told nothing that it understands; then the log says so.
pub fn begin<T: Serialize + DeserializeOwned>() -> Option<Begun<T>> {
    let Ok(order) = serde_json::from_str::<Order<T>>(&argument()) else {
        Fault::argument(
            "a background worker of clerk_sync was started without an order",
            "",
        )
        .warn();
        return None;
    };
    accept_signals();
    let exchange = listener();
    // SAFETY: called once, at the start of the worker, on its main thread.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(order.database(), order.owner(), CONNECTION_FLAGS)
    };
    show_name();
    worker_session::fix(SETTINGS);
    if let Some(exchange) = exchange {
        exchange.begin();
    }
    Some(Begun { order, exchange })
}

/// Opens the segment of whoever waits, and has it learn of the error that ends this process, if one does.
fn listener() -> Option<&'static Exchange> {
    // SAFETY: MyBgworkerEntry is set in every background worker.
    let handle = unsafe { (*pg_sys::MyBgworkerEntry).bgw_main_arg }.value() as u32;
    if handle == NOBODY {
        return None;
    }
    // The one who waited may have been cancelled.
    let exchange = Exchange::open(handle)?.keep(before_unmapping);
    last_words::tell(|sqlstate, message| exchange.leave_error(sqlstate, message));
    Some(exchange)
}

#[pg_guard]
unsafe extern "C-unwind" fn before_unmapping(_segment: *mut pg_sys::dsm_segment, _argument: pg_sys::Datum) {
    last_words::forget();
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
fn argument() -> String {
    // SAFETY: MyBgworkerEntry is set in every background worker, and `start` left a zero at the end of bgw_extra.
    unsafe {
        CStr::from_ptr((*pg_sys::MyBgworkerEntry).bgw_extra.as_ptr())
            .to_string_lossy()
            .into_owned()
    }
}

/// Shows in `pg_stat_activity` what the worker that is running is for.
pub fn show_name() {
    // SAFETY: MyBgworkerEntry is set in every background worker, and its name ends with a zero.
    let name = unsafe { CStr::from_ptr((*pg_sys::MyBgworkerEntry).bgw_name.as_ptr()) };
    worker_session::set(c"application_name", name);
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
