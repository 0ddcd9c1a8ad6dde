//! The ways in which the key endpoint can misbehave.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

/// What `/.well-known/jwks.json` does with a request. In JSON `{"kind": "slow", "ms": 100}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// None: the current set at once.
    Ok,
    /// The current set after a wait.
    Slow {
        /// The wait in milliseconds.
        ms: u64,
    },
    /// The connection is accepted and never answered.
    Stall,
    /// 503, without keys.
    Down,
    /// 429, without keys, with a wait that is asked for.
    Busy {
        /// The value of the `retry-after` header.
        retry_after: String,
    },
    /// The current set under another status, so that a client that ignores the status is found out.
    Status {
        /// 200 to 599.
        code: u16,
    },
    /// A web page, as a captive portal or a wrong host gives.
    Html,
    /// The current set, valid JSON, in a body over 1 MiB.
    Huge,
    /// A body that begins well, goes on byte by byte and never ends.
    Endless,
    /// The current set, cut off in the middle by a closed connection.
    Half,
    /// 302 to somewhere else.
    Redirect {
        /// The value of the `location` header.
        location: String,
    },
    /// 200 and the media type of JSON, but not JSON.
    Wrong,
    /// The current set, in which each key also has its private members.
    PrivateKeys,
    /// The current set and a symmetric key.
    SymmetricKey,
    /// The current set and an RSA key of 1024 bits.
    ShortRsa,
    /// `{"keys": []}`.
    Empty,
}

/// The wait between two bytes of an endless body: far below any client's patience for one read.
const DRIP: Duration = Duration::from_millis(20);

/// What makes a body huge.
const PADDING: usize = 1024 * 1024;

/// Modulus of an RSA key of 1024 bits; nobody kept the private half.
const SHORT_MODULUS: &str = "nDLgzVkNNzBquqhr_21ngc7k_CJ2uJcp1IetfKOWLVUxEfD62rMV8irVwp5QpWVjYT17ioE2Jsb1SFK2g7gH6uUHGZ7xi-X\
    1ciRQUlQ8nkOcFMXmbn9Yu3kfy7ahuZwTKGXsXIEImU3sthEneZ5hUMLLGuC_N55uFcUmIaAtJgU";

impl Fault {
    /// The answer to one request, `jwks` being the current set.
    pub(crate) async fn answer(self, mut jwks: Value) -> Response {
        match self {
            Self::Ok => Json(jwks).into_response(),
            Self::Slow { ms } => {
                sleep(Duration::from_millis(ms)).await;
                Json(jwks).into_response()
            }
            Self::Stall => pending().await,
            Self::Down => (StatusCode::SERVICE_UNAVAILABLE, "down for maintenance").into_response(),
            Self::Busy { retry_after } => {
                let headers = [(header::RETRY_AFTER, retry_after)];
                (StatusCode::TOO_MANY_REQUESTS, headers, "too many requests").into_response()
            }
            Self::Status { code } => {
                let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, Json(jwks)).into_response()
            }
            Self::Html => Html("<!doctype html><title>Sign in to the network</title>").into_response(),
            Self::Huge => {
                jwks["padding"] = "x".repeat(PADDING).into();
                Json(jwks).into_response()
            }
            Self::Endless => json_body(endless()),
            Self::Half => half(&jwks.to_string()),
            Self::Redirect { location } => {
                (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
            }
            Self::Wrong => json_body(Body::from("this is not JSON")),
            Self::PrivateKeys => {
                add_private_members(&mut jwks);
                Json(jwks).into_response()
            }
            Self::SymmetricKey => {
                let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ";
                let key =
                    json!({"use": "sig", "kty": "oct", "kid": "ins_symmetric", "alg": "HS256", "k": secret});
                add_key(&mut jwks, key);
                Json(jwks).into_response()
            }
            Self::ShortRsa => {
                let key = json!({
                    "use": "sig", "kty": "RSA", "kid": "ins_short", "alg": "RS256", "n": SHORT_MODULUS, "e": "AQAB",
                });
                add_key(&mut jwks, key);
                Json(jwks).into_response()
            }
            Self::Empty => Json(json!({"keys": []})).into_response(),
        }
    }
}

fn json_body(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The beginning of a set, then a space at every drip.
fn endless() -> Body {
    let drops = stream::unfold("{\"keys\": [", |next| async move {
        sleep(DRIP).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(next.as_bytes())), " "))
    });
    Body::from_stream(drops)
}

/// Promises the whole of `text` and closes the connection after half of it.
fn half(text: &str) -> Response {
    let mut response = json_body(cut_in_half(text));
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, text.len().into());
    response
}

/// The first half of `text`, then a closed connection.
pub(crate) fn cut_in_half(text: &str) -> Body {
    let beginning = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let cut = async {
        // A failing body takes unsent bytes with it, so let the beginning go out first.
        sleep(DRIP).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    let body = stream::iter([Ok(beginning)]).chain(stream::once(cut));
    Body::from_stream(body)
}

/// Adds members that only a private key has (RFC 7518 §6.3.2). Their values are made up: it is their presence
/// that a client must notice.
fn add_private_members(jwks: &mut Value) {
    for key in jwks["keys"].as_array_mut().into_iter().flatten() {
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            key[member] = "cHJpdmF0ZQ".into();
        }
    }
}

fn add_key(jwks: &mut Value, key: Value) {
    if let Some(keys) = jwks["keys"].as_array_mut() {
        keys.push(key);
    }
}
