//! An answer before it is sent.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use crate::random::random_hex;

const CF_RAY: HeaderName = HeaderName::from_static("cf-ray");

/// An answer and what it is about.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: String,
    headers: HeaderMap,
    trace_id: String,
}

impl Reply {
    /// An answer that is true at this moment of the world's time.
    pub(super) fn at(moment_ms: i64) -> Self {
        let trace_id = random_hex(16);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::DATE, date(moment_ms));
        // Clerk stands behind Cloudflare, whose id is there even if nothing of Clerk's is.
        headers.insert(CF_RAY, value(&trace_id[..16]));
        Self {
            status: StatusCode::OK,
            body: String::new(),
            headers,
            trace_id,
        }
    }

    /// With this JSON, or what is meant to look like it.
    pub(super) fn ok(mut self, body: String) -> Self {
        self.status = StatusCode::OK;
        self.body = body;
        self
    }

    /// With an error instead.
    pub(super) fn error(mut self, error: &ApiError) -> Self {
        self.status = error.status();
        self.body = error.body(&self.trace_id);
        if let Some(seconds) = error.retry_after() {
            self.headers
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        self
    }

    /// With a web page instead.
    pub(super) fn page(mut self, status: StatusCode, html: String) -> Self {
        self.status = status;
        self.body = html;
        let html = HeaderValue::from_static("text/html");
        self.headers.insert(header::CONTENT_TYPE, html);
        self
    }

    /// Pointing elsewhere instead.
    pub(super) fn redirect(mut self, location: &str) -> Self {
        self.status = StatusCode::FOUND;
        self.body = String::new();
        self.headers.insert(header::LOCATION, value(location));
        self
    }

    pub(super) fn send(self) -> Response {
        (self.status, self.headers, self.body).into_response()
    }

    /// Sends something else as the body, whose length is told or not.
    pub(super) fn send_as(mut self, length: Option<usize>, body: impl FnOnce(String) -> Body) -> Response {
        if let Some(length) = length {
            self.headers
                .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        (self.status, self.headers, body(self.body)).into_response()
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("it fits a header")
}

/// A `Date` header says whole seconds; what is left over is cut off.
fn date(moment_ms: i64) -> HeaderValue {
    let seconds = u64::try_from(moment_ms.div_euclid(1000)).unwrap_or_default();
    value(&httpdate::fmt_http_date(
        UNIX_EPOCH + Duration::from_secs(seconds),
    ))
}
