//! Errors in Clerk's form, with the codes of its Backend API.

use axum::http::StatusCode;
use serde_json::json;

use crate::world::Resource;

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    long_message: String,
    /// The parameter that is to blame.
    parameter: Option<String>,
    /// Seconds, for the `Retry-After` header.
    retry_after: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: &str, long_message: String) -> Self {
        Self {
            status,
            code,
            message: message.to_owned(),
            long_message,
            parameter: None,
            retry_after: None,
        }
    }

    fn of_parameter(mut self, name: &str) -> Self {
        self.parameter = Some(name.to_owned());
        self
    }

    /// There is no bearer token.
    pub(crate) fn no_bearer() -> Self {
        let long = "Invalid Authorization header format. Must be 'Bearer <YOUR_API_KEY>'";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "authorization_header_format_invalid",
            "Invalid Authorization header format",
            long.to_owned(),
        )
    }

    /// The secret key is not, or no longer, the instance's.
    pub(crate) fn wrong_key() -> Self {
        let message =
            "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.";
        Self::new(
            StatusCode::UNAUTHORIZED,
            "clerk_key_invalid",
            message,
            message.to_owned(),
        )
    }

    /// `Clerk-API-Version` is unknown or said twice.
    pub(crate) fn version(reason: &str) -> Self {
        let long = format!("Invalid Clerk API version: {reason}");
        Self::new(
            StatusCode::BAD_REQUEST,
            "api_version_invalid",
            "invalid API version",
            long,
        )
    }

    /// The key may not do that.
    pub(crate) fn forbidden() -> Self {
        let long = "You are not authorized to perform this request";
        Self::new(
            StatusCode::FORBIDDEN,
            "authorization_invalid",
            "Unauthorized request",
            long.to_owned(),
        )
    }

    /// The instance has no billing for people, or none for organizations.
    pub(crate) fn no_billing(whom: &str) -> Self {
        let long = format!(
            "The billing feature for {whom} is not enabled for this instance. You can enable it at https://dashboard.clerk.com."
        );
        Self::new(
            StatusCode::FORBIDDEN,
            "billing_not_enabled",
            "access denied",
            long,
        )
    }

    /// There is no such thing.
    pub(crate) fn not_found(long_message: String) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "resource_not_found",
            "not found",
            long_message,
        )
    }

    /// There is no such person, organization, …
    pub(crate) fn no_such(resource: Resource, id: &str) -> Self {
        Self::not_found(match resource {
            Resource::Users => format!("No user was found with id {id}"),
            Resource::Organizations => "Given organization not found.".to_owned(),
            _ => "Resource not found".to_owned(),
        })
    }

    /// The instance has no organizations.
    pub(crate) fn no_organizations() -> Self {
        let long = "The organizations feature is not enabled for this instance. You can enable it at https://dashboard.clerk.com.";
        Self::new(
            StatusCode::FORBIDDEN,
            "organization_not_enabled_in_instance",
            "access denied",
            long.to_owned(),
        )
    }

    /// The instance sends no webhooks.
    pub(crate) fn no_svix_app() -> Self {
        let message = "No Svix apps are associated with the current instance.";
        Self::new(
            StatusCode::BAD_REQUEST,
            "svix_app_missing",
            message,
            message.to_owned(),
        )
    }

    /// This payer has no subscription.
    pub(crate) fn no_subscription() -> Self {
        let message = "Subscription not found";
        Self::new(
            StatusCode::NOT_FOUND,
            "subscription_not_found",
            message,
            message.to_owned(),
        )
    }

    /// A parameter has a value that it cannot have.
    pub(crate) fn parameter(name: &str, long_message: String) -> Self {
        let error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "form_param_value_invalid",
            "is invalid",
            long_message,
        );
        error.of_parameter(name)
    }

    /// A parameter names a thing that is not there.
    pub(crate) fn missing_resource(name: &str) -> Self {
        let long = format!("The resource associated with the supplied {name} was not found.");
        let error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "form_resource_not_found",
            "is missing",
            long,
        );
        error.of_parameter(name)
    }

    /// Too much was asked in too little time.
    pub(crate) fn too_many(retry_after: Option<u64>) -> Self {
        let long = "Too many requests, retry later".to_owned();
        let mut error = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many requests",
            long,
        );
        error.retry_after = retry_after;
        error
    }

    /// Something broke at Clerk.
    pub(crate) fn internal() -> Self {
        let long =
            "There was an internal error on our servers. We've been notified and are working on fixing it.";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_clerk_error",
            "Oops, an unexpected error occurred",
            long.to_owned(),
        )
    }

    /// Clerk can do this, and the simulator cannot. No client shall take it for an answer of Clerk's.
    pub(crate) fn not_simulated(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "not_simulated",
            "not simulated",
            format!("clerk-sim does not simulate {what}"),
        )
    }

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Seconds, for the `Retry-After` header.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// The body of the answer.
    pub(super) fn body(&self, trace_id: &str) -> String {
        let mut error =
            json!({ "message": self.message, "long_message": self.long_message, "code": self.code });
        if let Some(parameter) = &self.parameter {
            error["meta"] = json!({ "param_name": parameter });
        }
        json!({ "errors": [error], "clerk_trace_id": trace_id }).to_string()
    }
}
