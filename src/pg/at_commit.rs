//! Effects outside the transaction: signals, wake-ups, worker starts, shared memory.
//!
//! Nothing undoes such an effect, so it must not happen before the transaction has committed, and not at all if what caused it
//! was rolled back. Each effect belongs to the subtransaction that asked for it. When that commits, the effect passes to its
//! parent; when it aborts, the effect is dropped. Effects that are left at the commit of the transaction then happen, in the order
//! in which they were asked for. `PREPARE TRANSACTION` drops them: another session commits, perhaps after a restart. An effect
//! is therefore only a hint, and what must not be lost is in a table.

use std::ffi::c_void;
use std::panic::AssertUnwindSafe;

use pgrx::prelude::*;

use super::backend_local::BackendLocal;

struct Effect {
    subtransaction: pg_sys::SubTransactionId,
    key: String,
    run: Box<dyn FnOnce()>,
}

static EFFECTS: BackendLocal<Vec<Effect>> = BackendLocal::new(Vec::new());
static IS_REGISTERED: BackendLocal<bool> = BackendLocal::new(false);

/// Has `effect` happen when the running transaction commits, unless the subtransaction that is current now is rolled back. An effect
/// whose key is waiting already is not added: what has the same key must do the same.
///
/// `effect` runs when the transaction has been committed and its rows are visible. It must not use SQL, look anything up in a
/// catalog, allocate Postgres memory or raise an error.
pub fn at_commit(key: impl Into<String>, effect: impl FnOnce() + 'static) {
    register_callbacks();
    let key = key.into();
    // SAFETY: reads a variable of the backend.
    let subtransaction = unsafe { pg_sys::GetCurrentSubTransactionId() };
    EFFECTS.with(|effects| {
        if !effects.iter().any(|waiting| waiting.key == key) {
            effects.push(Effect {
                subtransaction,
                key,
                run: Box::new(effect),
            });
        }
    });
}

fn register_callbacks() {
    if IS_REGISTERED.with(|is_registered| std::mem::replace(is_registered, true)) {
        return;
    }
    // SAFETY: the callbacks are static functions.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_ends), std::ptr::null_mut());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_ABORT | XACT_EVENT_PREPARE) {
        return;
    }
    let effects = EFFECTS.with(std::mem::take);
    if event != XACT_EVENT_COMMIT {
        return;
    }
    for effect in effects {
        // An error here would be a PANIC of the server, because a committed transaction cannot abort.
        if std::panic::catch_unwind(AssertUnwindSafe(effect.run)).is_err() {
            pgrx::warning!("an effect of the committed transaction failed: {}", effect.key);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn subtransaction_ends(
    event: pg_sys::SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    EFFECTS.with(|effects| match event {
        SUBXACT_EVENT_COMMIT_SUB => {
            let ended = effects
                .iter_mut()
                .filter(|effect| effect.subtransaction == subtransaction);
            ended.for_each(|effect| effect.subtransaction = parent);
        }
        SUBXACT_EVENT_ABORT_SUB => effects.retain(|effect| effect.subtransaction != subtransaction),
        _ => {}
    });
}
