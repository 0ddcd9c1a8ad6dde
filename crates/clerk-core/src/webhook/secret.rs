//! The secret that Clerk and the receiver share.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::pasted::{is_placeholder, surrounded};

/// Standard base64, with padding when written; some tools show secrets without it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Fewest bytes a secret may have. The specification asks senders for 24 to 64; fewer than these could be guessed.
const MIN_SECRET_BYTES: usize = 16;

/// Bytes of the digest that a fingerprint shows: enough to tell secrets apart.
const FINGERPRINT_BYTES: usize = 8;

/// An endpoint's signing secret, ready to be used. Shows nothing of itself but its fingerprint.
///
/// Only the state of the HMAC is kept, which aws-lc wipes when it is dropped.
#[derive(Clone)]
pub struct SigningSecret {
    key: Key,
    fingerprint: String,
}

impl SigningSecret {
    /// Reads `whsec_` and standard base64, as Clerk's dashboard shows it. Prefix, padding and surrounding white space
    /// may be missing or there.
    ///
    /// # Errors
    /// When it is empty, has a prefix of something else, has something around it, is a placeholder, is not base64, or has fewer than
    /// 16 bytes.
    pub fn parse(text: &str) -> Result<Self, SigningSecretError> {
        if let Some(pasted) = surrounded(text) {
            Self::parse(pasted.value)?;
            return Err(SigningSecretError::new(format!(
                "the signing secret has {}",
                pasted.what
            )));
        }
        let text = text.trim();
        if ["whsk_", "whpk_", "v1a,"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            return Err(SigningSecretError::new(
                "this is for ed25519 signatures (v1a); Clerk's endpoints sign with a secret that starts with whsec_",
            ));
        }
        if ["sk_", "pk_"].iter().any(|prefix| text.starts_with(prefix)) {
            return Err(SigningSecretError::new(
                "this is a key for Clerk's APIs; a webhook signing secret starts with whsec_",
            ));
        }
        let encoded = text.strip_prefix("whsec_").unwrap_or(text);
        if encoded.is_empty() {
            return Err(SigningSecretError::new("the signing secret is empty"));
        }
        if is_placeholder(encoded) {
            return Err(SigningSecretError::new(
                "the signing secret is a placeholder, or what the dashboard shows of a hidden secret",
            ));
        }
        let Ok(bytes) = BASE64.decode(encoded) else {
            return Err(SigningSecretError::new(
                "the signing secret is not whsec_ followed by base64; was it cut?",
            ));
        };
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(SigningSecretError::new(format!(
                "the signing secret has {} bytes, fewer than {MIN_SECRET_BYTES}; was it cut?",
                bytes.len()
            )));
        }
        Ok(SigningSecret {
            key: Key::new(HMAC_SHA256, &bytes),
            fingerprint: fingerprint(&bytes),
        })
    }

    /// A name for the secret that may be shown: the first 8 bytes of the SHA-256 digest of its bytes, in hex. It is the
    /// same with and without prefix and padding.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The signature of a delivery, as the base64 that follows `v1,` in the header. The body is not copied.
    pub(super) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut context = Context::with_key(&self.key);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        BASE64.encode(context.sign())
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningSecret")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

fn fingerprint(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref()[..FINGERPRINT_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Why a text is not a signing secret. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSecretError {
    /// What was wrong.
    pub message: String,
    /// The next step.
    pub hint: String,
}

impl SigningSecretError {
    fn new(message: impl Into<String>) -> Self {
        SigningSecretError {
            message: message.into(),
            hint: "Pass the endpoint's Signing Secret alone, as the Clerk Dashboard shows it under Webhooks: whsec_ and base64."
                .to_owned(),
        }
    }
}

impl fmt::Display for SigningSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SigningSecretError {}
