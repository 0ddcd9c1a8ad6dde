//! Workers leave a database that somebody wants to have alone.
//!
//! `DROP DATABASE`, `ALTER DATABASE … RENAME` and `CREATE DATABASE … TEMPLATE` fail unless every other session has left within
//! five seconds, and have no means to make a worker of ours leave. But while they wait they hold a lock by which it can tell.

use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use crate::error::Fault;

/// Whether somebody wants the database alone. Needs no transaction, neither waits nor raises.
pub fn is_wanted(database: pg_sys::Oid) -> bool {
    // As LockSharedObject() makes it.
    let tag = pg_sys::LOCKTAG {
        locktag_field1: pg_sys::InvalidOid.to_u32(),
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // What every session takes for a moment when it connects.
    let mode = pg_sys::RowExclusiveLock as i32;
    // SAFETY: the tag is plain data; a lock of the session may be taken outside a transaction, and is given back at once.
    unsafe {
        if pg_sys::LockAcquire(&tag, mode, true, true) == pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL {
            return true;
        }
        pg_sys::LockRelease(&tag, mode, true);
    }
    false
}

/// Ends the worker that is running if somebody wants its database alone. Called in every wait and between transactions: what
/// a worker has not committed is done by a later one.
pub fn give_way() {
    // SAFETY: set in every process that is connected to a database.
    if is_wanted(unsafe { pg_sys::MyDatabaseId }) {
        Fault::new(
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            "a worker of clerk_sync leaves its database, which is to be dropped, renamed or copied",
            "",
        )
        .log();
        leave();
    }
}

/// Ends the worker that is running, without an error.
pub fn leave() -> ! {
    // SAFETY: ends the process in Postgres' way, which rolls back what is open.
    unsafe { pg_sys::proc_exit(0) };
    // The binding of 18 does not know that it never comes back.
    #[cfg(feature = "pg18")]
    unreachable!("the process has ended")
}
