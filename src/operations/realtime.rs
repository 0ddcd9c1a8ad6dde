//! `clerk.sync_realtime_keys` and `clerk.disconnect_realtime`: the keys of Realtime's tenants, which are rows in this database.

use pgrx::prelude::*;

use crate::call::Call;
use crate::error::Fault;
use crate::mirror::prepared::Prepared;
use crate::{c_function, json};

c_function!(clerk_sync_realtime_keys, sync_realtime_keys);
c_function!(clerk_disconnect_realtime, disconnect_realtime);

/// `sync_realtime_keys()`: answers how many tenants there are and how many changed.
fn sync_realtime_keys(_call: &Call) -> Option<pg_sys::Datum> {
    static CONNECT: Prepared = Prepared::new(
        "UPDATE clerk.postgrest_keys AS p SET realtime_since = clock_timestamp() WHERE p.only_row AND p.realtime_since IS NULL",
        &[],
    );
    CONNECT.run(&[]);
    let answer = write_current().unwrap_or_else(|| {
        Fault::prerequisite(
            "the keys that Realtime trusts until now are not known, and would be lost",
            "Run SELECT clerk.connect_postgrest($1) first, with what PostgREST's environment has as PGRST_JWT_SECRET.",
        )
        .raise()
    });
    Some(json::to_datum(&json::to_jsonb(&answer)))
}

/// What `maintain` does: the same again, because Realtime sets its tenant back when it starts. None if nobody asked for that, or
/// Realtime's table is not there.
pub fn keep_up() -> Option<String> {
    // Not by to_regclass(), which refuses to look into a schema of others.
    static IS_WANTED: Prepared = Prepared::new(
        "SELECT FROM clerk.postgrest_keys AS p
         WHERE p.realtime_since IS NOT NULL AND EXISTS (
             SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = '_realtime' AND c.relname = 'tenants')",
        &[],
    );
    let is_wanted = !IS_WANTED.query(&[], |_| ()).is_empty();
    is_wanted.then(write_current).flatten()
}

/// Gives the tenants the keys that count now. None if the operator's own are not known.
fn write_current() -> Option<String> {
    static WRITE: Prepared = Prepared::new(
        "SELECT clerk.write_realtime_keys(clerk.postgrest_key_set()::jsonb)::text",
        &[],
    );
    WRITE.query(&[], |row| row.get(1)).pop().flatten()
}

/// `disconnect_realtime()`: leaves the operator's own keys only. NULL if they are not known.
fn disconnect_realtime(_call: &Call) -> Option<pg_sys::Datum> {
    static DISCONNECT: Prepared = Prepared::new(
        "UPDATE clerk.postgrest_keys AS p SET realtime_since = NULL WHERE p.only_row AND p.realtime_since IS NOT NULL",
        &[],
    );
    static WRITE: Prepared = Prepared::new(
        "SELECT clerk.write_realtime_keys(jsonb_build_object('keys', CASE p.own_keys
                WHEN '[]' THEN jsonb_build_array(clerk.nobodys_key('nobody')) ELSE p.own_keys END))::text
         FROM clerk.postgrest_keys AS p",
        &[],
    );
    DISCONNECT.run(&[]);
    let answer: String = WRITE.query(&[], |row| row.get(1)).pop().flatten()?;
    Some(json::to_datum(&json::to_jsonb(&answer)))
}
