//! Keys and tokens made by the tests themselves.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_core::{Claims, Jwk, Refusal, Rules, TokenType, VerifyingKey, judge_claims};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://clerk.example.com";
pub const KID: &str = "ins_2test";
pub const NOW: f64 = 1_750_000_000.0;
pub const HEADER: &str = r#"{"alg":"RS256","kid":"ins_2test","typ":"JWT"}"#;

/// The instance's key.
pub static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());
/// Somebody else's key.
pub static OTHER_KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

pub static ISSUERS: LazyLock<Vec<String>> = LazyLock::new(|| vec![ISSUER.to_owned()]);

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn jwk(key: &KeyPair, alg: Option<&str>) -> Jwk {
    Jwk {
        kid: KID.to_owned(),
        alg: alg.map(str::to_owned),
        n: base64url(key.public_key().modulus().big_endian_without_leading_zero()),
        e: base64url(key.public_key().exponent().big_endian_without_leading_zero()),
    }
}

pub fn verifying_key() -> VerifyingKey {
    VerifyingKey::from_jwk(&jwk(&KEY, Some("RS256"))).unwrap()
}

/// A token signed by the instance with RS256, whatever its header says.
pub fn token(header: &str, payload: &str) -> String {
    token_by(&KEY, &RSA_PKCS1_SHA256, header, payload)
}

pub fn token_by(key: &KeyPair, padding: &'static dyn RsaEncoding, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(payload));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .unwrap();
    format!("{signed}.{}", base64url(signature))
}

/// The claims of a good session token.
pub fn session() -> Value {
    json!({
        "azp": "https://app.example.com", "exp": NOW + 60.0, "fva": [0, -1], "iat": NOW, "iss": ISSUER,
        "jti": "0123456789abcdef0123", "nbf": NOW - 10.0, "role": "authenticated", "sid": "sess_1",
        "sub": "user_1", "v": 2
    })
}

/// A good session token's claims with some replaced; `null` takes one away.
pub fn session_with(changes: Value) -> Claims {
    claims(&merge(session(), changes))
}

pub fn merge(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => base.as_object_mut().unwrap().remove(name),
            value => base.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    base
}

pub fn claims(value: &Value) -> Claims {
    Claims::parse(&value.to_string()).unwrap()
}

/// One issuer, and nothing else configured.
pub fn rules() -> Rules<'static> {
    Rules {
        issuers: &ISSUERS,
        authorized_parties: &[],
        allow_missing_azp: false,
        audiences: &[],
        accept_template_tokens: false,
    }
}

pub fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// The verdict on a payload: `ok`, or the code of the refusal.
pub fn verdict(claims: &Claims, token_type: TokenType, rules: &Rules) -> &'static str {
    code(judge_claims(claims, token_type, rules))
}

pub fn code<T>(outcome: Result<T, Refusal>) -> &'static str {
    outcome.map_or_else(|refusal| refusal.reason.as_str(), |_| "ok")
}
