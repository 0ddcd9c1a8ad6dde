//! A statement that holds a secret, kept out of errors and out of the log.

use std::marker::PhantomData;

use pgrx::pg_sys;

/// While this lives, and for an error that ends it, messages show neither the running statement nor the statements and
/// functions that called it: the log has no STATEMENT, and neither the log nor the client gets a CONTEXT.
///
/// A function with a secret among its arguments enters it first, in its outermost frame. What PostgreSQL reports before the
/// function runs, and what it logs of statements that succeed, is out of reach.
#[must_use = "the statement is shown again when it is dropped"]
pub struct HiddenStatement {
    context: *mut pg_sys::ErrorContextCallback,
    /// It belongs to the frame that entered it.
    _stays: PhantomData<*const ()>,
}

impl HiddenStatement {
    pub fn enter() -> Self {
        // SAFETY: two variables of the backend. Who reads the statement expects NULL, which processes without one have; it is
        // set anew for the next. A list of callbacks that is empty calls none.
        unsafe {
            let context = pg_sys::error_context_stack;
            pg_sys::error_context_stack = std::ptr::null_mut();
            pg_sys::debug_query_string = std::ptr::null();
            Self {
                context,
                _stays: PhantomData,
            }
        }
    }
}

impl Drop for HiddenStatement {
    fn drop(&mut self) {
        // An error that unwinds is reported only after this. Who catches it puts the list back that was there before the call.
        if !std::thread::panicking() {
            // SAFETY: the list lies in frames of the callers, which are still there.
            unsafe { pg_sys::error_context_stack = self.context };
        }
    }
}
