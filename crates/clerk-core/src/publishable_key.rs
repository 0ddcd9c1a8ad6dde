//! Clerk's publishable key, and the addresses that follow from it.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::pasted::{is_placeholder, surrounded};

/// Standard base64; Clerk leaves the padding out, but keys with padding exist.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which of an application's instances a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// `pk_test_…`
    Development,
    /// `pk_live_…`
    Production,
}

impl Environment {
    /// Clerk's word: `development` or `production`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Environment::Development => "development",
            Environment::Production => "production",
        }
    }
}

/// What a publishable key says. It is public: the key is not a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishableKey {
    /// The instance's kind, from the key's prefix. The host does not tell: live keys may name `*.accounts.dev`.
    pub environment: Environment,
    /// Host of the Frontend API, for example `clerk.example.com`.
    pub frontend_api: String,
}

/// Why a text is not a publishable key. Never repeats the text, which may be a secret key put in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishableKeyError {
    /// What was wrong.
    pub message: String,
    /// The next step.
    pub hint: String,
}

impl PublishableKeyError {
    fn new(message: &str) -> Self {
        Self {
            message: message.to_owned(),
            hint: "Copy it from the API keys page of Clerk's dashboard; it begins with pk_live_ or pk_test_."
                .to_owned(),
        }
    }
}

impl fmt::Display for PublishableKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PublishableKeyError {}

impl PublishableKey {
    /// Reads `pk_test_` or `pk_live_` followed by base64 of `<frontend api host>$` (`parsePublishableKey` of
    /// `@clerk/shared`).
    ///
    /// # Errors
    /// When the prefix is another, something stands around the key, the rest is not base64, or it does not decode to one host and one
    /// `$`. White space around it does not matter.
    pub fn parse(key: &str) -> Result<Self, PublishableKeyError> {
        let fail = |why: &str| Err(PublishableKeyError::new(why));
        if let Some(pasted) = surrounded(key) {
            Self::parse(pasted.value)?;
            return Err(PublishableKeyError {
                message: format!("it has {}", pasted.what),
                hint: format!("Pass publishable_key => '{}'.", pasted.value),
            });
        }
        let key = key.trim();
        if key.starts_with("sk_") {
            return fail("this is a secret key; the publishable key starts with pk_test_ or pk_live_");
        }
        let (environment, encoded) = match key.split('_').collect::<Vec<_>>()[..] {
            ["pk", "test", encoded] => (Environment::Development, encoded),
            ["pk", "live", encoded] => (Environment::Production, encoded),
            _ => return fail("a publishable key is pk_test_ or pk_live_ followed by base64"),
        };
        if is_placeholder(encoded) {
            return fail("it is a placeholder");
        }
        let Some(decoded) = BASE64
            .decode(encoded)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
        else {
            return fail("the part after the second underscore is not base64 of a text; was the key cut?");
        };
        match decoded.strip_suffix('$') {
            Some(host) if is_host(host) => Ok(PublishableKey {
                environment,
                frontend_api: host.to_owned(),
            }),
            _ => fail("the key does not hold a Frontend API host followed by one $; was it cut?"),
        }
    }

    /// The `iss` of the instance's tokens: the Frontend API URL, without a trailing slash.
    pub fn issuer(&self) -> String {
        format!("https://{}", self.frontend_api)
    }
}

/// Where an issuer publishes its keys. Production domains answer only with the `.json`.
pub fn jwks_url(issuer: &str) -> String {
    format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'))
}

/// A host name with a dot in it, and perhaps a port: nothing that could change the meaning of a URL it is put into.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.contains('.') && name.split('.').all(is_label) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
