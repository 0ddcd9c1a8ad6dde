//! Whether a row is there: one look into its table's primary key, at a tenth of what a statement costs.

use std::ffi::CString;

use clerk_core::mirror::Resource;
use pgrx::prelude::*;

/// Whether the table has a row of this id, as far as anybody has committed or this transaction has done. Rows are never
/// removed, so yes stays true; no may be out of date when it is answered. None if the primary key has another name.
pub fn is_known(resource: Resource, id: &str) -> Option<bool> {
    let name = |suffix: &str| CString::new(format!("{}{suffix}", resource.table())).ok();
    let (table, index) = (name("")?, name("_pkey")?);
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: relation, scan and snapshot are given back in the reverse order; if anything raises, the end of the
    // (sub)transaction does it. The key is of the only column of the index, text, with the index's own collation.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"clerk".as_ptr(), true);
        let index = pg_sys::get_relname_relid(index.as_ptr(), schema);
        let table = pg_sys::get_relname_relid(table.as_ptr(), schema);
        if index == pg_sys::InvalidOid || table == pg_sys::InvalidOid {
            return None;
        }
        let relation = pg_sys::table_open(table, lock);
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let mut key = std::mem::zeroed();
        pg_sys::ScanKeyEntryInitialize(
            &mut key,
            0,
            1,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::InvalidOid,
            pg_sys::DEFAULT_COLLATION_OID,
            pg_sys::RegProcedure::from(pg_sys::F_TEXTEQ),
            id.into_datum()?,
        );
        let scan = pg_sys::systable_beginscan(relation, index, true, snapshot, 1, &mut key);
        let found = !pg_sys::systable_getnext(scan).is_null();
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, lock);
        Some(found)
    }
}
