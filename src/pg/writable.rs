//! Whether the running transaction may do something. Through SPI it would fail as well, but with an internal error.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Raises, with `what` as the name of the command, 25006 in a read-only transaction and on a standby, and 25000 in parallel mode.
pub fn require_writable(what: &CStr) {
    // SAFETY: raises or does nothing; the name ends with a zero.
    unsafe { pg_sys::PreventCommandIfReadOnly(what.as_ptr()) };
    require_serial(what);
}

/// Raises 25000 in parallel mode, with `what` as the name of the command: the owner of a function can mark it as parallel safe though
/// it is not.
pub fn require_serial(what: &CStr) {
    // SAFETY: raises or does nothing; the name ends with a zero.
    unsafe { pg_sys::PreventCommandIfParallelMode(what.as_ptr()) };
}
