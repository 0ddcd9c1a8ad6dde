//! The extension's own relations, by way of `pg::relation`: errors of ours instead of its findings.

use std::ffi::CStr;

use pgrx::prelude::*;

use crate::error::Fault;
use crate::pg::extension::Extension;
use crate::pg::relation::{self, Row, Table, Unfit};

/// This extension.
pub const EXTENSION: Extension = Extension {
    name: c"clerk_sync",
    schema: c"clerk",
};

/// One of the extension's tables, open; an error (55000) if it is not what CREATE EXTENSION made.
pub fn table(name: &CStr) -> Table {
    let table = Table::open(EXTENSION.schema, name).unwrap_or_else(|unfit| fault(unfit).raise());
    table.unwrap_or_else(|| missing(name).raise())
}

/// The OID that one of the extension's tables has now, to learn of changes; an error (55000) if there is none of that name.
pub fn oid_of(name: &CStr) -> pg_sys::Oid {
    relation::named(EXTENSION.schema, name).unwrap_or_else(|| missing(name).raise())
}

/// All rows of an open table; an error (55000) if a column is not what CREATE EXTENSION made, or holds what it must not.
pub fn rows<R: Row<N>, const N: usize>(table: &Table, columns: [&CStr; N]) -> Vec<R> {
    table.rows(columns).unwrap_or_else(|unfit| fault(unfit).raise())
}

/// The only row of an open table; an error (55000) if there is none, or another.
pub fn only_row<R: Row<N>, const N: usize>(table: &Table, columns: [&CStr; N]) -> R {
    let mut rows = rows(table, columns);
    match (rows.pop(), rows.len()) {
        (Some(row), 0) => row,
        (None, _) => settings_missing().raise(),
        (Some(_), more) => Fault::prerequisite(
            format!("clerk.settings has {} rows instead of one", more + 1),
            "Delete all but one, and make only_row its primary key again.",
        )
        .raise(),
    }
}

/// What to say where the row of `clerk.settings` is missing.
pub fn settings_missing() -> Fault {
    Fault::prerequisite(
        "clerk.settings has no row",
        "Run INSERT INTO clerk.settings DEFAULT VALUES, then set again what was set.",
    )
}

/// What to say of a relation that cannot be used.
pub fn fault(unfit: Unfit) -> Fault {
    Fault::prerequisite(
        unfit.0,
        "If the library was updated, run ALTER EXTENSION clerk_sync UPDATE. Otherwise the extension's owner has changed it, and must \
         make it as CREATE EXTENSION does.",
    )
}

fn missing(name: &CStr) -> Fault {
    Fault::prerequisite(
        format!(
            "table clerk.{} does not exist in this database",
            name.to_string_lossy()
        ),
        "Run CREATE EXTENSION clerk_sync in this database.",
    )
}

/// The owner of one of the extension's tables; an error (55000) if the extension has no such table.
pub fn table_owner(name: &CStr) -> pg_sys::Oid {
    EXTENSION
        .owner_of_member(name)
        .unwrap_or_else(|| missing(name).raise())
}

/// The role that our workers run as in this database: the owner of the extension's tables. None if the extension is not here.
///
/// Reads system catalogs only and runs nobody's code, so it may be called as a superuser.
pub fn extension_owner() -> Option<pg_sys::Oid> {
    EXTENSION.owner_of_member(c"instances")
}

/// The databases that people use. Needs no database of one's own.
pub fn databases() -> Vec<pg_sys::Oid> {
    crate::pg::catalog::databases().unwrap_or_else(|unfit| fault(unfit).raise())
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
