//! The one door to tables that are read without SQL.
//!
//! A heap scan under a catalog snapshot needs no privilege, no `search_path` and no row level security, works in parallel workers,
//! and sees the newest committed rows even in a REPEATABLE READ transaction.
//!
//! Nothing about a relation is believed because of its name or of an earlier look: its owner may have put another one in its place.
//! What memory safety depends on is checked on the relation when it is open and locked, and every time.

use std::ffi::CStr;

use pgrx::PgTupleDesc;
use pgrx::prelude::*;

use super::cell::Cell;

/// Why a relation cannot be used, as a sentence for the person who owns it.
#[derive(Debug, Clone)]
pub struct Unfit(pub String);

/// A table that is open, locked against changes of its definition, and a table: of rows in a heap. Closed when dropped.
pub struct Table {
    relation: pg_sys::Relation,
}

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

impl Table {
    /// Opens the table of that name; None if there is none.
    pub fn open(schema: &CStr, name: &CStr) -> Result<Option<Self>, Unfit> {
        let mut tried = pg_sys::InvalidOid;
        loop {
            let oid = find(schema, name);
            if oid == pg_sys::InvalidOid || oid == tried {
                return Ok(None);
            }
            if let Some(table) = Self::open_oid(oid)? {
                return Ok(Some(table));
            }
            // Dropped while we waited for the lock; there may be another of that name by now.
            tried = oid;
        }
    }

    /// Opens the table with that OID; None if there is no such relation.
    fn open_oid(oid: pg_sys::Oid) -> Result<Option<Self>, Unfit> {
        // SAFETY: in a transaction; gives NULL if there is no such relation any more once the lock is held.
        let relation = unsafe { pg_sys::try_relation_open(oid, LOCK) };
        if relation.is_null() {
            return Ok(None);
        }
        let table = Self { relation };
        table.check()?;
        Ok(Some(table))
    }

    /// Opens a catalog that all databases share, which is always there; also where no database is.
    pub fn open_shared_catalog(oid: pg_sys::Oid) -> Result<Self, Unfit> {
        // SAFETY: in a transaction; raises if there is none. What is looked up for it is in memory before any database is.
        let relation = unsafe { pg_sys::relation_open(oid, LOCK) };
        let catalog = Self { relation };
        catalog.check()?;
        Ok(catalog)
    }

    fn check(&self) -> Result<(), Unfit> {
        // SAFETY: the relation is open, and its row of pg_class is always there; the other is a variable of the process.
        let (class, in_recovery) = unsafe { (&*(*self.relation).rd_rel, pg_sys::RecoveryInProgress()) };
        if class.relkind as u8 != pg_sys::RELKIND_RELATION {
            return Err(self.unfit("is not an ordinary table"));
        }
        if class.relam != pg_sys::HEAP_TABLE_AM_OID {
            return Err(self.unfit("does not have the access method heap"));
        }
        if self.is_being_altered() {
            return Err(self.unfit("is being altered by this session"));
        }
        if in_recovery && class.relpersistence as u8 != pg_sys::RELPERSISTENCE_PERMANENT {
            return Err(self.unfit("is unlogged, so that a standby cannot read it"));
        }
        Ok(())
    }

    /// Whether an ALTER TABLE that rewrites the table runs the expression that we are called from: the descriptor is that of the new
    /// rows then, and the rows are still the old ones. Whoever holds the lock but does not have the table open has finished.
    fn is_being_altered(&self) -> bool {
        let exclusive = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;
        // SAFETY: the relation is open.
        unsafe {
            (*self.relation).rd_refcnt > 1 && pg_sys::CheckRelationLockedByMe(self.relation, exclusive, false)
        }
    }

    pub(super) fn relation(&self) -> pg_sys::Relation {
        self.relation
    }

    /// All rows, in no particular order.
    pub fn rows<R: Row<N>, const N: usize>(&self, columns: [&CStr; N]) -> Result<Vec<R>, Unfit> {
        let mut numbers = [0; N];
        for (number, (name, declared)) in numbers.iter_mut().zip(columns.into_iter().zip(R::TYPES)) {
            *number = self.column(name, declared)?.number as usize - 1;
        }
        let mut rows = Vec::new();
        let mut fault = None;
        // SAFETY: the relation stays open and locked for the whole scan, and values are read before the next tuple. If anything
        // raises, transaction abort releases the scan. The columns have the types that the row reads.
        unsafe {
            let descriptor = (*self.relation).rd_att;
            let width = (*descriptor).natts as usize;
            let mut values = vec![pg_sys::Datum::null(); width];
            let mut nulls = vec![true; width];
            let no_keys = std::ptr::null_mut();
            let scan = pg_sys::systable_beginscan(
                self.relation,
                pg_sys::InvalidOid,
                false,
                std::ptr::null_mut(),
                0,
                no_keys,
            );
            while fault.is_none() {
                let tuple = pg_sys::systable_getnext(scan);
                if tuple.is_null() {
                    break;
                }
                pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
                match R::read(numbers.map(|number| (values[number], nulls[number]))) {
                    Ok(row) => rows.push(row),
                    Err(found) => fault = Some(found),
                }
            }
            pg_sys::systable_endscan(scan);
        }
        match fault {
            None => Ok(rows),
            Some((at, what)) => Err(self.unfit_column(columns[at], what)),
        }
    }

