//! What was asked.

use std::collections::BTreeMap;

use axum::extract::Request;
use serde::Serialize;

use super::fault::ApiFault;

/// One request to the Backend API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ApiRequest {
    /// `GET` or another method.
    pub method: String,
    /// The path below `/v1`, such as `/users`.
    pub path: String,
    /// What follows the `?`, as it came.
    pub query: String,
    /// The status that was decided on; sent or not. 0 while nothing is decided.
    pub status: u16,
    /// The fault it met.
    pub fault: Option<ApiFault>,
}

/// All requests so far.
#[derive(Default)]
pub(crate) struct Journal {
    requests: Vec<ApiRequest>,
}

impl Journal {
    /// Notes a request; gives its number.
    pub(super) fn begin(&mut self, request: &Request, path: &str) -> usize {
        self.requests.push(ApiRequest {
            method: request.method().to_string(),
            path: path.to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            status: 0,
            fault: None,
        });
        self.requests.len() - 1
    }

    pub(super) fn end(&mut self, number: usize, status: u16, fault: Option<&ApiFault>) {
        let request = &mut self.requests[number];
        request.status = status;
        request.fault = fault.cloned();
    }

    pub(crate) fn requests(&self) -> &[ApiRequest] {
        &self.requests
    }

    /// How many requests each path has had.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for request in &self.requests {
            *counts.entry(request.path.clone()).or_default() += 1;
        }
        counts
    }
}
