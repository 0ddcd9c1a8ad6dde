//! Why a delivery was refused.

use std::fmt;

/// The code for why a delivery was refused. The codes are ours: Clerk and Svix have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookReason {
    /// One of the three headers is not there.
    WebhookHeadersMissing,
    /// The headers are not what a sender of webhooks writes.
    WebhookHeadersInvalid,
    /// The timestamp is not a number of seconds.
    WebhookTimestampInvalid,
    /// Signed, but too long ago.
    WebhookTimestampExpired,
    /// Signed, but for a time that has not come yet.
    WebhookTimestampInTheFuture,
    /// No signature is by one of the secrets.
    WebhookSignatureMismatch,
    /// The body is larger than a webhook may be.
    WebhookTooLarge,
    /// There is no secret to verify with.
    WebhookSecretMissing,
}

impl WebhookReason {
    /// Every reason, for tables of codes.
    pub const ALL: &[WebhookReason] = &[
        WebhookReason::WebhookHeadersMissing,
        WebhookReason::WebhookHeadersInvalid,
        WebhookReason::WebhookTimestampInvalid,
        WebhookReason::WebhookTimestampExpired,
        WebhookReason::WebhookTimestampInTheFuture,
        WebhookReason::WebhookSignatureMismatch,
        WebhookReason::WebhookTooLarge,
        WebhookReason::WebhookSecretMissing,
    ];

    /// The code: `webhook-headers-missing`, `webhook-signature-mismatch`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            WebhookReason::WebhookHeadersMissing => "webhook-headers-missing",
            WebhookReason::WebhookHeadersInvalid => "webhook-headers-invalid",
            WebhookReason::WebhookTimestampInvalid => "webhook-timestamp-invalid",
            WebhookReason::WebhookTimestampExpired => "webhook-timestamp-expired",
            WebhookReason::WebhookTimestampInTheFuture => "webhook-timestamp-in-the-future",
            WebhookReason::WebhookSignatureMismatch => "webhook-signature-mismatch",
            WebhookReason::WebhookTooLarge => "webhook-too-large",
            WebhookReason::WebhookSecretMissing => "webhook-secret-missing",
        }
    }

    /// The HTTP status that tells the sender so. It delivers again after any of them.
    pub const fn http_status(self) -> u16 {
        match self {
            WebhookReason::WebhookHeadersMissing
            | WebhookReason::WebhookHeadersInvalid
            | WebhookReason::WebhookTimestampInvalid
            | WebhookReason::WebhookTimestampExpired
            | WebhookReason::WebhookTimestampInTheFuture => 400,
            WebhookReason::WebhookSignatureMismatch => 401,
            WebhookReason::WebhookTooLarge => 413,
            WebhookReason::WebhookSecretMissing => 500,
        }
    }
}

impl fmt::Display for WebhookReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused delivery: the code, what was wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRefusal {
    /// The code a program can branch on.
    pub reason: WebhookReason,
    /// What was wrong, with the value at fault. Never a secret, a signature or a body; values are cut and escaped by
    /// [`crate::quote`].
    pub message: String,
    /// The next step for the person who reads it.
    pub hint: String,
}

impl WebhookRefusal {
    /// A refusal for `reason`, saying `message` and `hint`.
    pub fn new(reason: WebhookReason, message: impl Into<String>, hint: impl Into<String>) -> Self {
        WebhookRefusal {
            reason,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for WebhookRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for WebhookRefusal {}
