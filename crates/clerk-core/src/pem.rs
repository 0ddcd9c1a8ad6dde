//! A public key as PEM: what Clerk's dashboard calls the JWKS Public Key, and `CLERK_JWT_KEY` holds.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::jwks::{Jwk, JwksError, check_kid, components, parse_jwks};
use crate::reason::Reason;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// The identifier of RSA keys in a SubjectPublicKeyInfo, with its empty parameters (RFC 3279 §2.3.1).
const RSA: [u8; 13] = [
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

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
    let Some((n, e)) = rsa_components(&der) else {
        return Err(unusable(
            "the PEM is not an RSA public key, or was changed",
            "Copy the JWKS Public Key from the API keys page of Clerk's dashboard again.",
        ));
    };
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
        n: URL_SAFE_NO_PAD.encode(n),
        e: URL_SAFE_NO_PAD.encode(e),
    };
    components(&jwk)?;
    Ok(jwk)
}

/// Modulus and exponent of a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) that holds an RSAPublicKey (RFC 8017 §A.1.1).
fn rsa_components(der: &[u8]) -> Option<(&[u8], &[u8])> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    const INTEGER: u8 = 0x02;
    let only = |tag, der| {
        take(tag, der)
            .filter(|(_, rest)| rest.is_empty())
            .map(|(content, _)| content)
    };
    let (algorithm, rest) = take(SEQUENCE, only(SEQUENCE, der)?)?;
    let [0, key @ ..] = only(BIT_STRING, rest)? else {
        return None;
    };
    let (n, rest) = take(INTEGER, only(SEQUENCE, key)?)?;
    let e = only(INTEGER, rest)?;
    (algorithm == RSA).then_some((unsigned(n), unsigned(e)))
}

/// The bytes of a positive INTEGER without the one that keeps it positive.
fn unsigned(integer: &[u8]) -> &[u8] {
    match integer {
        [0, rest @ ..] => rest,
        integer => integer,
    }
}

/// The content of the DER element that `der` begins with, if it has that tag, and what follows it.
fn take(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else {
        return None;
    };
    let (length, rest) = match (length, rest) {
        (0..=0x7f, rest) => (usize::from(*length), rest),
        (0x81, [length, rest @ ..]) => (usize::from(*length), rest),
        (0x82, [high, low, rest @ ..]) => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

/// What `text` may be instead. Shows nothing of it.
fn neither(text: &str) -> JwksError {
    let name = text
        .split_once('=')
        .map(|(name, _)| name.trim_start_matches("export "));
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let is_quoted = text.starts_with(['"', '\'', '`']);
    let message = match name {
        _ if is_quoted => "there are quotes around the keys",
        Some(name) if is_name(name) && text.contains("BEGIN") => "there is a name and = in front of the keys",
        _ if text.starts_with("MII") => "the PEM lacks its first and last line",
        _ => "this is neither a JSON Web Key Set nor a PEM",
    };
    let hint = match message {
        "the PEM lacks its first and last line" => {
            format!("Put {BEGIN} before it and {END} behind it, on lines of their own.")
        }
        _ => format!(
            "Pass what https://<Frontend API>/.well-known/jwks.json answers, or the JWKS Public Key of Clerk's dashboard, which \
             begins with {BEGIN}."
        ),
    };
    unusable(message, hint)
}

fn unusable(message: &str, hint: impl Into<String>) -> JwksError {
    JwksError {
        reason: Reason::JwkRemoteInvalid,
        message: message.to_owned(),
        hint: hint.into(),
    }
}
