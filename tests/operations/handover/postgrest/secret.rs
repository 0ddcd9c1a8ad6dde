//! What PostgREST makes of a secret (parseSecret in its Config.hs), and jose-jwt of a key (Jose/Jwk.hs).

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value, json};

use super::program::is_taken_for_password;

/// What it verifies tokens with.
#[derive(Debug, Clone, PartialEq)]
pub enum Secret {
    /// Every request with a token is answered 500.
    None,
    Keys(Vec<Value>),
    /// A text that it could not read: everybody who knows it can sign.
    Password(String),
}

impl Secret {
    /// parseSecret. `Err` keeps the configuration as it was.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(json) = serde_json::from_str::<Value>(text) {
            if let Some(keys) = json["keys"].as_array().filter(|keys| keys.iter().all(readable)) {
                return Ok(Self::Keys(keys.clone()));
            }
            if readable(&json) {
                return Ok(Self::Keys(vec![json]));
            }
        }
        if text.len() < 32 {
            return Err("The JWT secret must be at least 32 characters long.");
        }
        Ok(Self::Password(text.to_owned()))
    }

    /// The ids, or kinds where there is none, of its keys.
    pub fn names(&self) -> Vec<String> {
        let Self::Keys(keys) = self else {
            panic!("{self:?} is no key set")
        };
        keys.iter()
            .map(|key| {
                key["kid"]
                    .as_str()
                    .or(key["kty"].as_str())
                    .expect("a key has one")
                    .to_owned()
            })
            .collect()
    }
}

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

const KINDS: [&str; 4] = ["RSA", "oct", "EC", "OKP"];
const ALGORITHMS: [&str; 17] = [
    "none",
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128KW",
    "A192KW",
    "A256KW",
];
/// What only an RSA key has besides d.
const RSA_PRIMES: [&str; 5] = ["p", "q", "dp", "dq", "qi"];

/// parseJwk: of a kind or for an algorithm that it does not know, a key is read and of no use.
fn readable(key: &Value) -> bool {
    let Value::Object(key) = key else { return false };
    let is_unknown = |name: &str, known: &[&str]| match key.get(name) {
        None | Some(Value::Null) => false,
        Some(value) => !value.as_str().is_some_and(|value| known.contains(&value)),
    };
    is_unknown("alg", &ALGORITHMS) || is_unknown("kty", &KINDS) || (has_types(key) && is_made(key))
}

/// JwkData
fn has_types(key: &Map<String, Value>) -> bool {
    key.iter().all(|(name, value)| {
        value.is_null()
            || match name.as_str() {
                "n" | "e" | "d" | "p" | "q" | "dp" | "dq" | "qi" | "k" | "x" | "y" => bytes(value).is_some(),
                "crv" | "kid" | "x5u" | "x5t" => value.is_string(),
                "x5c" => value
                    .as_array()
                    .is_some_and(|texts| texts.iter().all(Value::is_string)),
                "use" => [json!("sig"), json!("enc")].contains(value),
                _ => true,
            }
    })
}

/// createJwk. Whether the private and the public part of an OKP key belong together is not looked at.
fn is_made(key: &Map<String, Value>) -> bool {
    let has = |name: &&str| key.get(*name).is_some_and(|value| !value.is_null());
    let has_all = |names: &[&str]| names.iter().all(&has);
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let curve = text("crv");
    match text("kty") {
        Some("RSA") => {
            has_all(&["n", "e"])
                && curve.is_none()
                && !has_all(&["x", "y"])
                && (has(&"d") || !has_all(&RSA_PRIMES))
        }
        Some("oct") => {
            has(&"k")
                && curve.is_none()
                && !has_all(&["x", "y"])
                && !(has_all(&["n", "e", "d"]) && has_all(&RSA_PRIMES))
        }
        Some("EC") => {
            matches!(curve, Some("P-256" | "P-384" | "P-521"))
                && has_all(&["x", "y"])
                && !(has_all(&["n", "e"]) && has_all(&RSA_PRIMES))
        }
        Some("OKP") => {
            let length = key.get("x").and_then(bytes).map(|x| x.len());
            matches!(
                (curve, length),
                (Some("Ed25519"), Some(32)) | (Some("Ed448"), Some(57))
            ) && !(has_all(&["n", "e"]) && has_all(&RSA_PRIMES))
        }
        _ => false,
    }
}

/// JwkBytes
fn bytes(value: &Value) -> Option<Vec<u8>> {
    BASE64URL.decode(value.as_str()?).ok()
}

/// Texts that are read as keys, those of no use among them.
const KEYS: &[&str] = &[
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB"}"#,
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB","use":null,"alg":null,"key_ops":["any"],"ext":1}"#,
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB","alg":"ES256K","use":"other","kid":1}"#,
    r#"{"kty":"rsa","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB"}"#,
    r#"{"kty":"oct","k":"","kid":"an-empty-secret-that-is-nevertheless-a-key"}"#,
    r#"{"kty":"EC","crv":"P-256","x":"AQAB","y":"AQAB","kid":"not on the curve"}"#,
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc"}"#,
    r#"{"keys":[],"more":"a set without keys refuses everybody"}"#,
    r#"{"keys":[{"kty":"foo"},{"kty":"oct","k":"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU"}]}"#,
];

/// Texts that look like keys and are taken for shared secrets.
const PASSWORDS: &[&str] = &[
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9==","e":"AQAB"}"#,
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB","use":"other"}"#,
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB","kid":1}"#,
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB","x5u":1}"#,
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB","crv":"P-256"}"#,
    r#"{"kty":"RSA","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9"}"#,
    r#"{"kty":"oct","k":"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzND+/"}"#,
    r#"{"kty":"oct","k":"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU","crv":"P-256"}"#,
    r#"{"kty":"EC","x":"AQAB","y":"AQAB","kid":"it has no curve"}"#,
    r#"{"kty":"EC","crv":"secp256k1","x":"AQAB","y":"AQAB"}"#,
    r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcH"}"#,
    r#"{"n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9","e":"AQAB","kid":"it has no kty"}"#,
    r#"{"keys":[{"kty":"oct","k":"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU"},1]}"#,
    r#"{"keys":[{"kty":"oct","k":"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU","use":"other"}]}"#,
    r#"[{"kty":"oct","k":"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU"}]"#,
];

#[test]
fn texts_are_read_as_postgrest_reads_them() {
    let program = std::env::var_os("POSTGREST");
    for (texts, is_password) in [(KEYS, false), (PASSWORDS, true)] {
        for text in texts {
            let read = Secret::parse(text).expect("the text is long enough");
            assert_eq!(matches!(read, Secret::Password(_)), is_password, "{text}");
            if let Some(program) = &program {
                assert_eq!(is_taken_for_password(program, text), is_password, "{text}");
            }
        }
    }
}
