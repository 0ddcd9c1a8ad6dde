//! Signs webhooks as Svix does for Clerk.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::random::random_bytes;

/// The headers of one delivery. In JSON an object of three texts, as `request.headers` has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SvixHeaders {
    /// The same in every delivery of an event.
    #[serde(rename = "svix-id")]
    pub id: String,
    /// Seconds since 1970, new with every attempt.
    #[serde(rename = "svix-timestamp")]
    pub timestamp: String,
    /// `v1,` and the code, over all three of id, timestamp and body.
    #[serde(rename = "svix-signature")]
    pub signature: String,
}

impl SvixHeaders {
    /// Names and values.
    pub fn pairs(&self) -> [(&'static str, &str); 3] {
        [
            ("svix-id", &self.id),
            ("svix-timestamp", &self.timestamp),
            ("svix-signature", &self.signature),
        ]
    }

    /// As a JSON text: what `clerk.receive_webhook` takes for its headers.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("three texts are JSON")
    }
}

/// What an endpoint and its sender share: `whsec_…`.
pub struct SigningSecret(hmac::Key);

impl SigningSecret {
    /// Reads a secret, with or without `whsec_`.
    ///
    /// # Errors
    /// With the reason, if it is empty or not base64. The reason does not repeat the secret.
    pub fn parse(secret: &str) -> Result<Self, String> {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
            .map_err(|error| format!("the signing secret is not base64 after whsec_: {error}"))?;
        if key.is_empty() {
            return Err("the signing secret is empty".to_owned());
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The headers of a delivery at `timestamp_s`, in seconds since 1970.
    pub fn sign(&self, svix_id: &str, timestamp_s: i64, body: impl AsRef<[u8]>) -> SvixHeaders {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{svix_id}.{timestamp_s}.").as_bytes());
        context.update(body.as_ref());
        SvixHeaders {
            id: svix_id.to_owned(),
            timestamp: timestamp_s.to_string(),
            signature: format!("v1,{}", STANDARD.encode(context.sign())),
        }
    }
}

/// The headers of one delivery; [`SigningSecret`] is quicker for many.
///
/// # Panics
/// If the secret is empty or not base64.
pub fn sign(secret: &str, svix_id: &str, timestamp_s: i64, body: impl AsRef<[u8]>) -> SvixHeaders {
    SigningSecret::parse(secret)
        .expect("a signing secret is base64 after whsec_")
        .sign(svix_id, timestamp_s, body)
}

/// A fresh `whsec_…`, as the dashboard shows for a new endpoint.
pub fn new_signing_secret() -> String {
    format!("whsec_{}", STANDARD.encode(random_bytes(24)))
}
