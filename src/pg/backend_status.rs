//! What other sessions of the server do, as `pg_stat_activity` shows it to a superuser.

use std::ffi::CStr;

use pgrx::pg_sys;

/// When the last statement of a session of `role` in this database began, if it is one of `statements`, letter by letter; the latest
/// such time if there are several sessions. None if there is none, or if `track_activities` is off in those sessions.
///
/// A transaction that has looked at the sessions before sees them as they were then.
pub fn latest_start(role: pg_sys::Oid, statements: &[&CStr]) -> Option<pg_sys::TimestampTz> {
    // SAFETY: a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    // SAFETY: makes a copy of the status of every session in memory of this backend, where it stays until the transaction ends or asks
    // for a new one; nothing below does that. Entries are counted from 1, and the texts in them end with a zero.
    unsafe {
        (1..=pg_sys::pgstat_fetch_stat_numbackends())
            .filter_map(|number| local_entry(number).as_ref())
            .map(|entry| &entry.backendStatus)
            .filter(|session| session.st_databaseid == database && session.st_userid == role)
            .filter(|session| {
                let statement = session.st_activity_raw;
                !statement.is_null() && statements.contains(&CStr::from_ptr(statement))
            })
            .map(|session| session.st_activity_start_timestamp)
            .max()
    }
}

#[cfg(feature = "pg15")]
unsafe fn local_entry(number: i32) -> *mut pg_sys::LocalPgBackendStatus {
    // SAFETY: gives NULL for a number that is out of range.
    unsafe { pg_sys::pgstat_fetch_stat_local_beentry(number) }
}

#[cfg(not(feature = "pg15"))]
unsafe fn local_entry(number: i32) -> *mut pg_sys::LocalPgBackendStatus {
    // SAFETY: gives NULL for a number that is out of range.
    unsafe { pg_sys::pgstat_get_local_beentry_by_index(number) }
}
