//! Whether the running transaction may write.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Raises, with `what` as the name of the command, 25006 in a read-only transaction and on a standby, and 25000 in parallel mode.
/// Writing would fail there as well, but through SPI with an internal error.
pub fn require_writable(what: &CStr) {
    // SAFETY: each raises or does nothing; the name ends with a zero.
    unsafe {
        pg_sys::PreventCommandIfReadOnly(what.as_ptr());
        pg_sys::PreventCommandIfParallelMode(what.as_ptr());
    }
}
