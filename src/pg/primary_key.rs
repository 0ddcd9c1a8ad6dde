//! Whether a row is there: one look into its table's primary key, at a tenth of what a statement costs.

use std::ffi::CStr;

use pgrx::prelude::*;

use super::relation::{Column, Table, Unfit};

/// An index that is open and locked. Closed when dropped.
struct Index(pg_sys::Relation);

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

impl Table {
    /// Whether a row has this text as its primary key, the column `column`: as far as anybody has committed or this transaction
    /// has done.
    pub fn has_key(&self, column: &CStr, key: &str) -> Result<bool, Unfit> {
        let column = self.column(column, pg_sys::TEXTOID)?;
        let index = self.primary_key(&column)?;
        let Some(key) = key.into_datum() else {
            return Ok(false);
        };
        // SAFETY: table and index are open and locked. The key is of the only column of the index, text in a btree of text, and
        // compared by the index's own collation. Scan and snapshot are given back in the reverse order; if anything raises, the
        // end of the (sub)transaction does it.
        unsafe {
            let mut condition = std::mem::zeroed();
            pg_sys::ScanKeyEntryInitialize(
                &mut condition,
                0,
                column.number,
                pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                pg_sys::InvalidOid,
                column.collation,
                pg_sys::RegProcedure::from(pg_sys::F_TEXTEQ),
                key,
            );
            // A function that its owner marked as parallel safe can be called where no other snapshot may be taken.
            let snapshot = pg_sys::RegisterSnapshot(if pg_sys::IsInParallelMode() {
                pg_sys::GetActiveSnapshot()
            } else {
                pg_sys::GetLatestSnapshot()
            });
            let scan =
                pg_sys::systable_beginscan(self.relation(), index.oid(), true, snapshot, 1, &mut condition);
            let found = !pg_sys::systable_getnext(scan).is_null();
            pg_sys::systable_endscan(scan);
            pg_sys::UnregisterSnapshot(snapshot);
            Ok(found)
        }
    }

    /// The table's own primary key, if it is an ordinary one of this column: found in the table's list of indexes, because an index
    /// that merely has the right name can be of another table.
    fn primary_key(&self, column: &Column) -> Result<Index, Unfit> {
        let relation = self.relation();
        // SAFETY: the table is open and locked.
        #[cfg(not(feature = "pg18"))]
        let oid = unsafe { pg_sys::RelationGetPrimaryKeyIndex(relation) };
        #[cfg(feature = "pg18")]
        // SAFETY: the table is open and locked.
        let oid = unsafe { pg_sys::RelationGetPrimaryKeyIndex(relation, false) };
        if oid == pg_sys::InvalidOid {
            return Err(self.unfit("has no primary key"));
        }
        // SAFETY: in a transaction; NULL if there is no such relation any more once the lock is held.
        let index = unsafe { pg_sys::try_relation_open(oid, LOCK) };
        if index.is_null() {
            return Err(self.unfit("has no primary key"));
        }
        let index = Index(index);
        if !index.is_btree_of(column) {
            return Err(self.unfit("has another primary key than it was made with"));
        }
        Ok(index)
    }
}

impl Index {
    fn oid(&self) -> pg_sys::Oid {
        // SAFETY: the index is open.
        unsafe { (*self.0).rd_id }
    }

    /// Whether it is a usable btree of all values of that text column, and of nothing else.
    fn is_btree_of(&self, column: &Column) -> bool {
        // SAFETY: the relation is open. What only indexes have is read when it is known to be one, and what counts its keys when it
        // is known to have one.
        unsafe {
            let relation = &*self.0;
            if (*relation.rd_rel).relkind as u8 != pg_sys::RELKIND_INDEX
                || (*relation.rd_rel).relam != pg_sys::BTREE_AM_OID
            {
                return false;
            }
            let index = &*relation.rd_index;
            index.indisvalid
                && index.indisready
                && index.indislive
                && index.indnatts == 1
                && index.indnkeyatts == 1
                && index.indkey.values.as_slice(1)[0] == column.number
                && *relation.rd_opfamily == pg_sys::TEXT_BTREE_FAM_OID
                && *relation.rd_opcintype == pg_sys::TEXTOID
                && *relation.rd_indcollation == column.collation
                // Not by reading expression or predicate, which would evaluate parts of them. A key that is an expression has no number.
                && pg_sys::heap_attisnull(relation.rd_indextuple, pg_sys::Anum_pg_index_indpred as i32, std::ptr::null_mut())
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // After an error the end of the (sub)transaction does it.
        if !std::thread::panicking() {
            // SAFETY: opened once, with that lock.
            unsafe { pg_sys::relation_close(self.0, LOCK) };
        }
    }
}