    /// A column that is there, has the type that was declared, and is stored.
    pub(super) fn column(&self, name: &CStr, declared: pg_sys::Oid) -> Result<Column, Unfit> {
        // SAFETY: the descriptor belongs to the open relation, and is not counted by the wrapper. A dropped column is not found.
        let (number, descriptor) = unsafe {
            let descriptor = (*self.relation).rd_att;
            (
                pg_sys::SPI_fnumber(descriptor, name.as_ptr()),
                PgTupleDesc::from_pg_unchecked(descriptor),
            )
        };
        let attribute = usize::try_from(number - 1)
            .ok()
            .and_then(|index| descriptor.get(index))
            .ok_or_else(|| self.unfit_column(name, "is missing"))?;
        if attribute.atttypid != declared {
            return Err(self.unfit_column(name, "does not have the type that it was made with"));
        }
        // From PostgreSQL 18 on; the mark means nothing before.
        if attribute.attgenerated as u8 == b'v' {
            return Err(self.unfit_column(name, "is a virtual generated column"));
        }
        Ok(Column {
            number: number as pg_sys::AttrNumber,
            collation: attribute.attcollation,
        })
    }

    pub(super) fn unfit(&self, what: &str) -> Unfit {
        Unfit(format!("table {} {what}", self.name()))
    }

    fn unfit_column(&self, column: &CStr, what: &str) -> Unfit {
        self.unfit(&format!(
            "cannot be used: column \"{}\" {what}",
            column.to_string_lossy()
        ))
    }

    /// With its schema.
    fn name(&self) -> String {
        // SAFETY: the relation is open; the schema's name is NULL if it is being dropped, else a string in our memory.
        unsafe {
            let class = &*(*self.relation).rd_rel;
            let schema = pg_sys::get_namespace_name(class.relnamespace);
            let schema = if schema.is_null() {
                c"?"
            } else {
                CStr::from_ptr(schema)
            };
            let name = CStr::from_ptr(class.relname.data.as_ptr());
            format!("{}.{}", schema.to_string_lossy(), name.to_string_lossy())
        }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // After an error the end of the (sub)transaction does it.
        if !std::thread::panicking() {
            // SAFETY: opened once, with that lock.
            unsafe { pg_sys::relation_close(self.relation, LOCK) };
        }
    }
}

/// A column of an open table.
pub(super) struct Column {
    pub number: pg_sys::AttrNumber,
    pub collation: pg_sys::Oid,
}

/// The OID of the relation of that name, which says nothing of what it is.
fn find(schema: &CStr, name: &CStr) -> pg_sys::Oid {
    // SAFETY: system cache look-ups by name, in a transaction; what is missing gives InvalidOid.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        if schema == pg_sys::InvalidOid {
            return pg_sys::InvalidOid;
        }
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    }
}

/// The OID of the relation of that name; only for looking up what catalogs say of it, or for hearing of its changes.
pub fn named(schema: &CStr, name: &CStr) -> Option<pg_sys::Oid> {
    Some(find(schema, name)).filter(|oid| *oid != pg_sys::InvalidOid)
}

/// What a row is read as: a tuple of cells, which says the columns' types.
pub trait Row<const N: usize>: Sized {
    const TYPES: [pg_sys::Oid; N];

    /// Reads a row; an error says what is wrong with which column, counted from 0.
    ///
    /// # Safety
    /// The cells must be of the columns' types, each with its null mark.
    unsafe fn read(cells: [(pg_sys::Datum, bool); N]) -> Result<Self, (usize, &'static str)>;
}

macro_rules! row {
    ($count:literal: $($cell:ident $at:tt),+) => {
        impl<$($cell: Cell),+> Row<$count> for ($($cell,)+) {
            const TYPES: [pg_sys::Oid; $count] = [$($cell::TYPE),+];

            unsafe fn read(cells: [(pg_sys::Datum, bool); $count]) -> Result<Self, (usize, &'static str)> {
                // SAFETY: by the caller's promise.
                Ok(($(unsafe { $cell::read(cells[$at].0, cells[$at].1) }.map_err(|what| ($at, what))?,)+))
            }
        }
    };
}

row!(1: A 0);
row!(2: A 0, B 1);
row!(3: A 0, B 1, C 2);
row!(4: A 0, B 1, C 2, D 3);
row!(5: A 0, B 1, C 2, D 3, E 4);
row!(6: A 0, B 1, C 2, D 3, E 4, F 5);
row!(7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
row!(8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
