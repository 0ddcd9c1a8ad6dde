//! Whether procedures may end transactions.

use pgrx::pg_sys;

/// Whether the procedure whose statement runs at the moment may COMMIT: it was called by itself, outside a transaction block, and no
/// function is between it and its caller. False outside procedures.
pub fn may_commit() -> bool {
    // SAFETY: reads variables of the backend.
    unsafe { pg_sys::SPI_inside_nonatomic_context() }
}
