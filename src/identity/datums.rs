//! The memory in which answers live that SQL may hold on to.
//!
//! A helper hands out a pointer to a value it keeps. When the claims change, an expression may still hold the old one,
//! as the argument of `CALL p(clerk.current_user_id())` does while `p` changes the claims and commits. So nothing is
//! freed before the end of a transaction at which no statement is left running.

use std::ffi::c_void;

use pgrx::prelude::*;

use super::answers;
use crate::pg::backend_local::BackendLocal;

struct Store {
    context: pg_sys::MemoryContext,
    /// Whether anything lies here.
    used: bool,
    /// Whether values of an earlier identity lie here.
    stale: bool,
}

static STORE: BackendLocal<Store> = BackendLocal::new(Store {
    context: std::ptr::null_mut(),
    used: false,
    stale: false,
});

/// Copies a value into the long-lived memory. Values are made elsewhere, so that neither what is left over from making
/// them nor a failure to make them takes room here.
pub fn keep(value: pg_sys::Datum) -> pg_sys::Datum {
    let context = context();
    STORE.with(|store| store.used = true);
    // SAFETY: every answer is a varlena, of which as many bytes are copied as it has.
    unsafe {
        let value = value.cast_mut_ptr::<pg_sys::varlena>();
        let size = pgrx::varlena::varsize_any(value);
        let copy = pg_sys::MemoryContextAlloc(context, size).cast::<u8>();
        std::ptr::copy_nonoverlapping(value.cast::<u8>(), copy, size);
        pg_sys::Datum::from(copy)
    }
}

fn context() -> pg_sys::MemoryContext {
    let context = STORE.with(|store| store.context);
    if !context.is_null() {
        return context;
    }
    // SAFETY: a child of the context that lives as long as the process.
    let context = unsafe {
        pg_sys::AllocSetContextCreateExtended(
            pg_sys::TopMemoryContext,
            c"clerk_sync identity".as_ptr(),
            pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
            pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
            pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
        )
    };
    STORE.with(|store| store.context = context);
    context
}

/// Says that values kept so far belong to an identity that is past.
pub fn mark_stale() {
    STORE.with(|store| store.stale = store.used);
}

/// Registers the moment at which stale values are freed, once per process.
pub fn free_at_transaction_end() {
    // SAFETY: the callback is static.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

/// Commit and abort, also those inside a procedure: there a portal is still active, and its values stay.
///
/// Only a client's backend runs every statement through a portal; a background worker may not, and ends soon anyway.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    // SAFETY: reads two variables of the backend.
    let idle = unsafe { pg_sys::ActivePortal.is_null() && !pg_sys::MyProcPort.is_null() };
    if idle && STORE.with(|store| store.stale) {
        answers::forget();
        STORE.with(|store| (store.used, store.stale) = (false, false));
        // SAFETY: nobody holds a value of this context any more, see above.
        unsafe { pg_sys::MemoryContextReset(context()) };
    }
}
