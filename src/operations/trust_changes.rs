//! `clerk.remove_instance` and `clerk.set_identity_source`.

use clerk_core::quote;
use pgrx::prelude::*;

use super::{instances, keys, sql};
use crate::error::Fault;
use crate::token::trust::IdentitySource;

#[pg_extern(strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn remove_instance(issuer: Option<&str>) {
    let Some(issuer) = issuer else { return };
    instances::lock_all();
    instances::delete(&keys::named(issuer).issuer);
}

#[pg_extern(strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_identity_source(source: Option<&str>) {
    let Some(source) = source else { return };
    if IdentitySource::parse(source).is_none() {
        Fault::argument(
            format!("unknown identity source {}", quote(source)),
            "Use 'auto' (request.jwt.claims when set, else clerk.jwt), 'claims' or 'token'.",
        )
        .raise();
    }
    let upsert = "INSERT INTO clerk.settings AS s (only_row, identity_source) VALUES (true, $1)
         ON CONFLICT (only_row) DO UPDATE SET identity_source = excluded.identity_source";
    sql::run(upsert, &[source.into()]);
}
