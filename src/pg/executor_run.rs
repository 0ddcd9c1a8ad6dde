//! Executor runs, as a function that one of them calls can tell them apart, and values that are kept until a run ends.

use std::ffi::c_void;

use pgrx::pg_sys;

use crate::pg::backend_local::BackendLocal;

/// The execution of one query: from `ExecutorStart` to `ExecutorEnd`. A cursor is one run, whoever fetches from it.
///
/// The executor prepares all calls of a run (`FmgrInfo`) in one memory context, which it makes for the run and deletes
/// at its end (`EState.es_query_cxt`). So that context is the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ExecutorRun(pg_sys::MemoryContext);

impl ExecutorRun {
    /// The run that the call belongs to. None for a call that is not the executor's, and for an expression that PL/pgSQL
    /// evaluates without a query: those have one `EState` for the whole transaction or DO block.
    ///
    /// # Safety
    /// `call` must be what PostgreSQL passed to the function that is running.
    pub unsafe fn of(call: pg_sys::FunctionCallInfo) -> Option<Self> {
        // SAFETY: `flinfo` is NULL or valid for the call, and so is its memory context; every context but the top one
        // has a parent, and names are static strings.
        unsafe {
            let context = (*call).flinfo.as_ref()?.fn_mcxt.as_ref()?;
            let parent = context.parent.as_ref()?;
            let of_plpgsql = std::ptr::eq(parent, pg_sys::TopTransactionContext)
                || std::ffi::CStr::from_ptr(parent.name) == DO_BLOCK;
            (!of_plpgsql).then_some(Self(std::ptr::from_ref(context).cast_mut()))
        }
    }
}

/// The context in which a procedural language's handler runs. `plpgsql_inline_handler` makes the `EState` of a DO block
/// there; the query of a function or of a block runs in "SPI Exec" or in a portal.
const DO_BLOCK: &std::ffi::CStr = c"SPI Proc";

/// At most one value for each run that is going on.
pub struct PerRun<T: 'static>(BackendLocal<Vec<(ExecutorRun, T)>>);

impl<T: Clone> PerRun<T> {
    pub const fn new() -> Self {
        Self(BackendLocal::new(Vec::new()))
    }

    /// The run's value.
    pub fn get(&self, run: ExecutorRun) -> Option<T> {
        self.0.with(|values| {
            let found = values.iter().rev().find(|(owner, _)| *owner == run);
            found.map(|(_, value)| value.clone())
        })
    }

    /// Gives the run a value, in place of the one that it has. It is dropped when the run ends.
    pub fn set(&'static self, run: ExecutorRun, value: T) {
        let former = self.0.with(|values| {
            let found = values.iter_mut().rev().find(|(owner, _)| *owner == run);
            found.map(|(_, kept)| std::mem::replace(kept, value.clone()))
        });
        if former.is_none() {
            self.forget_with(run);
            self.0.with(|values| values.push((run, value)));
        }
    }

    /// Has the value dropped together with the run's memory context, also when the transaction aborts.
    fn forget_with(&'static self, run: ExecutorRun) {
        // SAFETY: the context is valid, because a function that the run calls is running. The registration lies in the
        // context and so lives until the callback has been called.
        unsafe {
            let size = std::mem::size_of::<Registration<T>>();
            let registration = pg_sys::MemoryContextAlloc(run.0, size).cast::<Registration<T>>();
            registration.write(Registration {
                callback: pg_sys::MemoryContextCallback {
                    func: Some(run_ends::<T>),
                    arg: registration.cast(),
                    next: std::ptr::null_mut(),
                },
                values: self,
                run,
            });
            pg_sys::MemoryContextRegisterResetCallback(run.0, &raw mut (*registration).callback);
        }
    }
}

struct Registration<T: 'static> {
    callback: pg_sys::MemoryContextCallback,
    values: &'static PerRun<T>,
    run: ExecutorRun,
}

/// Only drops memory of ours, so it cannot raise.
unsafe extern "C-unwind" fn run_ends<T: 'static>(registration: *mut c_void) {
    // SAFETY: `forget_with` registered this callback with a registration of this type.
    let Registration { values, run, .. } = unsafe { &*registration.cast::<Registration<T>>() };
    let ended = values.0.try_with(|values| {
        let place = values.iter().rposition(|(owner, _)| owner == run);
        place.map(|place| values.remove(place))
    });
    drop(ended);
}
