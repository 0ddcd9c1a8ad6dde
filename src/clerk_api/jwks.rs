//! Fetches an instance's public keys from `/.well-known/jwks.json`.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use clerk_core::backend_api::answered_at;
use clerk_core::backend_api::retry::Tries;
use clerk_core::{Jwk, Reason, Refusal, parse_jwks, quote};
use ureq::http::{Method, StatusCode};

use super::backend::{dice, rest};
use super::http::{Client, Limits, Response, redirected};
use super::trouble::Trouble;
use crate::settings;

/// A Clerk key set has one or two keys of 0.5 KB each.
const MAX_BYTES: u64 = 256 * 1024;

/// Redirects within one host that are followed.
const MAX_REDIRECTS: usize = 3;

/// The usable keys that `url` answers, or why there are none.
pub fn fetch(url: &str) -> Result<Vec<Jwk>, Refusal> {
    fetch_dated(url).map(|(keys, _)| keys)
}

/// As [`fetch`], with the time of the answer by Clerk, in microseconds since 1970, if it says.
pub fn fetch_dated(url: &str) -> Result<(Vec<Jwk>, Option<i64>), Refusal> {
    let response = get(url).map_err(|error| {
        Refusal::new(
            Reason::JwkRemoteFailedToLoad,
            format!("fetching Clerk's keys from {} failed: {error}", quote(url)),
            "Check that the database server can reach this URL, or bring the keys with clerk.import_jwks(issuer, keys).",
        )
    })?;
    let keys = parse_jwks(&response.body).map_err(|error| {
        Refusal::new(
            error.reason,
            format!("the keys at {} were refused: {}", quote(url), error.message),
            error.hint,
        )
    })?;
    Ok((keys, answered_at(response.header("date"), SystemTime::now()).ok()))
}

/// Asks until there is an answer, as long as that can help, within `clerk.http_timeout` in all.
fn get(url: &str) -> Result<Response, Miss> {
    let client = Client::new()?;
    let (whole, started) = (settings::http_timeout(), Instant::now());
    let mut tries = Tries::within(whole);
    loop {
        let until = Instant::now() + tries.limit(started.elapsed());
        let miss = match follow(&client, url, until) {
            Ok(response) => return Ok(response),
            Err(miss) => miss,
        };
        let pause = miss
            .may_pass()
            .then(|| tries.pause(started.elapsed(), miss.wait(), dice()));
        match pause.flatten() {
            Some(pause) => rest(pause),
            None => return Err(miss.of_all_tries(whole)),
        }
    }
}

/// One try: the request, and those to which it is redirected.
fn follow(client: &Client, url: &str, until: Instant) -> Result<Response, Miss> {
    let mut url = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let limits = Limits {
            timeout: until.saturating_duration_since(Instant::now()),
            max_bytes: MAX_BYTES,
        };
        let response = client.send(Method::GET, &url, &[], limits)?;
        if response.status.is_redirection() {
            url = redirected(&url, &response)?;
        } else if response.status == StatusCode::OK {
            return Ok(response);
        } else {
            return Err(Miss::Status(response.status, response.retry_after()));
        }
    }
    Err(Miss::Redirects)
}

/// Why a try brought no keys.
enum Miss {
    Trouble(Trouble),
    /// Another status than 200, and how long whoever answered wants to be left alone.
    Status(StatusCode, Option<Duration>),
    Redirects,
}

impl Miss {
    fn may_pass(&self) -> bool {
        match self {
            Self::Trouble(trouble) => trouble.may_pass(),
            Self::Status(status, _) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Redirects => false,
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Status(_, wait) => *wait,
            _ => None,
        }
    }

    /// One try's time is nothing that anybody has set.
    fn of_all_tries(self, whole: Duration) -> Self {
        match self {
            Self::Trouble(Trouble::Timeout(_)) => Trouble::Timeout(whole.as_millis()).into(),
            other => other,
        }
    }
}

impl From<Trouble> for Miss {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Status(status, _) => write!(f, "the answer was HTTP {}", status.as_u16()),
            Self::Redirects => write!(f, "it redirected more than {MAX_REDIRECTS} times"),
        }
    }
}
