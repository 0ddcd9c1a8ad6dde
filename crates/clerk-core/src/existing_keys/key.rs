//! One key of a set, with its members checked as closely as PostgREST reads them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{ExistingKeysError, MIN_SECRET_BYTES, malformed, object};
use crate::json::{Json, Object};
use crate::jwks::{Jwk, MAX_KID_BYTES, SECRET_MEMBERS, components};
use crate::quote::quote;

/// The key with the members that PostgREST looks at, in their only spelling.
pub(super) fn read_key(key: &Object) -> Result<Value, ExistingKeysError> {
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
            let secret = BASE64_URL_SAFE_NO_PAD.decode(k).unwrap_or_default();
            if let Some(what) = super::secret::public_text(&secret) {
                return Err(malformed(&format!("the k of a symmetric key is {what}")));
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

fn unknown_curve(name: &str) -> ExistingKeysError {
    malformed(&format!(
        "a key is on the curve {}, which PostgREST does not know",
        quote(name)
    ))
}
