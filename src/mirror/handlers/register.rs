//! `on_event` and `drop_event_handler`.

use clerk_core::mirror::check_event_pattern;
use clerk_core::quote;
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use super::function::Function;
use super::role;
use crate::as_role::AsRole;
use crate::call::Call;
use crate::error::Fault;
use crate::mirror::prepared::Prepared;
use crate::{c_function, catalog};

c_function!(clerk_on_event, on_event);
c_function!(clerk_drop_event_handler, drop_event_handler);

static FIND: Prepared = Prepared::new(
    "SELECT h.id FROM clerk.event_handlers AS h
     WHERE h.pattern = $1 AND h.handler = $2 AND h.registered_by = $3 AND h.include_repairs = $4",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::BOOLOID],
);

static REGISTER: Prepared = Prepared::new(
    "INSERT INTO clerk.event_handlers (pattern, handler, registered_by, include_repairs) VALUES ($1, $2, $3, $4)
     ON CONFLICT (pattern, handler, registered_by) DO UPDATE SET include_repairs = excluded.include_repairs
     RETURNING id",
    &[
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::BOOLOID,
    ],
);

/// `on_event(pattern text, handler regproc, include_repairs boolean)`, strict. It runs as its caller, which is whom the
/// handler will run as; only writing the table is done as the table's owner.
fn on_event(call: &Call) -> Option<pg_sys::Datum> {
    let text = call.text(0)?;
    let pattern = text.trim();
    // SAFETY: the arguments are declared as regproc, which is an oid, and boolean, and are not NULL.
    let (function, include_repairs) = unsafe {
        (
            pg_sys::Oid::from_datum(call.argument(1)?, false)?,
            bool::from_datum(call.argument(2)?, false)?,
        )
    };
    check_event_pattern(pattern, include_repairs)
        .unwrap_or_else(|error| Fault::argument(error.message, error.hint).raise());
    let function = Function::with_oid(function).unwrap_or_else(|fault| fault.raise());
    let registered_by = catalog::current_role().name;
    role::registrant(&registered_by).unwrap_or_else(|fault| fault.raise());

    let row = [
        pattern.into_datum(),
        function.name().into_datum(),
        registered_by.as_str().into_datum(),
        include_repairs.into_datum(),
    ];
    let _owner = AsRole::enter(role::owner());
    // What is there already is not written again: a write empties every backend's cache.
    let known = FIND.query(&row, |row| row.get::<i64>(1)).pop().flatten();
    let id = known.or_else(|| REGISTER.query(&row, |row| row.get::<i64>(1)).pop().flatten());
    id.into_datum()
}

static REGISTERED_BY: Prepared = Prepared::new(
    "SELECT h.registered_by FROM clerk.event_handlers AS h WHERE h.id = $1",
    &[pg_sys::INT8OID],
);

static DROP: Prepared = Prepared::new(
    "DELETE FROM clerk.event_handlers AS h WHERE h.id = $1",
    &[pg_sys::INT8OID],
);

/// A call that is being made is left alone: it ends by itself, and is not repeated without its handler.
static DROP_RUNS: Prepared = Prepared::new(
    "DELETE FROM clerk.handler_runs AS r WHERE r.id IN (
         SELECT queued.id FROM clerk.handler_runs AS queued WHERE queued.handler_id = $1 FOR UPDATE SKIP LOCKED
     )",
    &[pg_sys::INT8OID],
);

/// `drop_event_handler(id bigint)`, strict.
fn drop_event_handler(call: &Call) -> Option<pg_sys::Datum> {
    // SAFETY: the argument is declared as bigint and is not NULL.
    let id = unsafe { i64::from_datum(call.argument(0)?, false) }?;
    let registered_by = {
        let _owner = AsRole::enter(role::owner());
        let names = REGISTERED_BY.query(&[id.into_datum()], |row| row.required::<String>(1));
        names.into_iter().next()
    };
    let Some(registered_by) = registered_by else {
        Fault::missing(
            format!("there is no event handler {id}"),
            "Look it up in clerk.event_handlers.",
        )
        .raise()
    };
    if !role::acts_for_owner_or(&registered_by) {
        Fault::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("event handler {id} was registered by {}", quote(&registered_by)),
            "Only that role and the owner of the extension may drop it.",
        )
        .raise();
    }
    let _owner = AsRole::enter(role::owner());
    DROP.run(&[id.into_datum()]);
    DROP_RUNS.run(&[id.into_datum()]);
    // The function returns void, whose value is nothing.
    Some(pg_sys::Datum::null())
}
