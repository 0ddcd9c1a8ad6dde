//! The error that ends a process, for another process that waits for it.

use std::ffi::{CStr, c_int};

use pgrx::PgLogLevel;
use pgrx::prelude::*;

use super::backend_local::BackendLocal;

/// SQLSTATE as Postgres packs it, and the message in the server's encoding.
type Listener = Box<dyn Fn(c_int, &[u8])>;

static LISTENER: BackendLocal<Option<Listener>> = BackendLocal::new(None);
static PREVIOUS: BackendLocal<pg_sys::emit_log_hook_type> = BackendLocal::new(None);

/// Has `listener` called with each error that the process reports from now on. A background worker reports an error only when it ends
/// because of it, as a FATAL or as an ERROR that nothing caught, so the last one says why it ended.
///
/// `listener` runs while the error is being reported, perhaps because memory ran out: it must not call Postgres.
pub fn tell(listener: impl Fn(c_int, &[u8]) + 'static) {
    LISTENER.with(|current| *current = Some(Box::new(listener)));
    // SAFETY: hooks are set on the process' only thread that runs Postgres.
    unsafe {
        let previous = pg_sys::emit_log_hook;
        PREVIOUS.with(|hook| *hook = previous);
        pg_sys::emit_log_hook = Some(error_is_reported);
    }
}

/// Tells nobody any more.
pub fn forget() {
    LISTENER.with(Option::take);
}

/// Not guarded: a guard would itself raise, and nothing here can.
unsafe extern "C-unwind" fn error_is_reported(error: *mut pg_sys::ErrorData) {
    // SAFETY: Postgres passes the error that it reports; its message is NULL or ends with a zero.
    unsafe {
        if (*error).elevel >= PgLogLevel::ERROR as c_int {
            let message = (*error).message;
            let message = if message.is_null() {
                c""
            } else {
                CStr::from_ptr(message)
            };
            LISTENER.try_with(|listener| {
                if let Some(listener) = listener {
                    listener((*error).sqlerrcode, message.to_bytes());
                }
            });
        }
        if let Some(Some(previous)) = PREVIOUS.try_with(|previous| *previous) {
            previous(error);
        }
    }
}
