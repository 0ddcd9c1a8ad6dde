//! Reads our own small tables without SQL.
//!
//! A heap scan under a catalog snapshot needs no privilege, no `search_path` and no row level security, works in
//! parallel workers, and sees the newest committed rows even in a REPEATABLE READ transaction: a revoked key must
//! not stay valid for as long as somebody's snapshot lives.

use std::ffi::CStr;

use pgrx::FromDatum;
use pgrx::prelude::*;

use crate::error::Fault;

/// Identifies one of the extension's tables in this database.
pub fn table_oid(name: &CStr) -> pg_sys::Oid {
    // SAFETY: system cache look-ups by name, in a transaction.
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(c"clerk".as_ptr(), true);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    if oid == pg_sys::InvalidOid {
        Fault::prerequisite(
            format!(
                "table clerk.{} does not exist in this database",
                name.to_string_lossy()
            ),
            "Run CREATE EXTENSION clerk_sync in this database.",
        )
        .raise();
    }
    oid
}

/// One row of a scan; valid only inside the callback.
pub struct Row<'a> {
    columns: &'a [pg_sys::AttrNumber],
    values: &'a [pg_sys::Datum],
    nulls: &'a [bool],
}

impl Row<'_> {
    /// The value of the `index`th of the columns that were asked for.
    pub fn get<T: FromDatum>(&self, index: usize) -> Option<T> {
        let at = self.columns[index] as usize - 1;
        // SAFETY: the datum and its null mark come from the tuple; the caller names the column's type, and FromDatum
        // copies what it returns.
        unsafe { T::from_datum(self.values[at], self.nulls[at]) }
    }
}

/// Calls `visit` for every row of the table, in no particular order.
pub fn scan(table: pg_sys::Oid, columns: &[&CStr], mut visit: impl FnMut(&Row)) {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: the relation stays open and locked for the whole scan, and values are read before the next tuple. If
    // anything raises, transaction abort releases relation, scan and lock.
    unsafe {
        let relation = pg_sys::table_open(table, lock);
        let descriptor = (*relation).rd_att;
        let attributes: Vec<_> = columns.iter().map(|name| attribute(descriptor, name)).collect();
        let width = (*descriptor).natts as usize;
        let mut values = vec![pg_sys::Datum::null(); width];
        let mut nulls = vec![true; width];

        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            std::ptr::null_mut(),
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
            visit(&Row {
                columns: &attributes,
                values: &values,
                nulls: &nulls,
            });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, lock);
    }
}

unsafe fn attribute(descriptor: pg_sys::TupleDesc, name: &CStr) -> pg_sys::AttrNumber {
    // SAFETY: the descriptor belongs to an open relation.
    let number = unsafe { pg_sys::SPI_fnumber(descriptor, name.as_ptr()) };
    if number <= 0 {
        Fault::prerequisite(
            format!(
                "a table of clerk_sync has no column \"{}\"",
                name.to_string_lossy()
            ),
            "The library is newer than the SQL objects: run ALTER EXTENSION clerk_sync UPDATE.",
        )
        .raise();
    }
    number as pg_sys::AttrNumber
}

/// The owner of one of the extension's tables.
pub fn table_owner(name: &CStr) -> pg_sys::Oid {
    owner_of(table_oid(name))
}

/// Without a lock, so that nobody who holds one keeps us waiting.
fn owner_of(table: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: the tuple is released after its fixed part was read.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::RELOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(table));
        if tuple.is_null() {
            return pg_sys::InvalidOid;
        }
        let form: pg_sys::Form_pg_class = pg_sys::GETSTRUCT(tuple).cast();
        let owner = (*form).relowner;
        pg_sys::ReleaseSysCache(tuple);
        owner
    }
}

/// The role that our workers run as in this database: the owner of the extension's tables. None if the extension is not here.
///
/// Reads system catalogs only and runs nobody's code, so it may be called as a superuser. A table that merely has the name of
/// ours decides nothing: it must be a member of the extension.
pub fn extension_owner() -> Option<pg_sys::Oid> {
    // SAFETY: look-ups in system catalogs, in a transaction.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"clerk_sync".as_ptr(), true);
        let schema = pg_sys::get_namespace_oid(c"clerk".as_ptr(), true);
        if extension == pg_sys::InvalidOid || schema == pg_sys::InvalidOid {
            return None;
        }
        let table = pg_sys::get_relname_relid(c"instances".as_ptr(), schema);
        if table == pg_sys::InvalidOid
            || pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, table) != extension
        {
            return None;
        }
        Some(owner_of(table)).filter(|owner| *owner != pg_sys::InvalidOid)
    }
}

/// The databases that people use: those that may be connected to, without templates. Needs no database of one's own.
pub fn databases() -> Vec<pg_sys::Oid> {
    /// How a `DROP DATABASE` that was interrupted leaves it; PostgreSQL's `DATCONNLIMIT_INVALID_DB`.
    const INVALID: i32 = -2;
    let columns = [c"oid", c"datistemplate", c"datallowconn", c"datconnlimit"];
    let mut databases = Vec::new();
    scan(pg_sys::DatabaseRelationId, &columns, |row| {
        let is_used = row.get(1) == Some(false) && row.get(2) == Some(true) && row.get(3) != Some(INVALID);
        databases.extend(row.get::<pg_sys::Oid>(0).filter(|_| is_used));
    });
    databases
}

/// Whether a role may log in.
#[cfg(any(feature = "pg15", feature = "pg16"))]
pub fn role_can_login(role: pg_sys::Oid) -> bool {
    // SAFETY: the tuple is released after its fixed part was read.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::AUTHOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(role));
        if tuple.is_null() {
            return false;
        }
        let form: pg_sys::Form_pg_authid = pg_sys::GETSTRUCT(tuple).cast();
        let can_login = (*form).rolcanlogin;
        pg_sys::ReleaseSysCache(tuple);
        can_login
    }
}

/// The role that the statement runs as.
pub struct Role {
    pub name: String,
    /// Whether row level security does not hold for it.
    pub bypasses_rls: bool,
}

/// The current role, as `current_user` gives it.
pub fn current_role() -> Role {
    // SAFETY: the current role exists; the name is copied.
    unsafe {
        let role = pg_sys::GetUserId();
        let name = CStr::from_ptr(pg_sys::GetUserNameFromId(role, false))
            .to_string_lossy()
            .into_owned();
        Role {
            name,
            bypasses_rls: pg_sys::superuser_arg(role) || pg_sys::has_bypassrls_privilege(role),
        }
    }
}
