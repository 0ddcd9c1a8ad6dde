//! `clerk.refresh_jwks` and `clerk.import_jwks`: bring the keys of an instance.

use clerk_core::{Jwk, parse_keys, quote};
use pgrx::prelude::*;

use super::instances::{self, Instance};
use super::key_store::{self, Origin};
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;
use crate::pg::hidden_statement::HiddenStatement;
use crate::workers::fetch_keys;

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn refresh_jwks(issuer: default!(Option<&str>, "NULL")) -> i32 {
    // So that the URL is still the instance's when its keys are stored. And who may not write is told so before the
    // wait for an answer that could not be stored.
    instances::lock_all();
    let chosen = match issuer {
        Some(issuer) => vec![named(issuer)],
        None => instances::all()
            .into_iter()
            .filter(|instance| instance.jwks_url.is_some())
            .collect(),
    };
    if chosen.is_empty() {
        Fault::prerequisite(
            "no instance with a JWKS URL is configured",
            "Run SELECT * FROM clerk.configure(publishable_key => 'pk_…') first.",
        )
        .raise();
    }
    chosen.iter().map(refresh).sum()
}

fn refresh(instance: &Instance) -> i32 {
    let Some(url) = &instance.jwks_url else {
        Fault::prerequisite(
            format!("instance {} has no JWKS URL", quote(&instance.issuer)),
            "Set one with clerk.configure(issuer => …, jwks_url => …), or use clerk.import_jwks(issuer, keys).",
        )
        .raise()
    };
    let keys = fetch(&instance.issuer, url).unwrap_or_else(|fault| fault.raise());
    key_store::replace(&instance.issuer, &keys, Origin::Fetched);
    keys.len() as i32
}

/// Fetches the keys at `url` through a worker, and notes how that went.
pub fn fetch(issuer: &str, url: &str) -> Result<Vec<Jwk>, Fault> {
    let result = fetch_keys::fetch_now(url);
    key_store::note_fetch(issuer, result.as_ref().err().map(Fault::message));
    result
}

c_function!(clerk_import_jwks, import_jwks);

/// `import_jwks(issuer text, keys text, kid text default null)`
fn import_jwks(call: &Call) -> Option<pg_sys::Datum> {
    // A set that is refused may hold a private key.
    let _hidden = HiddenStatement::enter();
    let (issuer, keys) = (call.text(0)?, call.text(1)?);
    let instance = named(issuer.trim());
    let keys = parse_keys(&keys, call.text(2).as_deref().map(str::trim)).unwrap_or_else(|error| {
        Fault::argument(format!("the keys were refused: {}", error.message), error.hint).raise()
    });
    key_store::replace(&instance.issuer, &keys, Origin::Imported);
    (keys.len() as i32).into_datum()
}

/// The instance that answers to `issuer`; raises if there is none.
pub fn named(issuer: &str) -> Instance {
    let found = instances::all()
        .into_iter()
        .find(|instance| instance.answers_to(issuer));
    found.unwrap_or_else(|| {
        Fault::missing(
            format!("no instance with issuer {} is configured", quote(issuer)),
            "SELECT issuer FROM clerk.instances lists the configured ones.",
        )
        .raise()
    })
}
