//! Rows that SPI gives, read by the types that the statement's result has now: a statement that is kept is analysed anew when
//! somebody changes a column's type.

use std::ffi::CStr;

use pgrx::datum::TryFromDatumError;
use pgrx::prelude::*;

/// A row of an answer; valid only while it is being read.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    descriptor: pg_sys::TupleDesc,
}

impl Row {
    /// # Safety
    /// The tuple must be one of SPI's table with that descriptor, and stay valid while the row is used.
    pub unsafe fn new(tuple: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc) -> Self {
        Self { tuple, descriptor }
    }

    /// The name of a column, counted from 1.
    pub fn name(&self, column: i32) -> String {
        // SAFETY: the descriptor belongs to the answer; the name is NULL for a column that is not there, else a string of ours.
        unsafe {
            let name = pg_sys::SPI_fname(self.descriptor, column);
            if name.is_null() {
                String::new()
            } else {
                CStr::from_ptr(name).to_string_lossy().into_owned()
            }
        }
    }

    /// The value of a column, counted from 1; None is NULL. An error if the column has another type.
    pub fn get<T: FromDatum + IntoDatum>(&self, column: i32) -> Result<Option<T>, TryFromDatumError> {
        let mut is_null = true;
        // SAFETY: the tuple belongs to the answer, and the value is read by the type that its column has.
        unsafe {
            let datum = pg_sys::SPI_getbinval(self.tuple, self.descriptor, column, &mut is_null);
            let declared = pg_sys::SPI_gettypeid(self.descriptor, column);
            T::try_from_datum(datum, is_null, declared)
        }
    }
}
