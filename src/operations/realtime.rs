//! `clerk.sync_realtime_keys` and `clerk.disconnect_realtime`: the keys of Realtime's tenants, which are rows in this database.

use pgrx::prelude::*;

use super::sql;
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;

c_function!(clerk_sync_realtime_keys, sync_realtime_keys);
c_function!(clerk_disconnect_realtime, disconnect_realtime);

/// `sync_realtime_keys()`: answers how many tenants there are and how many changed.
fn sync_realtime_keys(_call: &Call) -> Option<pg_sys::Datum> {
    let connect = "UPDATE clerk.postgrest_keys AS p SET realtime_since = pg_catalog.clock_timestamp()
         WHERE p.only_row AND p.realtime_since IS NULL";
    sql::run(connect, &[]);
    write("SELECT clerk.write_realtime_keys(clerk.postgrest_key_set()::pg_catalog.jsonb)::pg_catalog.text").or_else(|| {
        Fault::prerequisite(
            "the keys that Realtime trusts until now are not known, and would be lost",
            "Run SELECT clerk.connect_postgrest($1) first, with what PostgREST's environment has as PGRST_JWT_SECRET.",
        )
        .raise()
    })
}

/// `disconnect_realtime()`: leaves the operator's own keys only. NULL if they are not known.
fn disconnect_realtime(_call: &Call) -> Option<pg_sys::Datum> {
    let disconnect = "UPDATE clerk.postgrest_keys AS p SET realtime_since = NULL
         WHERE p.only_row AND p.realtime_since IS NOT NULL";
    sql::run(disconnect, &[]);
    write(
        "SELECT clerk.write_realtime_keys(pg_catalog.jsonb_build_object('keys', CASE p.own_keys
                WHEN '[]' THEN pg_catalog.jsonb_build_array(clerk.nobodys_key('nobody')) ELSE p.own_keys END))::pg_catalog.text
         FROM clerk.postgrest_keys AS p",
    )
}

/// The answer of `write_realtime_keys`; None if there was no key set to write.
fn write(statement: &str) -> Option<pg_sys::Datum> {
    let answer: Option<String> = Spi::connect_mut(|client| {
        let rows = client.update(statement, Some(1), &[])?;
        if rows.is_empty() {
            Ok(None)
        } else {
            rows.first().get_one()
        }
    })
    .unwrap_or_else(|error: pgrx::spi::Error| sql::fault(error));
    Some(crate::json::to_datum(&crate::json::to_jsonb(&answer?)))
}
