//! The event trigger that refuses to give up the names of functions that PostgREST calls.
//!
//! Without the extension, whoever may create a schema could define them, and PostgREST would run them as `authenticator`,
//! which may become any role of the API. The function is a superuser's and reads system catalogs only, because the command
//! that it looks at may be a superuser's. It runs before the command: when an extension is dropped, so is its event trigger,
//! and none of the later events would find it.

use pgrx::prelude::*;

use super::{authenticator, sql};
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;
use crate::pg::ddl_command::{Removal, removal};

c_function!(clerk_guard_postgrest, guard_postgrest);

const EXTENSION: &str = "clerk_sync";
/// With CASCADE it takes along what is written in its language, as what PostgREST calls is.
const LANGUAGE: &str = "plpgsql";
const SCHEMA: &str = "clerk";

fn guard_postgrest(call: &Call) -> Option<pg_sys::Datum> {
    let event = call.event_trigger().unwrap_or_else(|| {
        Fault::argument(
            "clerk.guard_postgrest() can only be called as an event trigger",
            "",
        )
        .raise()
    });
    // SAFETY: the event trigger manager passed it to this call.
    let removal = unsafe { removal(event) };
    if removal.is_some_and(takes_our_names) {
        refuse_while_called();
    }
    None
}

fn takes_our_names(removal: Removal) -> bool {
    match removal {
        Removal::Extensions(names) => names.iter().any(|name| name == EXTENSION || name == LANGUAGE),
        Removal::Schemas(names) => names.iter().any(|name| name == SCHEMA),
        Removal::OwnedBy(roles) => own_extension_or_schema(roles),
    }
}

fn own_extension_or_schema(roles: Vec<pg_sys::Oid>) -> bool {
    let select = "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension AS e
                WHERE e.extname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND e.extowner OPERATOR(pg_catalog.=) ANY ($3))
            OR EXISTS (SELECT FROM pg_catalog.pg_namespace AS n
                WHERE n.nspname OPERATOR(pg_catalog.=) $2::pg_catalog.name AND n.nspowner OPERATOR(pg_catalog.=) ANY ($3))";
    let owns: Option<bool> = sql::query(|| {
        let arguments = [EXTENSION.into(), SCHEMA.into(), roles.into()];
        Spi::connect(|client| client.select(select, Some(1), &arguments)?.first().get_one())
    });
    owns.unwrap_or_default()
}

fn refuse_while_called() {
    let resets = authenticator::resets();
    if resets.is_empty() {
        return;
    }
    Fault::new(
        PgSqlErrorCode::ERRCODE_OBJECT_IN_USE,
        "PostgREST calls functions of clerk_sync in this database, and anybody could define them anew once they are gone",
        format!(
            "Run SELECT clerk.disconnect_postgrest() or SELECT * FROM clerk.uninstall(dry_run => false) first. What those \
             may not change, a superuser takes back with {}; then PostgREST is to read its configuration anew (NOTIFY pgrst, \
             'reload config').",
            resets.join("; ")
        ),
    )
    .raise();
}
