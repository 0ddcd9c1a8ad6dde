//! Is a delivery from Clerk? The signature check of Standard Webhooks, by which Svix sends for Clerk.

mod headers;
mod refusal;
mod secret;
mod verify;

pub use headers::WebhookHeaders;
pub use refusal::{WebhookReason, WebhookRefusal};
pub use secret::{SigningSecret, SigningSecretError};
pub use verify::{MAX_WEBHOOK_BYTES, Verified, WEBHOOK_TOLERANCE_SECONDS, verify_webhook};
