//! Which texts are a shared secret.
//!
//! PostgREST takes for a shared secret whatever it cannot read as a key set, so a public key set inside quotes, behind
//! `NAME=` or in base64 becomes a password that everybody knows. A text is taken here only if it can be nothing else.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::ExistingKeysError;
use crate::pasted;

/// What beginners take for the secret, and what it is. All of it is known to more people than may sign.
const MISTAKEN: [(&str, &str); 9] = [
    ("@", "the name of a file; pass what the file holds"),
    (
        "http://",
        "a URL, which PostgREST does not fetch; pass the keys themselves",
    ),
    (
        "https://",
        "a URL, which PostgREST does not fetch; pass the keys themselves",
    ),
    (
        "sb_",
        "an API key of Supabase; pass the secret or the key set that PostgREST has",
    ),
    ("sk_", "a key for Clerk's APIs"),
    ("pk_", "a key for Clerk's APIs"),
    ("whsec_", "a webhook signing secret"),
    ("postgres://", "an address of a database"),
    ("postgresql://", "an address of a database"),
];

/// What the error names when a text holds a character that a secret given as text may not have.
const NAMED_CHARACTERS: [(char, &str); 8] = [
    ('\'', "a single quote"),
    ('"', "a double quote"),
    ('`', "a backtick"),
    ('{', "a brace"),
    ('<', "an angle bracket"),
    ('%', "a percent sign, as URL encoding has"),
    (':', "a colon"),
    ('\u{feff}', "a byte order mark"),
];

const ONLY_THE_VALUE: &str = "Pass the key set itself as it is in JSON, {\"keys\": […]}, or only the secret, without what stands around it. \
     Of clerk.service_env() that is the column value, not line.";

const AS_JWK: &str = "Pass only the secret itself, without quotes and without the name of the variable. A secret with other \
     characters than A-Z a-z 0-9 . _ ~ + / = - must be a key: {\"kty\": \"oct\", \"k\": \"…\"}, where k is the secret in base64url.";

/// Refuses a text that is no shared secret, or that PostgREST and its operator could read differently.
///
/// # Errors
/// With what is wrong. Never repeats the text.
pub(super) fn check_text(text: &str) -> Result<(), ExistingKeysError> {
    if let Some((_, what)) = MISTAKEN.iter().find(|(start, _)| text.starts_with(start)) {
        return Err(ExistingKeysError::new(
            format!("this is no secret of PostgREST's but {what}"),
            "Pass what PostgREST's environment has as PGRST_JWT_SECRET (for Supabase JWT_JWKS or JWT_SECRET).",
        ));
    }
    if let Some(what) = public_text(text.as_bytes()) {
        return Err(ExistingKeysError::new(
            format!("this is no shared secret but {what}, which PostgREST would take for one"),
            ONLY_THE_VALUE,
        ));
    }
    if let Some(pasted) = pasted::surrounded(text) {
        return Err(ExistingKeysError::new(
            format!(
                "the shared secret has {}, which PostgREST would count",
                pasted.what
            ),
            AS_JWK,
        ));
    }
    match text
        .chars()
        .enumerate()
        .find(|(_, character)| !is_allowed(*character))
    {
        Some((at, character)) => Err(ExistingKeysError::new(
            format!(
                "the shared secret has {} as character {}",
                name_of(character),
                at + 1
            ),
            AS_JWK,
        )),
        None => Ok(()),
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._~+/=-".contains(character)
}

fn name_of(character: char) -> &'static str {
    let named = NAMED_CHARACTERS.iter().find(|(named, _)| *named == character);
    match named {
        Some((_, name)) => name,
        None if character.is_whitespace() => "a blank or line end",
        None if character.is_control() => "a control character",
        None => "a character that a secret given as text may not have",
    }
}

/// What a shared secret is that everybody may know: a key set, a PEM, an HTML page or a line of a file of settings, also
/// inside quotes, URL-encoded or in base64. None if it may be a secret.
pub(super) fn public_text(secret: &[u8]) -> Option<&'static str> {
    /// Base64 of a URL-encoded text inside quotes is three; deeper than that nobody pastes by mistake.
    const DEPTH: usize = 4;
    let text = std::str::from_utf8(secret).ok()?;
    match setting(text) {
        Some((name, value)) => {
            let is_variable = ["JWT", "JWKS", "SECRET", "KEY"]
                .iter()
                .any(|part| name.contains(part));
            public_document(value, DEPTH).or(is_variable.then_some("a setting together with its name"))
        }
        None => public_document(text, DEPTH),
    }
}

fn public_document(text: &str, depth: usize) -> Option<&'static str> {
    let text = unwrapped(text);
    let beginnings = [
        ("{", "a JSON object"),
        ("[", "a JSON array"),
        ("-----BEGIN", "PEM, which PostgREST does not read"),
        ("<", "an HTML or XML page"),
        ("https://", "a URL"),
    ];
    let found = beginnings.iter().find(|(start, _)| text.starts_with(start));
    if let Some((_, what)) = found {
        return Some(what);
    }
    if is_token(text) {
        return Some("a token, such as the anon key");
    }
    let depth = depth.checked_sub(1)?;
    let value_of = |text| setting(text).map_or(text, |(_, value)| value);
    decodings(text)
        .iter()
        .find_map(|decoded| public_document(value_of(decoded), depth))
}

fn setting(text: &str) -> Option<(&str, &str)> {
    pasted::setting(unwrapped(text))
}

/// Without blanks, quotes and byte order marks around it.
fn unwrapped(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '\\' | '\u{feff}'))
}

/// A JWT in its compact form (RFC 7519 §3): a header that is a JSON object, and two more parts.
fn is_token(text: &str) -> bool {
    let mut parts = text.split('.');
    let header = parts.next().and_then(from_base64);
    header.is_some_and(|header| header.starts_with('{')) && parts.count() == 2
}

/// The texts that this one may be an encoding of.
fn decodings(text: &str) -> Vec<String> {
    let from_url = percent_encoding::percent_decode_str(text).decode_utf8().ok();
    let from_url = from_url
        .filter(|decoded| decoded != text)
        .map(|decoded| decoded.into_owned());
    from_base64(text).into_iter().chain(from_url).collect()
}

/// In either alphabet, with or without padding and line ends. None if what comes out is no text. Of UTF-16, in which PowerShell
/// encodes, the ASCII characters are read.
fn from_base64(text: &str) -> Option<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let url_safe: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    let mut decoded = LENIENT.decode(url_safe.trim_end_matches(['=', '.'])).ok()?;
    let order = [0xff, 0xfe];
    if decoded.starts_with(&order) {
        decoded.drain(..order.len());
    }
    decoded.retain(|byte| *byte != 0);
    let decoded = String::from_utf8(decoded).ok()?;
    let is_text = !decoded.is_empty() && !decoded.chars().any(|c| c.is_control() && !c.is_whitespace());
    is_text.then_some(decoded)
}
