//! Whether a row is there, without a statement.

use std::ffi::CString;

use clerk_core::mirror::Resource;

use crate::catalog;

/// Whether the table has a row of this id, as far as anybody has committed or this transaction has done. Rows are never
/// removed, so yes stays true; no may be out of date when it is answered. An error (55000) if the table or its primary key is not
/// what CREATE EXTENSION made.
pub fn is_known(resource: Resource, id: &str) -> bool {
    let name = CString::new(resource.table()).unwrap_or_default();
    catalog::table(&name)
        .has_key(c"id", id)
        .unwrap_or_else(|unfit| catalog::fault(unfit).raise())
}
