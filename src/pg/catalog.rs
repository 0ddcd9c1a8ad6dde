//! Shared catalogs, which can be read without a database of one's own.

use pgrx::prelude::*;

use super::relation::{Table, Unfit};

/// The databases that people use: those that may be connected to, without templates.
pub fn databases() -> Result<Vec<pg_sys::Oid>, Unfit> {
    /// How a `DROP DATABASE` that was interrupted leaves it; PostgreSQL's `DATCONNLIMIT_INVALID_DB`.
    const INVALID: i32 = -2;
    let catalog = Table::open_shared_catalog(pg_sys::DatabaseRelationId)?;
    let rows: Vec<(pg_sys::Oid, bool, bool, i32)> =
        catalog.rows([c"oid", c"datistemplate", c"datallowconn", c"datconnlimit"])?;
    let is_used = |&(oid, is_template, may_connect, limit): &(pg_sys::Oid, bool, bool, i32)| {
        (!is_template && may_connect && limit != INVALID).then_some(oid)
    };
    Ok(rows.iter().filter_map(is_used).collect())
}
