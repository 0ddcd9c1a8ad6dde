//! The secret key of an instance, with which its Backend API is asked.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};

use crate::pasted::{is_placeholder, surrounded};
use crate::publishable_key::Environment;

/// Longest key that is taken, and fewest characters behind the prefix; Clerk's keys have 42 there.
const MAX_BYTES: usize = 512;
const MIN_CHARACTERS: usize = 40;

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
    /// When it has the prefix of something else, something around it, a placeholder or too little behind its prefix, or holds what
    /// cannot be in a key.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        if let Some(pasted) = surrounded(text) {
            Self::parse(pasted.value)?;
            return Err(SecretKeyError(format!("the secret key has {}", pasted.what)));
        }
        let text = text.trim();
        let (environment, rest) = match (text.strip_prefix("sk_test_"), text.strip_prefix("sk_live_")) {
            (Some(rest), _) => (Environment::Development, rest),
            (_, Some(rest)) => (Environment::Production, rest),
            _ => return Err(not_a_secret_key(text)),
        };
        if is_placeholder(rest) {
            return Err(SecretKeyError(
                "the secret key is a placeholder, or what the dashboard shows of a hidden key".to_owned(),
            ));
        }
        // It becomes a header: nothing may end that early.
        let fits =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=');
        if text.len() > MAX_BYTES || !rest.bytes().all(fits) {
            return Err(SecretKeyError(
                "the secret key holds characters that Clerk's keys do not have; was it copied with something else?"
                    .to_owned(),
            ));
        }
        if rest.len() < MIN_CHARACTERS {
            return Err(SecretKeyError(format!(
                "the secret key has {} characters, and Clerk's have 50; was it cut?",
                text.len()
            )));
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
    let what = match text {
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
    };
    SecretKeyError(what.to_owned())
}

/// Why a text is not a secret key. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKeyError(pub String);

impl SecretKeyError {
    /// The next step.
    pub const HINT: &'static str = "Pass the key alone, as the button on the API keys page of Clerk's dashboard copies it: sk_test_ or sk_live_ and 42 characters.";
}

impl fmt::Display for SecretKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SecretKeyError {}

#[cfg(test)]
mod unit {
    use super::*;

    const DEVELOPMENT: &str = "sk_test_a1B2abcdefghijklmnopqrstuvwxyz0123456789AB";
    const PRODUCTION: &str = "sk_live_a1B2abcdefghijklmnopqrstuvwxyz0123456789AB";

    #[test]
    fn the_prefix_tells_the_environment() {
        let key = |text: &str| SecretKey::parse(text).expect("it is a key");
        assert_eq!(key(DEVELOPMENT).environment, Environment::Development);
        assert_eq!(
            key(&format!(" {PRODUCTION}\n")).environment,
            Environment::Production
        );
        assert_eq!(key(PRODUCTION).authorization(), format!("Bearer {PRODUCTION}"));
    }

    #[test]
    fn the_fingerprint_is_of_the_whole_key() {
        // printf %s "$key" | sha256sum
        let key = SecretKey::parse(DEVELOPMENT).expect("it is a key");
        assert_eq!(key.fingerprint, "ff07477eac68d422");
        assert!(!format!("{key:?}").contains("a1B2"));
    }

    #[test]
    fn mistakes_are_told_without_the_key() {
        const INSIDE: &str = "a1B2abcdefghijklmnopqrstuvwxyz0123456789AB";
        let placeholder = "the secret key is a placeholder, or what the dashboard shows of a hidden key";
        for (text, message) in [
            ("", "the secret key is empty"),
            ("sk_test_...", placeholder),
            ("sk_live_…", placeholder),
            ("\"sk_live_…\"", placeholder),
            ("sk_test_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", placeholder),
            ("sk_test_your_secret_key", placeholder),
            ("sk_test_a1B2...89AB", placeholder),
            (
                "sk_test_",
                "the secret key has 8 characters, and Clerk's have 50; was it cut?",
            ),
            (
                &DEVELOPMENT[..47],
                "the secret key has 47 characters, and Clerk's have 50; was it cut?",
            ),
            (
                &format!("\"{DEVELOPMENT}\""),
                "the secret key has double quotes around it",
            ),
            (
                &format!("CLERK_SECRET_KEY='{DEVELOPMENT}'\n"),
                "the secret key has CLERK_SECRET_KEY= before it and single quotes around it",
            ),
            (
                &format!("Bearer {DEVELOPMENT}"),
                "the secret key has \"Bearer \" before it",
            ),
            (
                &format!("{DEVELOPMENT}\\n"),
                "the secret key has the two characters \\n behind it",
            ),
        ] {
            let error = SecretKey::parse(text).expect_err(text).to_string();
            assert_eq!(error, message);
            assert!(!error.contains(INSIDE));
        }
    }

    #[test]
    fn other_things_are_refused_without_being_repeated() {
        for text in [
            "sk_",
            "sk_live_ ",
            "pk_test_abc",
            "whsec_abc",
            "ak_abc",
            "sk_other_abc",
            "SK_TEST_abc",
            "sk_test_abc\r\nX: y",
            "sk_test_abcdefghijklmnopqrstuvwxyz0123456789ABCDEF\r\nX: y",
            "sk_test_abcdefghijklmnopqrstuvwxyz 0123456789ABCDEF",
            "sk_test_abcdefghijklmnopqrstuvwxyz.0123456789ABCDEF",
            "sk_test_abcdefghijklmnopqrstuvwxyzé0123456789ABCDEF",
        ] {
            let error = SecretKey::parse(text).expect_err(text).to_string();
            assert!(!error.contains("abc") && !error.contains("X: y"), "{error}");
        }
        assert!(SecretKey::parse(&format!("sk_test_{}", "ab".repeat(300))).is_err());
    }

    #[test]
    fn nothing_that_begins_like_a_key_gets_out() {
        let text = "sk_test_abcdefghijklmnopqrstuvwxyz0123456789ABC+b/c=";
        let key = SecretKey::parse(text).expect("it is a key");
        let text = format!("got \"Bearer {text}\" and sk_live_other-1, not sk_nothing");
        assert_eq!(
            key.taken_out_of(&text),
            "got \"Bearer sk_…\" and sk_…, not sk_nothing"
        );
    }
}
