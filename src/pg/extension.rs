//! An extension as the catalogs know it. All of this looks up system catalogs only and runs nobody's code, so a superuser may call it.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::relation;

/// An extension by its name and the name of its schema.
#[derive(Debug, Clone, Copy)]
pub struct Extension {
    pub name: &'static CStr,
    pub schema: &'static CStr,
}

impl Extension {
    /// Whether this database has the extension, with a relation of that name as its member: then the database is one of ours. It
    /// says nothing of what the relation is; its owner can add others to the extension.
    pub fn has_member(&self, relation: &CStr) -> bool {
        self.member(relation).is_some()
    }

    /// Who owns a relation of that name that is a member of the extension.
    pub fn owner_of_member(&self, relation: &CStr) -> Option<pg_sys::Oid> {
        owner_of(self.member(relation)?)
    }

    fn member(&self, relation: &CStr) -> Option<pg_sys::Oid> {
        // SAFETY: look-ups in system catalogs, in a transaction.
        let extension = unsafe { pg_sys::get_extension_oid(self.name.as_ptr(), true) };
        let relation = relation::named(self.schema, relation)?;
        // SAFETY: as above.
        let belongs_to = unsafe { pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, relation) };
        (extension != pg_sys::InvalidOid && belongs_to == extension).then_some(relation)
    }
}

/// Who owns a schema and the relation of that name in it; None if one of them is not there.
pub fn owners(schema: &CStr, relation: &CStr) -> Option<[pg_sys::Oid; 2]> {
    let relation = owner_of(relation::named(schema, relation)?)?;
    // SAFETY: the tuple of the cache's catalog is released after its fixed part was read.
    unsafe {
        let oid = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::NAMESPACEOID as i32,
            pg_sys::Datum::from(oid),
        );
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_namespace>()).nspowner;
        pg_sys::ReleaseSysCache(tuple);
        Some([owner, relation])
    }
}

/// Without a lock, so that nobody who holds one keeps us waiting.
fn owner_of(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: the tuple of the cache's catalog is released after its fixed part was read.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::RELOID as i32,
            pg_sys::Datum::from(relation),
        );
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}
