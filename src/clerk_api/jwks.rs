//! Fetches an instance's public keys from `/.well-known/jwks.json`.

use clerk_core::{Jwk, Reason, Refusal, parse_jwks, quote};

use super::http;

/// A Clerk key set has one or two keys of 0.5 KB each.
const MAX_BYTES: u64 = 256 * 1024;

/// The usable keys that `url` answers, or why there are none.
pub fn fetch(url: &str) -> Result<Vec<Jwk>, Refusal> {
    let body = http::get(url, MAX_BYTES).map_err(|error| {
        Refusal::new(
            Reason::JwkRemoteFailedToLoad,
            format!("fetching Clerk's keys from {} failed: {error}", quote(url)),
            "Check that the database server can reach this URL, or bring the keys with clerk.import_jwks(issuer, jwks).",
        )
    })?;
    parse_jwks(&body).map_err(|error| {
        Refusal::new(
            error.reason,
            format!("the keys at {} were refused: {}", quote(url), error.message),
            error.hint,
        )
    })
}
