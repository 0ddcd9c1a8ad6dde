//! The values that columns of tables can be read as.

use pgrx::FromDatum;
use pgrx::prelude::*;

/// A type of value, and the one column type that it is read from.
///
/// # Safety
/// `read` must be right for every datum of the column type `TYPE`.
pub unsafe trait Value: Sized {
    const TYPE: pg_sys::Oid;

    /// Reads a value that is not NULL; an error says what it holds that it must not.
    ///
    /// # Safety
    /// `datum` must be a value of the column type `TYPE`, and not NULL.
    unsafe fn read(datum: pg_sys::Datum) -> Result<Self, &'static str>;
}

/// A value, or an [`Option`] of one for a column that may be NULL.
pub trait Cell: Sized {
    const TYPE: pg_sys::Oid;

    /// # Safety
    /// `datum` must be a value of the column type `TYPE`, and `is_null` its mark.
    unsafe fn read(datum: pg_sys::Datum, is_null: bool) -> Result<Self, &'static str>;
}

impl<V: Value> Cell for V {
    const TYPE: pg_sys::Oid = V::TYPE;

    unsafe fn read(datum: pg_sys::Datum, is_null: bool) -> Result<Self, &'static str> {
        if is_null {
            return Err("is NULL");
        }
        // SAFETY: by the caller's promise; it is not NULL.
        unsafe { V::read(datum) }
    }
}

impl<V: Value> Cell for Option<V> {
    const TYPE: pg_sys::Oid = V::TYPE;

    unsafe fn read(datum: pg_sys::Datum, is_null: bool) -> Result<Self, &'static str> {
        // SAFETY: by the caller's promise; it is not NULL.
        (!is_null).then(|| unsafe { V::read(datum) }).transpose()
    }
}

macro_rules! value {
    ($type:ty, $oid:ident) => {
        // SAFETY: pgrx reads the type from the datum that PostgreSQL stores for that column type, and copies.
        unsafe impl Value for $type {
            const TYPE: pg_sys::Oid = pg_sys::$oid;

            unsafe fn read(datum: pg_sys::Datum) -> Result<Self, &'static str> {
                // SAFETY: by the caller's promise.
                unsafe { Self::from_datum(datum, false) }.ok_or("cannot be read")
            }
        }
    };
}

value!(bool, BOOLOID);
value!(i32, INT4OID);
value!(i64, INT8OID);
value!(f64, FLOAT8OID);
value!(String, TEXTOID);
value!(pg_sys::Oid, OIDOID);
value!(TimestampWithTimeZone, TIMESTAMPTZOID);

// SAFETY: a value of text[] is an array of text; only what was checked is read.
unsafe impl Value for Vec<String> {
    const TYPE: pg_sys::Oid = pg_sys::TEXTARRAYOID;

    unsafe fn read(datum: pg_sys::Datum) -> Result<Self, &'static str> {
        // SAFETY: by the caller's promise it is an array; detoasting gives one with a plain header.
        let dimensions = unsafe {
            let array = pg_sys::pg_detoast_datum(datum.cast_mut_ptr());
            (*array.cast::<pg_sys::ArrayType>()).ndim
        };
        if dimensions > 1 {
            return Err("has more than one dimension");
        }
        // SAFETY: by the caller's promise.
        let elements = unsafe { Vec::<Option<String>>::from_datum(datum, false) }.ok_or("cannot be read")?;
        elements
            .into_iter()
            .collect::<Option<Self>>()
            .ok_or("has an element that is NULL")
    }
}

/// A `text[]` in the answer of a statement, with what is wrong with it if it is not of one dimension or has elements that are NULL.
/// pgrx reads arrays of any shape.
pub struct Texts(pub Result<Vec<String>, &'static str>);

impl FromDatum for Texts {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        // SAFETY: by the caller's promise it is a value of our type; it is not NULL.
        (!is_null).then(|| Self(unsafe { <Vec<String> as Value>::read(datum) }))
    }
}

impl IntoDatum for Texts {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        self.0.ok()?.into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTARRAYOID
    }
}
