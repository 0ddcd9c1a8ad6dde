//! A signed token in compact form (RFC 7515 §3.1): three parts in base64url.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::json::{Json, Object};
use crate::jwks::VerifyingKey;
use crate::pasted::surrounded;
use crate::quote::quote;
use crate::reason::{Reason, Refusal};

/// Longest token that is looked at. Clerk's session tokens travel in cookies, which ends them at about 4 KB; the rest is
/// room for templates, while a caller cannot make us hash megabytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// base64url, with or without padding. Trailing bits must be zero, so that a signature has one spelling.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a token's JOSE header says. Parameters not listed are ignored, as Clerk asks; so a key that a token brings along
/// (`jwk`, `jku`, `x5c`, `x5u`) is never looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The signature algorithm, not yet judged.
    pub alg: Option<String>,
    /// The key id: at Clerk the instance id.
    pub kid: Option<String>,
    /// The media type: `JWT`, or `at+jwt` for OAuth access tokens.
    pub typ: Option<String>,
    /// Clerk's token category.
    pub cat: Option<String>,
    /// Whether there is a `crit`: extensions that must be understood (RFC 7515 §4.1.11), and none is.
    pub crit: bool,
}

/// A token taken apart. Nothing of it is believed yet.
#[derive(Debug, Clone)]
pub struct Jwt<'a> {
    /// The header.
    pub header: Header,
    /// The claims.
    pub claims: Claims,
    payload: String,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes `token` apart.
    ///
    /// # Errors
    /// `token-invalid` when it is longer than [`MAX_TOKEN_BYTES`], not three parts, not base64url, or its header or
    /// payload is not a strict JSON object (see [`Claims::parse`]).
    pub fn decode(token: &'a str) -> Result<Jwt<'a>, Refusal> {
        Self::take_apart(token).map_err(|refusal| surrounded_token(token).unwrap_or(refusal))
    }

    fn take_apart(token: &'a str) -> Result<Jwt<'a>, Refusal> {
        let [header, payload, signature] = split(token)?;
        let signed = &token[..header.len() + 1 + payload.len()];
        let payload = decode_text(payload, "payload")?;
        Ok(Jwt {
            header: Header::parse(&decode_text(header, "header")?)?,
            claims: Claims::parse(&payload)?,
            payload,
            signed,
            signature: decode_base64url(signature)
                .ok_or_else(|| invalid("the signature is not base64url"))?,
        })
    }

    /// The claims, and the JSON text they were read from, strict as [`Claims::parse`] demands.
    pub fn into_claims(self) -> (Claims, String) {
        (self.claims, self.payload)
    }

    /// Checks that `key` signed this token.
    ///
    /// # Errors
    /// `token-invalid-algorithm` when the token's `alg` is not one the key may be used with, and
    /// `token-invalid-signature` when the signature is not the key's.
    pub fn verify_signature(&self, key: &VerifyingKey) -> Result<(), Refusal> {
        let alg = self.header.alg.as_deref();
        let Some(algorithm) = alg
            .and_then(Algorithm::parse)
            .filter(|algorithm| key.allows(*algorithm))
        else {
            return Err(Refusal::new(
                Reason::TokenInvalidAlgorithm,
                format!(
                    "the token's alg is {}, which its key is not for",
                    alg.map_or("absent".into(), quote)
                ),
                "Clerk signs with RS256. Tokens from a template with a custom signing key cannot be verified.",
            ));
        };
        if key.verify(algorithm, self.signed.as_bytes(), &self.signature) {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::TokenInvalidSignature,
            "the signature is not by the instance's key",
            "The token was altered, or Clerk rotated the key under the same kid and the cached one is old.",
        ))
    }
}

impl Header {
    fn parse(json: &str) -> Result<Header, Refusal> {
        let mut header = Object::parse(json, &["alg", "kid", "typ", "cat", "crit"])
            .map_err(|why| invalid(&format!("the header cannot be read: {why}")))?;
        let mut parameter = |name| match header.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text.into_owned())),
            Some(other) => Err(invalid(&format!(
                "the header's {name} is {}, not a string",
                other.kind()
            ))),
        };
        Ok(Header {
            alg: parameter("alg")?,
            kid: parameter("kid")?,
            typ: parameter("typ")?,
            cat: parameter("cat")?,
            crit: header.take("crit").is_some(),
        })
    }
}

/// The refusal of a token that would be one without what is around it.
fn surrounded_token(token: &str) -> Option<Refusal> {
    let is_token = |text: &str| text.starts_with("ey") && text.split('.').count() == 3;
    let what = match surrounded(token) {
        Some(pasted) => is_token(pasted.value).then_some(pasted.what)?,
        None if token == token.trim() || !is_token(token.trim()) => return None,
        None => "blanks or line ends around it".to_owned(),
    };
    Some(invalid(&format!("the token has {what}")))
}

fn split(token: &str) -> Result<[&str; 3], Refusal> {
    if token.is_empty() {
        return Err(invalid("the token is empty"));
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(invalid(&format!(
            "the token is {} bytes long; {MAX_TOKEN_BYTES} is the limit",
            token.len()
        )));
    }
    let mut parts = token.splitn(6, '.');
    match [(); 6].map(|()| parts.next()) {
        [Some(header), Some(payload), Some(signature), None, ..] => Ok([header, payload, signature]),
        [_, _, _, _, Some(_), None] => Err(Refusal::new(
            Reason::TokenInvalid,
            "the token has five parts: it is encrypted (JWE)",
            "Clerk's tokens are signed, not encrypted. Pass the token as the client got it from Clerk's getToken().",
        )),
        [Some(_), None, ..] if is_opaque(token) => Err(Refusal::new(
            Reason::TokenInvalid,
            "the token is not a JWT but one of Clerk's opaque tokens",
            "Only Clerk's Backend API can verify opaque tokens and API keys. Ask Clerk for tokens in JWT format.",
        )),
        _ => Err(invalid(&format!(
            "the token must have three parts, but has {}",
            token.split('.').count()
        ))),
    }
}

/// Clerk's opaque token formats: M2M tokens, OAuth access tokens and API keys.
fn is_opaque(token: &str) -> bool {
    ["mt_", "m2m_", "oat_", "ak_"]
        .iter()
        .any(|prefix| token.starts_with(prefix))
}

fn decode_text(part: &str, name: &str) -> Result<String, Refusal> {
    let bytes = decode_base64url(part).ok_or_else(|| invalid(&format!("the {name} is not base64url")))?;
    String::from_utf8(bytes).map_err(|_| invalid(&format!("the {name} is not UTF-8")))
}

pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(text).ok()
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(
        Reason::TokenInvalid,
        message,
        "Pass the token alone, as the client got it from Clerk's getToken(): without quotes and without \"Bearer \".",
    )
}
