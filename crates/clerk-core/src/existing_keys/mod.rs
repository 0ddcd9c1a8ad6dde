//! The keys that a PostgREST trusts besides Clerk's, as its setting `jwt-secret` holds them, read strictly.
//!
//! PostgREST takes a text that it cannot read as a key set or a key, and that is 32 bytes long, for a shared secret. A public
//! key set with one mistake in it so becomes a password that everybody knows. What comes out here PostgREST can read:
//! only members that are checked, base64url without padding, and nothing of a kind that it does not know.

mod key;
mod secret;

use secret::public_text;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json::{Json, Object};
use crate::jwks::Jwk;
use crate::quote::quote;

/// Fewest bytes of a shared secret: those of HS256's digest (RFC 7518 §3.2), as PostgREST asks.
const MIN_SECRET_BYTES: usize = 32;

/// Bytes of the digest that a fingerprint shows.
const FINGERPRINT_BYTES: usize = 8;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The members of a key set and of a single key that are looked at.
const MEMBERS: [&str; 19] = [
    "keys", "kty", "kid", "use", "alg", "n", "e", "crv", "x", "y", "k", "d", "p", "q", "dp", "dq", "qi",
    "oth", "priv",
];

/// The ids of the key that `clerk.service_env()` shows in place of a shared secret, and of keys that are not known.
const PLACEHOLDERS: [&str; 2] = [
    "PUT-YOUR-SHARED-SECRET-HERE-AS-OCT-KEY",
    "PUT-THE-KEYS-HERE-THAT-ARE-THERE-NOW",
];

/// The keys, ready to stand beside Clerk's. Holds secrets, so it cannot be shown.
pub struct ExistingKeys {
    keys: Vec<Value>,
    left_out: Vec<String>,
}

/// Why a text is not what `jwt-secret` should hold. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingKeysError {
    /// What was wrong.
    pub message: String,
    /// The next step.
    pub hint: String,
}

