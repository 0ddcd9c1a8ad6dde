//! Settings (GUCs) of a background worker's session.
//!
//! A worker's session begins as any session of its role in its database, so `ALTER ROLE … SET` and `ALTER DATABASE … SET` reach it.
//! What a worker depends on it therefore sets itself.

use std::ffi::CStr;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

/// What a worker that runs short statements needs, whatever else it does. A setting that this server does not have is left out.
const SETTINGS: &[(&CStr, &CStr)] = &[
    // After session_authorization: what the worker may do is what the role may do that it was started for.
    (c"role", c"none"),
    (c"search_path", c"pg_catalog, pg_temp"),
    (c"row_security", c"on"),
    (c"session_replication_role", c"origin"),
    (c"restrict_nonsystem_relation_kind", c""),
    // It is there to write.
    (c"default_transaction_read_only", c"off"),
    (c"default_transaction_isolation", c"read committed"),
    (c"default_transaction_deferrable", c"off"),
    // Limits for sessions of people, who notice; a worker that is ended by one would be ended by it every time.
    (c"statement_timeout", c"0"),
    (c"idle_in_transaction_session_timeout", c"0"),
    (c"idle_session_timeout", c"0"),
    (c"transaction_timeout", c"0"),
    // How SQL is read, and values as text.
    (c"standard_conforming_strings", c"on"),
    (c"backslash_quote", c"safe_encoding"),
    (c"transform_null_equals", c"off"),
    (c"array_nulls", c"on"),
    (c"quote_all_identifiers", c"off"),
    (c"xmloption", c"content"),
    (c"DateStyle", c"ISO, MDY"),
    (c"IntervalStyle", c"postgres"),
    (c"bytea_output", c"hex"),
    (c"extra_float_digits", c"1"),
    (c"check_function_bodies", c"on"),
    // An error ends a transaction of the worker, not the worker.
    (c"exit_on_error", c"off"),
    // Short statements gain nothing from it.
    (c"jit", c"off"),
];

/// Fixes the settings of the worker that is running, which has just connected. `others` come last, so they win. Raises if the server
/// refuses a value.
pub fn fix(others: &[(&CStr, &CStr)]) {
    for (name, value) in SETTINGS.iter().chain(others) {
        // Before the first transaction, which begins as default_transaction_… say.
        if exists(name) {
            set(name, value);
        }
    }
    BackgroundWorker::transaction(|| {
        // SAFETY: in a transaction; the role that the worker connected as exists. Its name is copied by the setting.
        let name =
            unsafe { CStr::from_ptr(pg_sys::GetUserNameFromId(pg_sys::GetAuthenticatedUserId(), false)) };
        set(c"session_authorization", name);
        set(c"role", c"none");
    });
}

/// Sets a setting for the rest of the process, above everything that a role or a database has set. Raises if the value is refused.
pub fn set(name: &CStr, value: &CStr) {
    // SAFETY: NUL-terminated strings, in a process that has no user of its own.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_OVERRIDE,
        )
    };
}

fn exists(name: &CStr) -> bool {
    // SAFETY: a missing name is allowed and gives NULL; the text of an existing one is freed.
    unsafe {
        let text = pg_sys::GetConfigOptionByName(name.as_ptr(), std::ptr::null_mut(), true);
        if text.is_null() {
            return false;
        }
        pg_sys::pfree(text.cast());
        true
    }
}
