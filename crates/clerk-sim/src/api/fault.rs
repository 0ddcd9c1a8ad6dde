//! The ways in which the Backend API can fail a client.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::error::ApiError;
use super::reply::Reply;
use crate::connection::Wire;
use crate::faults::cut_in_half;

/// What happens to one request that was let in. In JSON `{"kind": "slow", "ms": 100}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ApiFault {
    /// 401, as if the key were wrong.
    Unauthorized,
    /// 403 `authorization_invalid`.
    Forbidden,
    /// 404 `resource_not_found`.
    NotFound,
    /// 422 `form_param_value_invalid`.
    Unprocessable,
    /// 429, although the limit is not reached.
    TooManyRequests {
        /// Seconds for the `Retry-After` header; none is no header.
        retry_after: Option<u64>,
    },
    /// 500 in Clerk's form.
    ServerError,
    /// 502 and a web page, as of a proxy before Clerk: there is no trace id but the `cf-ray` header.
    BadGateway,
    /// 200 and a web page.
    Html,
    /// 302 to somewhere else.
    Redirect {
        /// The value of the `location` header.
        location: String,
    },
    /// 200 and the media type of JSON, but not JSON.
    WrongJson,
    /// 200 and valid JSON that is not what was asked for.
    WrongShape,
    /// An empty page and a count of 0. Meets lists only.
    EmptyList,
    /// Half the page, although more exist; the count stays true. Meets lists only.
    ShortList,
    /// The page that was asked for before on this path. Meets lists only, from their second page on.
    RepeatedPage,
    /// The answer after a wait.
    Slow {
        /// The wait in milliseconds.
        ms: u64,
    },
    /// The answer byte by byte.
    Drip {
        /// Milliseconds between two bytes.
        ms: u64,
    },
    /// The answer, and so much white space after it, of untold length.
    Huge {
        /// 200 MiB would be 200.
        mib: usize,
    },
    /// The answer, cut off in the middle by a closed connection.
    Half,
    /// The connection is kept open and never answered on.
    Stall,
    /// The connection is reset.
    Reset,
}

const CHUNK: usize = 64 * 1024;

impl ApiFault {
    /// What heals if the request is made again: 429 with and without `Retry-After`, 5xx, cut or wrong bodies, resets.
    pub fn transient() -> Vec<Self> {
        vec![
            Self::TooManyRequests { retry_after: Some(1) },
            Self::TooManyRequests { retry_after: None },
            Self::ServerError,
            Self::BadGateway,
            Self::WrongJson,
            Self::Half,
            Self::Reset,
        ]
    }

    pub(super) fn is_for_lists(&self) -> bool {
        matches!(self, Self::EmptyList | Self::ShortList | Self::RepeatedPage)
    }

    /// The answer that is given instead of the true one.
    pub(super) fn replace(&self, reply: Reply) -> Reply {
        let page = |title: &str| format!("<!doctype html><title>{title}</title><h1>{title}</h1>");
        match self {
            Self::Unauthorized => reply.error(&ApiError::wrong_key()),
            Self::Forbidden => reply.error(&ApiError::forbidden()),
            Self::NotFound => reply.error(&ApiError::not_found("Resource not found".to_owned())),
            Self::Unprocessable => {
                let long = "100 does not match one of the allowed values for parameter limit".to_owned();
                reply.error(&ApiError::parameter("limit", long))
            }
            Self::TooManyRequests { retry_after } => reply.error(&ApiError::too_many(*retry_after)),
            Self::ServerError => reply.error(&ApiError::internal()),
            Self::BadGateway => reply.page(StatusCode::BAD_GATEWAY, page("502 Bad Gateway")),
            Self::Html => reply.page(StatusCode::OK, page("Sign in to the network")),
            Self::Redirect { location } => reply.redirect(location),
            Self::WrongJson => reply.ok("this is not JSON".to_owned()),
            Self::WrongShape => reply.ok(r#"{"object":"something_else"}"#.to_owned()),
            _ => reply,
        }
    }

    /// Sends the answer, or not.
    pub(super) async fn deliver(self, reply: Reply, wire: &Wire) -> Response {
        match self {
            Self::Slow { ms } => {
                sleep(Duration::from_millis(ms)).await;
                reply.send()
            }
            Self::Drip { ms } => {
                let length = reply.body.len();
                reply.send_as(Some(length), |text| drip(text.into(), Duration::from_millis(ms)))
            }
            Self::Huge { mib } => reply.send_as(None, |text| padded(text.into(), mib)),
            Self::Half => {
                let length = reply.body.len();
                reply.send_as(Some(length), |text| cut_in_half(&text))
            }
            Self::Stall => pending().await,
            Self::Reset => {
                wire.reset();
                StatusCode::OK.into_response()
            }
            _ => reply.send(),
        }
    }
}

/// One byte after another.
fn drip(body: Bytes, pause: Duration) -> Body {
    let drops = stream::iter(0..body.len()).then(move |at| {
        let drop = body.slice(at..=at);
        async move {
            sleep(pause).await;
            Ok::<_, Infallible>(drop)
        }
    });
    Body::from_stream(drops)
}

/// White space may follow any JSON.
fn padded(body: Bytes, mib: usize) -> Body {
    let spaces = Bytes::from(vec![b' '; CHUNK]);
    let padding = stream::iter((0..mib * 1024 * 1024 / CHUNK).map(move |_| spaces.clone()));
    let whole = stream::iter([body]).chain(padding);
    Body::from_stream(whole.map(Ok::<_, Infallible>))
}
