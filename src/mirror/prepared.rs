//! Statements that are planned once per backend.

use std::borrow::Cow;
use std::ffi::CString;

use pgrx::prelude::*;

use crate::as_role::AsRole;
use crate::operations::sql;
use crate::pg::backend_local::BackendLocal;
use crate::pg::result;
use crate::pg::writable::require_serial;

/// A statement with a fixed text. Planned at its first use, without looking at its arguments, and kept.
pub struct Prepared {
    text: Cow<'static, str>,
    types: Cow<'static, [pg_sys::Oid]>,
    plan: BackendLocal<pg_sys::SPIPlanPtr>,
}

impl Prepared {
    pub const fn new(text: &'static str, types: &'static [pg_sys::Oid]) -> Self {
        Self {
            text: Cow::Borrowed(text),
            types: Cow::Borrowed(types),
            plan: BackendLocal::new(std::ptr::null_mut()),
        }
    }

    /// For a text that is put together from fixed parts.
    pub fn from_parts(text: String, types: Vec<pg_sys::Oid>) -> Self {
        Self {
            text: Cow::Owned(text),
            types: Cow::Owned(types),
            plan: BackendLocal::new(std::ptr::null_mut()),
        }
    }

    /// Runs it and reads each row it returns. The arguments must be of the statement's types.
    pub fn query<R>(&self, arguments: &[Option<pg_sys::Datum>], mut read: impl FnMut(&Row) -> R) -> Vec<R> {
        require_serial(c"statements of clerk_sync");
        assert_eq!(arguments.len(), self.types.len(), "arguments of {}", self.text);
        let mut values: Vec<pg_sys::Datum> = Vec::with_capacity(arguments.len());
        let mut nulls: Vec<std::ffi::c_char> = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(argument.unwrap_or(pg_sys::Datum::null()));
            nulls.push(if argument.is_some() { b' ' } else { b'n' } as std::ffi::c_char);
        }
        // SAFETY: as many values as parameters, of their types; rows are read before SPI_finish frees them. If anything
        // raises, the end of the (sub)transaction closes the SPI connection.
        unsafe {
            // Our functions run as the owner of the tables, but a deferred trigger on them would run at commit, as whoever is the
            // session's role then: a superuser perhaps. Here it cannot be put off, so the statement fails.
            let _restricted = AsRole::restricted();
            check(pg_sys::SPI_connect());
            let plan = self.plan();
            check(pg_sys::SPI_execute_plan(
                plan,
                values.as_mut_ptr(),
                nulls.as_ptr(),
                false,
                0,
            ));
            let mut rows = Vec::new();
            let table = pg_sys::SPI_tuptable;
            if !table.is_null() {
                let count = pg_sys::SPI_processed as usize;
                for index in 0..count {
                    let tuple = *(*table).vals.add(index);
                    rows.push(read(&Row(result::Row::new(tuple, (*table).tupdesc))));
                }
            }
            pg_sys::SPI_finish();
            rows
        }
    }

    /// Runs it; how many rows it touched does not matter.
    pub fn run(&self, arguments: &[Option<pg_sys::Datum>]) {
        self.query(arguments, |_| ());
    }

    /// Must be called with SPI connected.
    unsafe fn plan(&self) -> pg_sys::SPIPlanPtr {
        if let Some(plan) = self.plan.with(|plan| (!plan.is_null()).then_some(*plan)) {
            return plan;
        }
        let text = CString::new(self.text.as_bytes()).unwrap_or_default();
        let options = pg_sys::CURSOR_OPT_GENERIC_PLAN as i32;
        // SAFETY: SPI is connected; the types live as long as the call. A kept plan lives as long as the backend, and is
        // planned anew by Postgres when a table changes.
        unsafe {
            let types = self.types.as_ptr().cast_mut();
            let plan = pg_sys::SPI_prepare_cursor(text.as_ptr(), self.types.len() as i32, types, options);
            if plan.is_null() {
                check(pg_sys::SPI_result);
            }
            check(pg_sys::SPI_keepplan(plan));
            self.plan.with(|kept| *kept = plan);
            plan
        }
    }
}

fn check(code: i32) {
    if code < 0 {
        sql::refused(code);
    }
}

/// A row of an answer; valid only while it is being read.
pub struct Row(result::Row);

impl Row {
    /// The value of a column, counted from 1; None is NULL. An error (55000) if the column has another type.
    pub fn get<T: FromDatum + IntoDatum>(&self, column: i32) -> Option<T> {
        self.0
            .get(column)
            .unwrap_or_else(|error| sql::fault(error.into()))
    }

    /// As [`Row::get`], for what comes from a column that was made NOT NULL; an error (55000) if it is NULL.
    pub fn required<T: FromDatum + IntoDatum>(&self, column: i32) -> T {
        sql::required(self.get(column), &self.0.name(column))
    }

    /// A `text[]` of a column that was made NOT NULL; an error (55000) if it or an element is NULL, or it has several dimensions.
    pub fn texts(&self, column: i32) -> Vec<String> {
        sql::texts(self.get(column), &self.0.name(column))
    }
}
