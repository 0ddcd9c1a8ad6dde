//! Fetches an instance's public keys from `/.well-known/jwks.json`.

use clerk_core::{Jwk, Reason, Refusal, parse_jwks, quote};
use ureq::http::{Method, StatusCode};

use super::http::{Client, Limits, redirected};
use crate::settings;

/// A Clerk key set has one or two keys of 0.5 KB each.
const MAX_BYTES: u64 = 256 * 1024;

/// Redirects within one host that are followed.
const MAX_REDIRECTS: usize = 3;

/// The usable keys that `url` answers, or why there are none.
pub fn fetch(url: &str) -> Result<Vec<Jwk>, Refusal> {
    let body = get(url).map_err(|error| {
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

fn get(url: &str) -> Result<String, String> {
    let limits = Limits {
        timeout: settings::http_timeout(),
        max_bytes: MAX_BYTES,
    };
    let client = Client::new(limits).map_err(|trouble| trouble.to_string())?;
    let mut url = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let response = client
            .send(Method::GET, &url, &[])
            .map_err(|trouble| trouble.to_string())?;
        if response.status.is_redirection() {
            url = redirected(&url, &response).map_err(|trouble| trouble.to_string())?;
        } else if response.status == StatusCode::OK {
            return Ok(response.body);
        } else {
            return Err(format!("the answer was HTTP {}", response.status.as_u16()));
        }
    }
    Err(format!("it redirected more than {MAX_REDIRECTS} times"))
}
