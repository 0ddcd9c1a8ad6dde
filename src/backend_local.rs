//! State of one backend, reachable without the cost of a thread local.

use std::cell::UnsafeCell;

/// A value that only the backend's main thread touches.
///
/// A Postgres backend runs SQL on one thread, and the only thread we ever start (`clerk_api::http`) is given
/// nothing of ours, so exclusive access needs no lock. It does need care about re-entry: hold no reference across a
/// call into Postgres that may run SQL or raise.
pub struct BackendLocal<T>(UnsafeCell<T>);

// SAFETY: see above; nothing outside the main thread can reach a BackendLocal.
unsafe impl<T> Sync for BackendLocal<T> {}

impl<T> BackendLocal<T> {
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Runs `f` with exclusive access to the value.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: one thread, and the callers keep `f` free of calls that could come back here.
        f(unsafe { &mut *self.0.get() })
    }
}
