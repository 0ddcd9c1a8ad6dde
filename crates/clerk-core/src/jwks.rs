//! Clerk's JSON Web Key Sets (RFC 7517), read strictly: only RSA public signing keys come out.

use std::fmt;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};

use crate::algorithm::Algorithm;
use crate::json::{Json, Object};
use crate::jwt::decode_base64url;
use crate::quote::quote;
use crate::reason::Reason;

/// Longest `kid`, in bytes. Clerk's is the instance id.
pub(crate) const MAX_KID_BYTES: usize = 255;

/// Private and symmetric key material: RSA, EC and OKP (RFC 7518 §6), and `priv` of the newer key types.
pub(crate) const SECRET_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A public key to verify signatures with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Jwk {
    /// The key id: at Clerk the instance id, which outlives a rotation of the key.
    pub kid: String,
    /// The one algorithm the key may be used with, if it says so.
    pub alg: Option<String>,
    /// The modulus, base64url as given.
    pub n: String,
    /// The exponent, base64url as given.
    pub e: String,
}

/// Why a key set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksError {
    /// [`Reason::JwkRemoteMissing`] when nothing usable is left, else [`Reason::JwkRemoteInvalid`].
    pub reason: Reason,
    /// What was wrong. Never repeats key material.
    pub message: String,
    /// The next step.
    pub hint: String,
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for JwksError {}

/// The usable keys of a set: RSA keys of 2048 to 8192 bits for signatures by RS256, RS384 or RS512.
///
/// Keys of another type, use or algorithm are left out, because a set may hold them for other purposes.
///
/// # Errors
/// The whole set is refused when it is not a strict JSON object with an array `keys` of objects, holds private or
/// symmetric key material, an RSA signing key that is too weak, too large or malformed, one without a proper `kid`, or
/// two with the same; and when nothing usable is left.
pub fn parse_jwks(json: &str) -> Result<Vec<Jwk>, JwksError> {
    let mut set = Object::parse(json, &["keys"]).map_err(|why| not_a_set(&why))?;
    let Some(Json::Array(keys)) = set.take("keys") else {
        return Err(not_a_set("there is no array \"keys\""));
    };
    let mut usable: Vec<Jwk> = Vec::new();
    for key in &keys {
        let Json::Object(key) = key else {
            return Err(not_a_set("a key is not an object"));
        };
        let Some(jwk) = read_key(key)? else {
            continue;
        };
        if usable.iter().any(|other| other.kid == jwk.kid) {
            return Err(unusable(&format!("two keys have the kid {}", quote(&jwk.kid))));
        }
        usable.push(jwk);
    }
    if usable.is_empty() {
        return Err(JwksError {
            reason: Reason::JwkRemoteMissing,
            ..unusable("there is no RSA public signing key in the set")
        });
    }
    Ok(usable)
}

/// The string `name` of a key.
fn text<'k>(key: &'k Object, name: &str) -> Result<Option<&'k str>, JwksError> {
    match key.get(name) {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(other) => Err(unusable(&format!(
            "the {name} of a key is {}, not a string",
            other.kind()
        ))),
    }
}

/// The key, or `None` if it is not for verifying RSA signatures.
fn read_key(key: &Object) -> Result<Option<Jwk>, JwksError> {
    let kty = text(key, "kty")?.ok_or_else(|| unusable("a key has no kty"))?;
    if kty == "oct" || SECRET_MEMBERS.iter().any(|name| key.get(name).is_some()) {
        return Err(JwksError {
            reason: Reason::JwkRemoteInvalid,
            message: "the set holds private or symmetric key material".to_owned(),
            hint: "Treat that key as disclosed. Use only the public set that Clerk serves at \
                   /.well-known/jwks.json."
                .to_owned(),
        });
    }
    let alg = text(key, "alg")?;
    if kty != "RSA"
        || text(key, "use")?.is_some_and(|key_use| key_use != "sig")
        || alg.is_some_and(|alg| Algorithm::parse(alg).is_none())
        || !may_verify(key)?
    {
        return Ok(None);
    }
    let kid = text(key, "kid")?.unwrap_or_default();
    check_kid(kid)?;
    let jwk = Jwk {
        kid: kid.to_owned(),
        alg: alg.map(str::to_owned),
        n: text(key, "n")?.unwrap_or_default().to_owned(),
        e: text(key, "e")?.unwrap_or_default().to_owned(),
    };
    components(&jwk)?;
    Ok(Some(jwk))
}

