//! Who may ask, and in which version.

use axum::http::{HeaderMap, header};

use super::error::ApiError;
use super::query::Query;

/// The versions of the Backend API that Clerk serves.
const VERSIONS: [&str; 5] = [
    "2021-02-05",
    "2024-10-01",
    "2025-04-10",
    "2025-11-10",
    "2026-05-12",
];

/// The key must be the instance's present one.
pub(super) fn check_key(headers: &HeaderMap, secret_key: &str) -> Result<(), ApiError> {
    let authorization = headers.get(header::AUTHORIZATION);
    let text = authorization.and_then(|value| value.to_str().ok());
    let Some(key) = text.and_then(|text| text.strip_prefix("Bearer ")) else {
        return Err(ApiError::no_bearer());
    };
    if key == secret_key {
        Ok(())
    } else {
        Err(ApiError::wrong_key())
    }
}

/// A version is said once, by header or by parameter, or not at all.
pub(super) fn check_version(headers: &HeaderMap, query: &Query) -> Result<(), ApiError> {
    let by_header = headers.get("clerk-api-version");
    let by_header = by_header.map(|value| value.to_str().unwrap_or_default());
    let by_query = query.get("__clerk_api_version");
    let version = match (by_header, by_query) {
        (Some(_), Some(_)) => return Err(ApiError::version("it is given both as a header and in the query")),
        (Some(version), None) | (None, Some(version)) => version,
        (None, None) => return Ok(()),
    };
    if VERSIONS.contains(&version) {
        Ok(())
    } else {
        Err(ApiError::version(&format!("{version:?} is not a version")))
    }
}