impl ExistingKeys {
    /// Reads `jwt-secret`: a key set, one key, or a shared secret; base64 of one of them if `is_base64` (as PostgREST's
    /// `jwt-secret-is-base64`); or `none`. Keys of Clerk among them are left out: `clerk` are the current ones. The placeholder of
    /// `clerk.service_env()` stands for the symmetric keys in `stored`, a JSON array of the keys of an earlier call.
    ///
    /// # Errors
    /// When PostgREST could not read it or would take it for something else than it looks like, when it holds private or weak
    /// keys, a key of an instance that is not in `clerk` or a placeholder of what is not stored, and when it holds Clerk's keys only.
    pub fn parse(
        text: &str,
        is_base64: bool,
        clerk: &[Jwk],
        stored: Option<&str>,
    ) -> Result<Self, ExistingKeysError> {
        if text == "none" {
            return Ok(Self {
                keys: Vec::new(),
                left_out: Vec::new(),
            });
        }
        let bytes = if is_base64 {
            decode_base64(text)?
        } else {
            text.as_bytes().to_vec()
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) if is_object(text) => Self::of_keys(read_key_set(text)?, clerk, &symmetric_keys(stored)),
            Ok(text) if serde_json::from_str::<Vec<Value>>(text).is_ok() => Err(would_be_a_password(
                "it is a bare array of keys",
                "Put it into an object: {\"keys\": […]}.",
            )),
            Ok(text) => {
                secret::check_text(text)?;
                Self::of_secret(&bytes)
            }
            // Random bytes, which only base64 can bring.
            Err(_) => Self::of_secret(&bytes),
        }
    }

    fn of_secret(bytes: &[u8]) -> Result<Self, ExistingKeysError> {
        if bytes.len() < MIN_SECRET_BYTES {
            return Err(ExistingKeysError::new(
                format!(
                    "the shared secret has {} bytes, fewer than {MIN_SECRET_BYTES}",
                    bytes.len()
                ),
                "PostgREST refuses it too. Pass PGRST_JWT_SECRET as it is, or 'none' if only Clerk's tokens are to count.",
            ));
        }
        let key = [
            ("kty", "oct"),
            ("use", "sig"),
            ("alg", "HS256"),
            ("k", &BASE64_URL_SAFE_NO_PAD.encode(bytes)),
        ];
        Ok(Self {
            keys: vec![object(&key)],
            left_out: Vec::new(),
        })
    }

    fn of_keys(keys: Vec<Value>, clerk: &[Jwk], secrets: &[Value]) -> Result<Self, ExistingKeysError> {
        let mut existing = Self {
            keys: Vec::new(),
            left_out: Vec::new(),
        };
        for key in keys {
            match owner_of(&key, clerk) {
                Owner::Operator => existing.keys.push(key),
                Owner::Clerk => existing.left_out.push(text_of(&key, "kid").to_owned()),
                Owner::Placeholder if !secrets.is_empty() => existing.keys.extend_from_slice(secrets),
                Owner::Placeholder => {
                    return Err(ExistingKeysError::new(
                        format!(
                            "the key {} is the placeholder of clerk.service_env(), and no shared secret is stored here",
                            quote(text_of(&key, "kid"))
                        ),
                        "Put your own keys in its place. A shared secret is {\"kty\": \"oct\", \"k\": \"…\"}, where k is the secret in \
                         base64url.",
                    ));
                }
                Owner::UnknownInstance => {
                    return Err(ExistingKeysError::new(
                        format!(
                            "the key {} is of a Clerk instance that is not configured here",
                            quote(text_of(&key, "kid"))
                        ),
                        "Configure that instance with clerk.configure(…, additional => true), or leave its key out: kept \
                         as a key of yours it would be trusted for ever.",
                    ));
                }
            }
        }
        if existing.keys.is_empty() {
            return Err(ExistingKeysError::new(
                "these are Clerk's keys only, or none: tokens of everybody else, such as the anon and service keys, \
                 would be refused",
                "Pass what PGRST_JWT_SECRET held before Clerk's keys came in (for Supabase JWT_JWKS or JWT_SECRET), or \
                 'none' if only Clerk's tokens are to count.",
            ));
        }
        Ok(existing)
    }

    /// A JSON array of the keys. Secret.
    pub fn to_json(&self) -> String {
        Value::Array(self.keys.clone()).to_string()
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The ids of Clerk's keys that were among them.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// A name for these keys that may be shown: the first 8 bytes of the SHA-256 digest of their JSON, in hex.
    pub fn fingerprint(&self) -> String {
        digest(&SHA256, self.to_json().as_bytes()).as_ref()[..FINGERPRINT_BYTES]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether tokens signed with that shared secret are accepted by these keys.
    pub fn hold_secret(&self, secret: &str) -> bool {
        let wanted = BASE64_URL_SAFE_NO_PAD.encode(secret);
        self.keys
            .iter()
            .any(|key| key.get("k").and_then(Value::as_str) == Some(wanted.as_str()))
    }
}

/// Why a `jwt-secret` that PostgREST has must not stay: everybody may know what PostgREST takes for a shared secret, or the keys
/// are such as [`ExistingKeys::parse`] refuses. None if it is a key set or may be a secret.
pub fn jwt_secret_fault(text: &str) -> Option<String> {
    if is_object(text) {
        return read_key_set(text).err().map(|error| error.message);
    }
    let what = public_text(text.as_bytes())?;
    Some(format!(
        "it is no shared secret but {what}, which PostgREST takes for one"
    ))
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The keys of a key set, or the one key, each as PostgREST reads it.
fn read_key_set(json: &str) -> Result<Vec<Value>, ExistingKeysError> {
    let mut outermost = Object::parse(json, &MEMBERS).map_err(|why| malformed(&why))?;
    let members = match outermost.take("keys") {
        Some(Json::Array(members)) => members,
        Some(other) => return Err(malformed(&format!("its keys are {}, not an array", other.kind()))),
        None if outermost.get("kty").is_some() => vec![Json::Object(outermost)],
        None => return Err(malformed("there is neither \"keys\" nor \"kty\"")),
    };
    let read = |member: &Json| match member {
        Json::Object(member) => key::read_key(member),
        other => Err(malformed(&format!("a key is {}, not an object", other.kind()))),
    };
    members.iter().map(read).collect()
}

fn symmetric_keys(stored: Option<&str>) -> Vec<Value> {
    let mut keys: Vec<Value> = stored
        .and_then(|stored| serde_json::from_str(stored).ok())
        .unwrap_or_default();
    keys.retain(|key| text_of(key, "kty") == "oct");
    keys
}

/// Whose a key is.
enum Owner {
    Operator,
    Clerk,
    Placeholder,
    UnknownInstance,
}

/// Clerk's keys are named after the instance (`ins_…`), and a rotated key can come back under the same name.
fn owner_of(key: &Value, clerk: &[Jwk]) -> Owner {
    if text_of(key, "kty") == "OKP" && PLACEHOLDERS.contains(&text_of(key, "kid")) {
        return Owner::Placeholder;
    }
    if text_of(key, "kty") != "RSA" {
        return Owner::Operator;
    }
    let (kid, n) = (text_of(key, "kid"), text_of(key, "n"));
    if clerk
        .iter()
        .any(|known| known.kid == kid || known.n.trim_end_matches('=') == n)
    {
        Owner::Clerk
    } else if kid.starts_with("ins_") {
        Owner::UnknownInstance
    } else {
        Owner::Operator
    }
}

/// PostgREST's own way: base64 in either alphabet, with dots for padding.
fn decode_base64(text: &str) -> Result<Vec<u8>, ExistingKeysError> {
    let standard = text.trim().replace('_', "/").replace('-', "+").replace('.', "=");
    BASE64.decode(standard).map_err(|_| {
        ExistingKeysError::new(
            "the secret is not base64",
            "Pass secret_is_base64 => true only if PostgREST has PGRST_JWT_SECRET_IS_BASE64=true.",
        )
    })
}

fn object(members: &[(&str, &str)]) -> Value {
    let members = members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
    Value::Object(Map::from_iter(members))
}

fn text_of<'v>(key: &'v Value, name: &str) -> &'v str {
    key.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn malformed(why: &str) -> ExistingKeysError {
    would_be_a_password(
        why,
        "Pass a key set, {\"keys\": […]}, as JWT_JWKS of a Supabase installation is, with every key complete.",
    )
}

fn would_be_a_password(why: &str, hint: &str) -> ExistingKeysError {
    ExistingKeysError::new(
        format!(
            "the keys cannot be used: {why}; PostgREST could take such a text for a shared secret, with which everybody \
                 who reads it can sign"
        ),
        hint,
    )
}

impl ExistingKeysError {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        Self {
            message: message.into(),
            hint: hint.to_owned(),
        }
    }
}
