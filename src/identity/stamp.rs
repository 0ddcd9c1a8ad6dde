//! One number that changes whenever the caller's identity may have.

use std::sync::atomic::{AtomicU64, Ordering};

/// Starts at 1, so that 0 can mean "never".
static STAMP: AtomicU64 = AtomicU64::new(1);

/// Called when a setting that carries identity, or the trust it is judged by, has changed. Must not fail: it runs in
/// hooks, also while a transaction aborts.
pub fn bump() {
    STAMP.fetch_add(1, Ordering::Relaxed);
}

/// The present number.
#[inline(always)]
pub fn now() -> u64 {
    STAMP.load(Ordering::Relaxed)
}
