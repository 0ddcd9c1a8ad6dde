//! Functions that Postgres calls directly, for what must cost next to nothing.
//!
//! `#[pg_extern]` copies strings and installs a guard on every call. A function declared here gets its arguments as
//! they are and may answer with a datum that it keeps.

use pgrx::prelude::*;
use pgrx::varlena;

use crate::pg::executor_run::ExecutorRun;

/// One call of a function by Postgres.
pub struct Call(pg_sys::FunctionCallInfo);

impl Call {
    /// # Safety
    /// `info` must be what Postgres passed to the function that is running.
    #[inline(always)]
    pub unsafe fn new(info: pg_sys::FunctionCallInfo) -> Self {
        Self(info)
    }

    /// The `index`th argument; None if it is NULL.
    #[inline(always)]
    pub fn argument(&self, index: usize) -> Option<pg_sys::Datum> {
        // SAFETY: Postgres passes as many arguments as the declaration in sql/ has, and each function reads no more.
        let argument = unsafe { (*self.0).args.as_slice((*self.0).nargs as usize)[index] };
        (!argument.isnull).then_some(argument.value)
    }

    /// The bytes of a text argument that lies in memory as it is; None if it is NULL or must be unpacked first.
    #[inline(always)]
    pub fn plain_text(&self, index: usize) -> Option<&[u8]> {
        let datum = self.argument(index)?;
        let value = datum.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: a non-NULL text datum points at a varlena; only the two uncompressed inline forms are read.
        unsafe {
            let plain = varlena::varatt_is_4b_u(value)
                || (varlena::varatt_is_1b(value) && !varlena::varatt_is_1b_e(value));
            plain.then(|| {
                std::slice::from_raw_parts(
                    varlena::vardata_any(value).cast(),
                    varlena::varsize_any_exhdr(value),
                )
            })
        }
    }

    /// A text argument, unpacked if need be; None if it is NULL.
    pub fn text(&self, index: usize) -> Option<String> {
        let datum = self.argument(index)?;
        // SAFETY: the argument is declared as text and is not NULL.
        unsafe { String::from_datum(datum, false) }
    }

    /// What the trigger manager passed, if it is the caller.
    pub fn trigger(&self) -> Option<*mut pg_sys::TriggerData> {
        // SAFETY: a context, if there is one, is a node; its tag says which.
        unsafe {
            let context = (*self.0).context;
            let is_trigger = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_TriggerData;
            is_trigger.then_some(context.cast())
        }
    }

    /// What the event trigger manager passed, if it is the caller.
    pub fn event_trigger(&self) -> Option<*mut pg_sys::EventTriggerData> {
        // SAFETY: as in `trigger`.
        unsafe {
            let context = (*self.0).context;
            let is_event = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_EventTriggerData;
            is_event.then_some(context.cast())
        }
    }

    /// The number that [`Call::set_mark`] left at this place of the running query; 0 if none.
    #[inline]
    pub fn mark(&self) -> usize {
        // SAFETY: `flinfo` is NULL or valid for the call.
        unsafe { (*self.0).flinfo.as_ref() }.map_or(0, |place| place.fn_extra.addr())
    }

    /// Leaves a number with the place that calls, for as long as its query runs. Nothing else uses `fn_extra` of our functions.
    #[inline]
    pub fn set_mark(&self, mark: usize) {
        // SAFETY: as above.
        if let Some(place) = unsafe { (*self.0).flinfo.as_mut() } {
            place.fn_extra = std::ptr::without_provenance_mut(mark);
        }
    }

    /// The execution of a query that calls, if there is one.
    pub fn executor_run(&self) -> Option<ExecutorRun> {
        // SAFETY: this is what Postgres passed, see `new`.
        unsafe { ExecutorRun::of(self.0) }
    }

    /// Ends the call with a value or NULL.
    #[inline(always)]
    pub fn answer(self, value: Option<pg_sys::Datum>) -> pg_sys::Datum {
        // SAFETY: the call is still running; the flag is Postgres' way to say NULL.
        unsafe { (*self.0).isnull = value.is_none() };
        value.unwrap_or(pg_sys::Datum::null())
    }
}

/// Exports `$body: fn(&Call) -> Option<Datum>` to Postgres as the C function `$symbol`, guarded: it may raise.
#[macro_export]
macro_rules! c_function {
    ($symbol:ident, $body:path) => {
        $crate::c_function_record!($symbol);

        /// # Safety
        /// Called by Postgres only.
        #[pgrx::pg_guard]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(info: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: `info` comes from Postgres.
            let call = unsafe { $crate::call::Call::new(info) };
            let value = $body(&call);
            call.answer(value)
        }
    };
}

/// Exports the record by which Postgres learns the calling convention of `$symbol`.
#[macro_export]
macro_rules! c_function_record {
    ($symbol:ident) => {
        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_", stringify!($symbol)))]
            pub extern "C" fn record() -> &'static pgrx::pg_sys::Pg_finfo_record {
                static V1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
                &V1
            }
        };
    };
}
