//! The keys that a PostgREST trusts besides Clerk's, as its setting `jwt-secret` holds them, read strictly.
//!
//! PostgREST takes a text that it cannot read as a key set or a key, and that is 32 bytes long, for a shared secret. A public
//! key set with one mistake in it so becomes a password that everybody knows. What comes out here PostgREST can read:
//! only members that are checked, base64url without padding, and nothing of a kind that it does not know.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::json::{Json, Object};
use crate::jwks::{Jwk, MAX_KID_BYTES, SECRET_MEMBERS, components};
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

/// What beginners take for the secret, and what it is. All of it is known to more people than may sign.
const MISTAKEN: [(&str, &str); 10] = [
    ("@", "the name of a file; pass what the file holds"),
    (
        "-----BEGIN",
        "PEM, which PostgREST does not read; pass the key as JWK",
    ),
    (
        "http://",
        "a URL, which PostgREST does not fetch; pass the keys themselves",
    ),
    (
        "https://",
        "a URL, which PostgREST does not fetch; pass the keys themselves",
    ),
    (
        "eyJ",
        "a token, such as the anon key; pass the secret that signs it",
    ),
    (
        "sb_",
        "an API key of Supabase; pass the secret or the key set that PostgREST has",
    ),
    ("sk_", "a key for Clerk's APIs"),
    ("pk_", "a key for Clerk's APIs"),
    ("whsec_", "a webhook signing secret"),
    ("postgres", "an address of a database"),
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
    /// `jwt-secret-is-base64`); or `none`. Keys of Clerk among them are left out: `clerk` are the current ones.
    ///
    /// # Errors
    /// When PostgREST could not read it or would take it for something else than it looks like, when it holds private or weak
    /// keys or a key of an instance that is not in `clerk`, and when it holds Clerk's keys only.
    pub fn parse(text: &str, is_base64: bool, clerk: &[Jwk]) -> Result<Self, ExistingKeysError> {
        if text == "none" {
            return Ok(Self {
                keys: Vec::new(),
                left_out: Vec::new(),
            });
        }
        let bytes = if is_base64 {
            decode_base64(text)?
        } else {
            refuse_mistaken(text)?;
            text.as_bytes().to_vec()
        };
        match std::str::from_utf8(&bytes).map(str::trim_start) {
            Ok(json) if json.starts_with('{') => Self::of_json(json, clerk),
            Ok(json) if json.starts_with('[') => Err(would_be_a_password(
                "it is a bare array of keys",
                "Put it into an object: {\"keys\": […]}.",
            )),
            Ok(json) if json.starts_with('"') => Err(would_be_a_password(
                "it is a JSON string",
                "Pass what is between the quotes.",
            )),
            _ => Self::of_secret(&bytes),
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

    fn of_json(json: &str, clerk: &[Jwk]) -> Result<Self, ExistingKeysError> {
        let mut outermost = Object::parse(json, &MEMBERS).map_err(|why| malformed(&why))?;
        let members = match outermost.take("keys") {
            Some(Json::Array(members)) => members,
            Some(other) => return Err(malformed(&format!("its keys are {}, not an array", other.kind()))),
            None if outermost.get("kty").is_some() => vec![Json::Object(outermost)],
            None => return Err(malformed("there is neither \"keys\" nor \"kty\"")),
        };
        let mut existing = Self {
            keys: Vec::new(),
            left_out: Vec::new(),
        };
        for member in &members {
            let Json::Object(member) = member else {
                return Err(malformed(&format!("a key is {}, not an object", member.kind())));
            };
            let key = read_key(member)?;
            match owner_of(&key, clerk) {
                Owner::Operator => existing.keys.push(key),
                Owner::Clerk => existing.left_out.push(text_of(&key, "kid").to_owned()),
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
        self.keys.iter().any(|key| text_of(key, "k") == wanted)
    }
}

/// Whose a key is.
enum Owner {
    Operator,
    Clerk,
    UnknownInstance,
}

/// Clerk's keys are named after the instance (`ins_…`), and a rotated key can come back under the same name.
fn owner_of(key: &Value, clerk: &[Jwk]) -> Owner {
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

/// The key with the members that PostgREST looks at, in their only spelling.
fn read_key(key: &Object) -> Result<Value, ExistingKeysError> {
    let kty = member(key, "kty")?.ok_or_else(|| malformed("a key has no kty"))?;
    let secret = |name: &&&str| key.get(name).is_some() && !(**name == "k" && kty == "oct");
    if let Some(name) = SECRET_MEMBERS.iter().find(secret) {
        return Err(ExistingKeysError::new(
            format!("a key of kind {} holds private material ({name})", quote(kty)),
            "Who verifies needs public keys only; for Supabase pass JWT_JWKS, not JWT_KEYS. Private keys belong to who signs.",
        ));
    }
    let kid = member(key, "kid")?;
    if kid.is_some_and(|kid| kid.len() > MAX_KID_BYTES || kid.chars().any(char::is_control)) {
        return Err(malformed(
            "a key has a kid that is too long or holds control characters",
        ));
    }
    if let Some(other) = member(key, "use")?.filter(|key_use| *key_use != "sig") {
        return Err(malformed(&format!(
            "a key is for {}, not for signatures",
            quote(other)
        )));
    }
    let algorithms: &[&str] = match kty {
        "RSA" => &["RS256", "RS384", "RS512"],
        "EC" => &["ES256", "ES384", "ES512"],
        "OKP" => &["EdDSA"],
        "oct" => &["HS256", "HS384", "HS512"],
        other => {
            return Err(malformed(&format!(
                "a key is of the unknown kind {}",
                quote(other)
            )));
        }
    };
    let alg = member(key, "alg")?;
    if let Some(other) = alg.filter(|alg| !algorithms.contains(alg)) {
        return Err(malformed(&format!(
            "a key of kind {kty} has the alg {}; PostgREST knows {}",
            quote(other),
            algorithms.join(", ")
        )));
    }
    let mut members = vec![("kty", kty), ("use", "sig")];
    members.extend(kid.map(|kid| ("kid", kid)));
    members.extend(alg.map(|alg| ("alg", alg)));
    members.extend(material(key, kty)?);
    Ok(object(&members))
}

/// What the key itself consists of, of the length that its kind has.
fn material<'k>(key: &'k Object, kty: &str) -> Result<Vec<(&'static str, &'k str)>, ExistingKeysError> {
    match kty {
        "RSA" => {
            let (n, e) = (encoded(key, "n", None)?, encoded(key, "e", None)?);
            let jwk = Jwk {
                kid: member(key, "kid")?.unwrap_or_default().to_owned(),
                alg: None,
                n: n.to_owned(),
                e: e.to_owned(),
            };
            components(&jwk).map_err(|error| malformed(&error.message))?;
            Ok(vec![("n", n), ("e", e)])
        }
        "EC" => {
            let crv = member(key, "crv")?.unwrap_or_default();
            let length = match crv {
                "P-256" => 32,
                "P-384" => 48,
                "P-521" => 66,
                other => return Err(unknown_curve(other)),
            };
            Ok(vec![
                ("crv", crv),
                ("x", encoded(key, "x", Some(length))?),
                ("y", encoded(key, "y", Some(length))?),
            ])
        }
        "OKP" => {
            let crv = member(key, "crv")?.unwrap_or_default();
            let length = match crv {
                "Ed25519" => 32,
                "Ed448" => 57,
                other => return Err(unknown_curve(other)),
            };
            Ok(vec![("crv", crv), ("x", encoded(key, "x", Some(length))?)])
        }
        _ => {
            let k = encoded(key, "k", None)?;
            if k.len() < MIN_SECRET_BYTES.div_ceil(3) * 4 - 1 {
                return Err(malformed(&format!(
                    "a symmetric key has fewer than {MIN_SECRET_BYTES} bytes"
                )));
            }
            Ok(vec![("k", k)])
        }
    }
}

/// A member that is base64url as RFC 7515 §2 has it, without padding: with it PostgREST could not read the whole set.
fn encoded<'k>(key: &'k Object, name: &str, bytes: Option<usize>) -> Result<&'k str, ExistingKeysError> {
    let text = member(key, name)?.ok_or_else(|| malformed(&format!("a key has no {name}")))?;
    let Ok(decoded) = BASE64_URL_SAFE_NO_PAD.decode(text) else {
        return Err(malformed(&format!(
            "the {name} of a key is not base64url without padding"
        )));
    };
    match bytes {
        Some(bytes) if decoded.len() != bytes => Err(malformed(&format!(
            "the {name} of a key has {} bytes instead of {bytes}",
            decoded.len()
        ))),
        _ => Ok(text),
    }
}

fn member<'k>(key: &'k Object, name: &str) -> Result<Option<&'k str>, ExistingKeysError> {
    match key.get(name) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(other) => Err(malformed(&format!(
            "the {name} of a key is {}, not a string",
            other.kind()
        ))),
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

fn refuse_mistaken(text: &str) -> Result<(), ExistingKeysError> {
    if let Some((_, what)) = MISTAKEN.iter().find(|(start, _)| text.starts_with(start)) {
        return Err(ExistingKeysError::new(
            format!("this is no secret of PostgREST's but {what}"),
            "Pass what PostgREST's environment has as PGRST_JWT_SECRET (for Supabase JWT_JWKS or JWT_SECRET).",
        ));
    }
    if !text.trim_start().starts_with('{') && (text.trim() != text || text.chars().any(char::is_control)) {
        return Err(ExistingKeysError::new(
            "the secret has blanks at an end, or control characters, in it",
            "PostgREST would count them. Pass it without, or as a key: {\"kty\": \"oct\", \"k\": \"…\"} in base64url.",
        ));
    }
    Ok(())
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

fn unknown_curve(name: &str) -> ExistingKeysError {
    malformed(&format!(
        "a key is on the curve {}, which PostgREST does not know",
        quote(name)
    ))
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