/// Whether `kid` can be the id of a key.
pub(crate) fn check_kid(kid: &str) -> Result<(), JwksError> {
    if kid.is_empty() || kid.len() > MAX_KID_BYTES || kid.chars().any(char::is_control) {
        return Err(unusable(&format!(
            "a signing key has the kid {}; it must be 1 to {MAX_KID_BYTES} bytes without control characters",
            quote(kid)
        )));
    }
    Ok(())
}

fn may_verify(key: &Object) -> Result<bool, JwksError> {
    match key.get("key_ops") {
        None => Ok(true),
        Some(Json::Array(operations)) => Ok(operations
            .iter()
            .any(|operation| matches!(operation, Json::Text(text) if text == "verify"))),
        Some(other) => Err(unusable(&format!(
            "the key_ops of a key is {}, not an array",
            other.kind()
        ))),
    }
}

/// Modulus and exponent as big-endian bytes, within the limits that make a key safe and cheap to use.
pub(crate) fn components(jwk: &Jwk) -> Result<RsaPublicKeyComponents<Vec<u8>>, JwksError> {
    let fail = |why: String| Err(unusable(&format!("the key {}: {why}", quote(&jwk.kid))));
    let (Some(n), Some(e)) = (decode_base64url(&jwk.n), decode_base64url(&jwk.e)) else {
        return fail("n or e is not base64url".to_owned());
    };
    if n.first().is_none_or(|byte| *byte == 0) || e.first().is_none_or(|byte| *byte == 0) {
        return fail("n or e is empty or starts with a zero octet (RFC 7518 §2, Base64urlUInt)".to_owned());
    }
    let bits = n.len() * 8 - n[0].leading_zeros() as usize;
    if !(2048..=8192).contains(&bits) || n[n.len() - 1] % 2 == 0 {
        return fail(format!(
            "a modulus of {bits} bits; it must be odd and of 2048 to 8192 bits"
        ));
    }
    if e.len() > 4 || e[e.len() - 1] % 2 == 0 || e == [1] {
        return fail("the exponent must be odd, at least 3 and at most 4 octets".to_owned());
    }
    Ok(RsaPublicKeyComponents { n, e })
}

fn not_a_set(why: &str) -> JwksError {
    JwksError {
        reason: Reason::JwkRemoteInvalid,
        message: format!("not a JSON Web Key Set: {why}"),
        hint: "A Clerk instance serves its key set at https://<Frontend API>/.well-known/jwks.json."
            .to_owned(),
    }
}

fn unusable(why: &str) -> JwksError {
    JwksError {
        reason: Reason::JwkRemoteInvalid,
        message: why.to_owned(),
        hint: "Compare with the key set that Clerk serves at https://<Frontend API>/.well-known/jwks.json."
            .to_owned(),
    }
}

/// A key made ready once, to verify any number of signatures.
#[derive(Debug, Clone)]
pub struct VerifyingKey {
    keys: Vec<(Algorithm, ParsedPublicKey)>,
}

impl VerifyingKey {
    /// Makes `jwk` ready for its `alg`, or for all three algorithms if it names none.
    ///
    /// # Errors
    /// When the key is not one that [`parse_jwks`] lets through.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, JwksError> {
        let components = components(jwk)?;
        let mut keys = Vec::new();
        for algorithm in Algorithm::ALL {
            if jwk.alg.as_deref().is_some_and(|alg| alg != algorithm.as_str()) {
                continue;
            }
            let key = components.to_parsed_public_key(algorithm.parameters());
            keys.push((
                algorithm,
                key.map_err(|why| unusable(&format!("the key {}: {why}", quote(&jwk.kid))))?,
            ));
        }
        if keys.is_empty() {
            return Err(unusable(&format!(
                "the key {} is not for RS256, RS384 or RS512",
                quote(&jwk.kid)
            )));
        }
        Ok(VerifyingKey { keys })
    }

    /// Whether the key may be used with `algorithm`.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        self.keys.iter().any(|(allowed, _)| *allowed == algorithm)
    }

    /// Whether `signature` is this key's over `message`. False for an algorithm the key does not allow.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.keys
            .iter()
            .any(|(allowed, key)| *allowed == algorithm && key.verify_sig(message, signature).is_ok())
    }
}
