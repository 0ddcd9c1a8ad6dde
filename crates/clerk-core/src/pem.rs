//! A public key as PEM: what Clerk's dashboard calls the JWKS Public Key, and `CLERK_JWT_KEY` holds.

use aws_lc_rs::rsa::PublicKey;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::jwks::{Jwk, JwksError, check_kid, components, parse_jwks};
use crate::pasted::surrounded;
use crate::reason::Reason;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// The usable keys of a key set ([`parse_jwks`]), or the one key of a PEM, which needs a key id. Like Clerk's SDK, a PEM is for
/// RS256.
///
/// # Errors
/// When `text` is neither, when a PEM comes without `kid` or a key set with one, and when [`parse_jwks`] refuses the keys. No
/// message repeats `text`, which may hold a private key.
pub fn parse_keys(text: &str, kid: Option<&str>) -> Result<Vec<Jwk>, JwksError> {
    let text = text.trim();
    if text.starts_with("-----BEGIN") {
        return Ok(vec![parse_pem(text, kid)?]);
    }
    if !text.starts_with('{') {
        return Err(neither(text));
    }
    if kid.is_some() {
        return Err(unusable(
            "a key set names the ids of its keys itself",
            "Leave kid out; it is for a PEM.",
        ));
    }
    parse_jwks(text)
}

fn parse_pem(text: &str, kid: Option<&str>) -> Result<Jwk, JwksError> {
    if text.contains("PRIVATE KEY-----") {
        return Err(unusable(
            "the PEM is a private key",
            "Treat that key as disclosed. Use the JWKS Public Key on the API keys page of Clerk's dashboard.",
        ));
    }
    if text.contains(r"\n") {
        return Err(unusable(
            r"the PEM holds \n as two characters instead of line ends",
            r"Pass replace(…, '\n', E'\n').",
        ));
    }
    let Some(body) = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)) else {
        return Err(unusable(
            "the PEM is not one public key, or was cut",
            format!(
                "It begins with {BEGIN} and ends with {END}: the JWKS Public Key on the API keys page of Clerk's dashboard."
            ),
        ));
    };
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(base64).unwrap_or_default();
    let key = PublicKey::from_der(&der).map_err(|_| {
        unusable(
            "the PEM is not an RSA public key, or was changed",
            "Copy the JWKS Public Key from the API keys page of Clerk's dashboard again.",
        )
    })?;
    let kid = kid.ok_or_else(|| {
        unusable(
            "a PEM does not say its key id",
            "Pass kid => 'ins_…'. It is the instance's id: the kid in https://<Frontend API>/.well-known/jwks.json and in the \
             header of each of its tokens.",
        )
    })?;
    check_kid(kid)?;
    let jwk = Jwk {
        kid: kid.to_owned(),
        alg: Some("RS256".to_owned()),
        n: URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero()),
        e: URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero()),
    };
    components(&jwk)?;
    Ok(jwk)
}

/// What `text` may be instead. Shows nothing of it.
fn neither(text: &str) -> JwksError {
    if text.starts_with("MII") {
        return unusable(
            "the PEM lacks its first and last line",
            format!("Put {BEGIN} before it and {END} behind it, on lines of their own."),
        );
    }
    let is_keys = |text: &str| text.starts_with('{') || text.starts_with("-----BEGIN");
    let message = match surrounded(text).filter(|pasted| is_keys(pasted.value)) {
        Some(pasted) => format!("the text has {}", pasted.what),
        None => "this is neither a JSON Web Key Set nor a PEM".to_owned(),
    };
    unusable(
        message,
        format!(
            "Pass what https://<Frontend API>/.well-known/jwks.json answers, or the JWKS Public Key of Clerk's dashboard, which \
             begins with {BEGIN}."
        ),
    )
}

fn unusable(message: impl Into<String>, hint: impl Into<String>) -> JwksError {
    JwksError {
        reason: Reason::JwkRemoteInvalid,
        message: message.into(),
        hint: hint.into(),
    }
}
