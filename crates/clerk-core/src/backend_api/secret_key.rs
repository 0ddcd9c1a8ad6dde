//! The secret key of an instance, with which its Backend API is asked.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use crate::publishable_key::Environment;

/// Longest key that is taken; Clerk's have 50 characters.
const MAX_BYTES: usize = 512;

/// Bytes of the digest that a fingerprint shows: enough to tell keys apart.
const FINGERPRINT_BYTES: usize = 8;

/// `sk_test_…` or `sk_live_…`. Shows nothing of itself but its fingerprint.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey {
    text: String,
    /// The kind of instance, from the prefix.
    pub environment: Environment,
    /// A name for the key that may be shown: the first 8 bytes of its SHA-256 digest, in hex.
    pub fingerprint: String,
}

impl SecretKey {
    /// Reads a key as Clerk's dashboard shows it; white space around it does not matter.
    ///
    /// # Errors
    /// When it has the prefix of something else, is empty behind its prefix, or holds what cannot be in a key.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        let text = text.trim();
        let (environment, rest) = match (text.strip_prefix("sk_test_"), text.strip_prefix("sk_live_")) {
            (Some(rest), _) => (Environment::Development, rest),
            (_, Some(rest)) => (Environment::Production, rest),
            _ => return Err(not_a_secret_key(text)),
        };
        if rest.is_empty() {
            return Err(SecretKeyError(
                "there is nothing behind the prefix of the secret key",
            ));
        }
        // It becomes a header: nothing may end that early.
        let fits = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.')
        };
        if text.len() > MAX_BYTES || !rest.bytes().all(fits) {
            return Err(SecretKeyError(
                "the secret key holds characters that Clerk's keys do not have; was it copied with something else?",
            ));
        }
        let fingerprint = digest(&SHA256, text.as_bytes()).as_ref()[..FINGERPRINT_BYTES]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            text: text.to_owned(),
            environment,
            fingerprint,
        })
    }

    /// The value of the header `Authorization`.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.text)
    }

    /// `text` without the key, and without anything else that begins like one. Whoever answers a request could repeat what
    /// came with it, and answers get into errors.
    pub fn taken_out_of(&self, text: &str) -> String {
        let mut clean = text.replace(&self.text, "sk_…");
        for prefix in ["sk_test_", "sk_live_"] {
            while let Some(at) = clean.find(prefix) {
                let rest = &clean[at + prefix.len()..];
                let length = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'))
                    .unwrap_or(rest.len());
                clean.replace_range(at..at + prefix.len() + length, "sk_…");
            }
        }
        clean
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

fn not_a_secret_key(text: &str) -> SecretKeyError {
    SecretKeyError(match text {
        "" => "the secret key is empty",
        text if text.starts_with("pk_") => {
            "this is a publishable key (pk_…), which opens nothing; the secret key starts with sk_test_ or sk_live_"
        }
        text if text.starts_with("whsec_") => {
            "this is a webhook signing secret (whsec_…), for clerk.add_webhook_signing_secret(); the secret key starts with \
             sk_test_ or sk_live_"
        }
        text if text.starts_with("ak_") => {
            "this is an API key of a user or organization (ak_…); the secret key starts with sk_test_ or sk_live_"
        }
        _ => "the secret key does not start with sk_test_ or sk_live_",
    })
}

/// Why a text is not a secret key. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKeyError(pub &'static str);

impl SecretKeyError {
    /// The next step.
    pub const HINT: &'static str = "Copy the secret key from the API keys page of Clerk's dashboard.";
}

impl fmt::Display for SecretKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for SecretKeyError {}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_prefix_tells_the_environment() {
        let key = |text: &str| SecretKey::parse(text).expect("it is a key");
        assert_eq!(key("sk_test_a1B2").environment, Environment::Development);
        assert_eq!(key(" sk_live_a1B2\n").environment, Environment::Production);
        assert_eq!(key("sk_live_a1B2").authorization(), "Bearer sk_live_a1B2");
    }

    #[test]
    fn the_fingerprint_is_of_the_whole_key() {
        // printf %s sk_test_a1B2 | sha256sum
        let key = SecretKey::parse("sk_test_a1B2").expect("it is a key");
        assert_eq!(key.fingerprint, "6c005015f022fa3d");
        assert!(!format!("{key:?}").contains("a1B2"));
    }

    #[test]
    fn other_things_are_refused_without_being_repeated() {
        for text in [
            "",
            "sk_",
            "sk_test_",
            "sk_live_ ",
            "pk_test_abc",
            "whsec_abc",
            "ak_abc",
            "sk_other_abc",
            "SK_TEST_abc",
            "sk_test_a b",
            "sk_test_a\r\nX: y",
            "sk_test_…",
            "sk_test_é",
        ] {
            let error = SecretKey::parse(text).expect_err(text).to_string();
            assert!(!error.contains("abc") && !error.contains("X: y"), "{error}");
        }
        assert!(SecretKey::parse(&format!("sk_test_{}", "a".repeat(600))).is_err());
    }

    #[test]
    fn nothing_that_begins_like_a_key_gets_out() {
        let key = SecretKey::parse("sk_test_a+b/c=").expect("it is a key");
        let text = "got \"Bearer sk_test_a+b/c=\" and sk_live_other-1, not sk_nothing";
        assert_eq!(
            key.taken_out_of(text),
            "got \"Bearer sk_…\" and sk_…, not sk_nothing"
        );
    }
}
