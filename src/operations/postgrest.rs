//! `clerk.connect_postgrest` and `clerk.disconnect_postgrest`: PostgREST gets Clerk's keys beside its own.
//!
//! What PostgREST then calls is in sql/55_handover.sql, without us.

use clerk_core::{ExistingKeys, Jwk};
use pgrx::prelude::*;
use serde_json::json;

use super::tell_postgrest::{self, Readings};
use super::{instances, sql};
use crate::call::Call;
use crate::error::Fault;
use crate::pg::hidden_statement::HiddenStatement;
use crate::{c_function, json};

c_function!(clerk_connect_postgrest, connect_postgrest);
c_function!(clerk_disconnect_postgrest, disconnect_postgrest);

/// `connect_postgrest(existing_keys text default null, secret_is_base64 boolean default false)`.
fn connect_postgrest(call: &Call) -> Option<pg_sys::Datum> {
    let _hidden = HiddenStatement::enter();
    let is_base64 = call.yes_or_no(1, "secret_is_base64");
    instances::lock_all();
    let mut left_out = Vec::new();
    if let Some(text) = call.text(0) {
        let existing = ExistingKeys::parse(&text, is_base64, &clerks_keys(), stored_keys().as_deref())
            .unwrap_or_else(|error| Fault::argument(error.message, error.hint).raise());
        refuse_to_lose_known_secret(&existing);
        store(&existing);
        left_out = existing.left_out().to_vec();
    }
    sql::run("SELECT clerk.open_postgrest()", &[]);
    let (own_keys, clerk_keys, fingerprint) = state();
    let answer = json!({
        "own_keys": own_keys, "clerk_keys": clerk_keys, "fingerprint": fingerprint, "left_out": left_out,
    });
    Some(json::to_datum(&json::to_jsonb(&answer.to_string())))
}

/// `disconnect_postgrest(forget_keys boolean default false)`: whether there was a setting to take back.
fn disconnect_postgrest(call: &Call) -> Option<pg_sys::Datum> {
    let forgets_keys = call.yes_or_no(0, "forget_keys");
    instances::lock_all();
    let installed = pre_config(false).is_some();
    tell_postgrest::tell(Readings::Two, true);
    if installed {
        sql::run("SELECT clerk.set_authenticator_pre_config(false)", &[]);
    }
    if forgets_keys {
        sql::run("SELECT clerk.forget_postgrest()", &[]);
    }
    if let Some(reset) = pre_config(true) {
        Fault::prerequisite(
            "PostgREST goes on asking clerk.postgrest_config(), because role authenticator has that setting for all databases",
            format!("As a superuser run {reset}."),
        )
        .warn();
    }
    installed.into_datum()
}

/// What is wrong with a `jwt-secret` of PostgREST's, for the doctor.
#[pg_extern(immutable, parallel_safe, strict)]
fn jwt_secret_fault(jwt_secret: Option<&str>) -> Option<String> {
    clerk_core::jwt_secret_fault(jwt_secret?)
}

/// How to take our setting back that holds in this database, if it is one for this database or one `everywhere`.
fn pre_config(everywhere: bool) -> Option<String> {
    let select = "SELECT (SELECT s.reset FROM clerk.authenticator_settings() AS s
         WHERE s.name OPERATOR(pg_catalog.=) 'pgrst.db_pre_config' AND s.value OPERATOR(pg_catalog.=) 'clerk.postgrest_config'
           AND s.everywhere OPERATOR(pg_catalog.=) $1)";
    sql::query(|| {
        Spi::connect(|client| {
            client
                .select(select, Some(1), &[everywhere.into()])?
                .first()
                .get_one()
        })
    })
}

/// Installations of Supabase put the secret of their own tokens into this setting.
const KNOWN_SECRET: &str = "app.settings.jwt_secret";

fn refuse_to_lose_known_secret(existing: &ExistingKeys) {
    let select = "SELECT pg_catalog.current_setting($1, true)";
    let secret: Option<String> = sql::query(|| {
        Spi::connect(|client| {
            client
                .select(select, Some(1), &[KNOWN_SECRET.into()])?
                .first()
                .get_one()
        })
    });
    if secret.is_some_and(|secret| !secret.is_empty() && !existing.hold_secret(&secret)) {
        Fault::prerequisite(
            format!("the shared secret in {KNOWN_SECRET} is not among these keys, and tokens signed with it would be refused"),
            "Pass it too, as a key {\"kty\": \"oct\", \"k\": \"…\"} in base64url. If it is out of use, take the setting out: \
             ALTER DATABASE … RESET \"app.settings.jwt_secret\".",
        )
        .raise();
    }
}

fn clerks_keys() -> Vec<Jwk> {
    let select = "SELECT k.kid, k.alg, k.n, k.e FROM clerk.jwks AS k";
    sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, None, &[])?;
            rows.map(|row| {
                Ok(Jwk {
                    kid: sql::required(row.get(1)?, "kid"),
                    alg: row.get(2)?,
                    n: sql::required(row.get(3)?, "n"),
                    e: sql::required(row.get(4)?, "e"),
                })
            })
            .collect()
        })
    })
}

/// The operator's keys of an earlier call, as a JSON array.
fn stored_keys() -> Option<String> {
    let select = "SELECT (SELECT (p.own_keys)::pg_catalog.text FROM clerk.postgrest_keys AS p)";
    sql::query(|| Spi::connect(|client| client.select(select, Some(1), &[])?.first().get_one()))
}

fn store(existing: &ExistingKeys) {
    let upsert = "INSERT INTO clerk.postgrest_keys AS p (only_row, own_keys, fingerprint)
         VALUES (true, ($1::pg_catalog.text)::pg_catalog.jsonb, $2)
         ON CONFLICT (only_row) DO UPDATE
         SET own_keys = excluded.own_keys, fingerprint = excluded.fingerprint, stored_at = pg_catalog.clock_timestamp()";
    sql::run(
        upsert,
        &[existing.to_json().into(), existing.fingerprint().into()],
    );
}

/// How many keys there are of the operator and of Clerk, and what tells the operator's from others.
fn state() -> (Option<i32>, Option<i32>, Option<String>) {
    let select = "SELECT c.own_keys, c.clerk_keys, c.fingerprint FROM clerk.postgrest_connection() AS c";
    sql::query(|| Spi::connect_mut(|client| client.update(select, Some(1), &[])?.first().get_three()))
}
