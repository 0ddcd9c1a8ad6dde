//! The keys that PostgREST has besides Clerk's. What PostgREST reads, and as what, is in its parseSecret (Config.hs) and in
//! jose-jwt's Jwk.hs; keys are those of RFC 7515 A.1, RFC 7517 A.1 and RFC 8037 A.2.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use clerk_core::{ExistingKeys, ExistingKeysError, Jwk, jwt_secret_fault};
use serde_json::{Value, json};

use crate::signer::{KEY, jwk, merge};

const SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";
/// The same in base64url, by coreutils.
const SECRET_BASE64URL: &str = "c3VwZXItc2VjcmV0LWp3dC10b2tlbi13aXRoLWF0LWxlYXN0LTMyLWNoYXJhY3RlcnMtbG9uZw";

fn symmetric() -> Value {
    json!({"kty": "oct", "kid": "legacy", "alg": "HS256",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})
}

fn elliptic() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "own",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
}

fn edwards() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn clerks() -> Jwk {
    Jwk {
        kid: "ins_ours".to_owned(),
        ..jwk(&KEY, Some("RS256"))
    }
}

fn rsa(kid: &str) -> Value {
    let key = clerks();
    json!({"kty": "RSA", "kid": kid, "alg": "RS256", "n": key.n, "e": key.e})
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn parse(text: &str) -> Result<ExistingKeys, ExistingKeysError> {
    ExistingKeys::parse(text, false, &[clerks()], None)
}

fn keys(text: &str) -> Value {
    match parse(text) {
        Ok(keys) => serde_json::from_str(&keys.to_json()).unwrap(),
        Err(error) => panic!("{text}: {error:?}"),
    }
}

fn refused(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("{text} was accepted"),
        Err(error) => {
            assert!(!error.hint.is_empty());
            error.message
        }
    }
}

fn signing(key: Value) -> Value {
    merge(key, json!({"use": "sig"}))
}

#[test]
fn a_key_set_and_a_single_key_come_out_as_they_are() {
    let all = [symmetric(), elliptic(), edwards()];
    let expected: Value = all.iter().cloned().map(signing).collect();
    assert_eq!(keys(&set(&all)), expected);
    assert_eq!(keys(&elliptic().to_string()), json!([signing(elliptic())]));
    assert_eq!(
        keys(&format!("\n {}\n", elliptic())),
        json!([signing(elliptic())])
    );
    let adorned = merge(
        elliptic(),
        json!({"use": "sig", "key_ops": ["verify"], "ext": true, "x5c": [1]}),
    );
    assert_eq!(keys(&set(&[adorned])), json!([signing(elliptic())]));
}

#[test]
fn a_password_becomes_a_symmetric_key() {
    let expected = json!([{"kty": "oct", "use": "sig", "alg": "HS256", "k": SECRET_BASE64URL}]);
    assert_eq!(keys(SECRET), expected);
    let of_base64 = |text: &str| ExistingKeys::parse(text, true, &[], None).map(|keys| keys.to_json());
    for spelling in [
        SECRET_BASE64URL.to_owned(),
        format!("{SECRET_BASE64URL}=="),
        format!("{SECRET_BASE64URL}..\n"),
    ] {
        let json: Value = serde_json::from_str(&of_base64(&spelling).unwrap()).unwrap();
        assert_eq!(json, expected, "{spelling}");
    }
    // base64 of bytes that are no text, and of a key set.
    let bytes = "_".repeat(44);
    assert!(of_base64(&bytes).unwrap().contains("\"k\""));
    assert!(of_base64("not base64!").is_err());
    assert!(parse(SECRET).unwrap().hold_secret(SECRET));
    assert!(!parse(SECRET).unwrap().hold_secret("another"));
    assert!(!parse(&set(&[elliptic()])).unwrap().hold_secret(""));
}

#[test]
fn what_postgrest_would_take_for_a_password_is_refused() {
    let without = |name: &str| merge(elliptic(), json!({ name: null }));
    let with = |changes: Value| merge(elliptic(), changes);
    let symmetric_with = |changes: Value| merge(symmetric(), changes);
    let cases = [
        (json!([symmetric(), elliptic()]).to_string(), "a bare array"),
        (set(&[symmetric(), elliptic()]).replace("]}", "]"), "EOF"),
        (format!("{} x", set(&[symmetric()])), "trailing"),
        (
            json!({"keys": symmetric()}).to_string(),
            "an object, not an array",
        ),
        (json!({"key": [symmetric()]}).to_string(), "neither"),
        (set(&[symmetric(), json!("x")]), "a string, not an object"),
        (set(&[without("kty")]), "no kty"),
        (set(&[with(json!({"kty": "ec"}))]), "unknown kind"),
        (set(&[without("crv")]), "curve"),
        (set(&[with(json!({"crv": "secp256k1"}))]), "curve"),
        (set(&[without("y")]), "no y"),
        (set(&[with(json!({"x": "AQAB"}))]), "3 bytes instead of 32"),
        (set(&[with(json!({"x": 1}))]), "a number"),
        (set(&[with(json!({"use": "enc"}))]), "\"enc\""),
        (set(&[with(json!({"alg": "HS256"}))]), "alg"),
        (
            set(&[symmetric_with(
                json!({"k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ+EstJQLr/T"}),
            )]),
            "base64url",
        ),
        (
            set(&[symmetric_with(json!({"k": format!("{}=", "A".repeat(43))}))]),
            "without padding",
        ),
        (
            set(&[symmetric_with(json!({"k": "A".repeat(42)}))]),
            "fewer than 32",
        ),
        (set(&[symmetric_with(json!({"k": null}))]), "no k"),
        (set(&[merge(rsa("own"), json!({"n": "AQAB"}))]), "modulus"),
        (set(&[with(json!({"kid": 1}))]), "kid"),
    ];
    for (text, why) in cases {
        let message = refused(&text);
        assert!(message.contains(why), "{text}: {message}");
        assert!(message.contains("shared secret"), "{text}: {message}");
    }
    let twice = set(&[elliptic()]).replace("\"kid\"", "\"kty\":\"oct\",\"kid\"");
    assert!(refused(&twice).contains("comes twice"));
}

#[test]
fn private_keys_are_refused() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"] {
        let key = merge(elliptic(), json!({ name: "AQAB" }));
        for text in [set(&[symmetric(), key.clone()]), key.to_string()] {
            let message = refused(&text);
            assert!(message.contains("private material"), "{name}: {message}");
        }
    }
}

#[test]
fn what_is_no_secret_at_all_is_refused() {
    let cases = [
        "@/run/secrets/jwt_secret_of_postgrest_and_more",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        "https://clerk.example.com/.well-known/jwks.json",
        "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "sb_secret_0123456789012345678901234567890123456789",
        "sk_test_01234567890123456789012345678901234567890123",
        "whsec_0123456789012345678901234567890123456789",
        "postgres://authenticator:secret@db:5432/postgres",
        "too-short-by-one-for-postgrest-0",
        "",
    ];
    for text in cases {
        if text == "too-short-by-one-for-postgrest-0" {
            assert_eq!(text.len(), 32);
            assert!(parse(text).is_ok());
            assert!(parse(&text[1..]).is_err());
            continue;
        }
        let message = refused(text);
        assert!(text.is_empty() || !message.contains(text), "{message}");
    }
}

/// Percent-encodes every byte but letters and digits, as JavaScript's encodeURIComponent does for a key set (ECMA-262 §19.2.6).
fn url_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// The forms in which a public text is pasted from a file of settings, a shell, YAML or a browser.
fn wrappings(text: &str) -> Vec<String> {
    let base64 = BASE64_STANDARD.encode(text);
    vec![
        format!("'{text}'"),
        format!("\"{text}\""),
        format!("`{text}`"),
        format!("JWT_JWKS={text}"),
        format!("JWT_JWKS='{text}'"),
        format!("export PGRST_JWT_SECRET='{text}'"),
        format!("PGRST_JWT_SECRET: {text}"),
        format!("PGRST_JWT_SECRET: '{text}'"),
        format!("\u{feff}{text}"),
        url_encoded(text),
        url_encoded(&format!("\"{text}\"")),
        base64.clone(),
        base64.trim_end_matches('=').to_owned(),
        BASE64_URL_SAFE_NO_PAD.encode(text),
        BASE64_STANDARD.encode(&base64),
        BASE64_STANDARD.encode(format!("'{text}'")),
        format!("JWT_JWKS={base64}"),
        // PowerShell's own encoding, without and with a mark.
        BASE64_STANDARD.encode(utf_16(text)),
        BASE64_STANDARD.encode(utf_16(&format!("\u{feff}{text}"))),
    ]
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn a_public_text_never_becomes_a_secret() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7\n-----END PUBLIC KEY-----";
    let documents = [
        set(&[elliptic()]),
        set(&[symmetric(), elliptic()]),
        json!([elliptic()]).to_string(),
        pem.to_owned(),
        pem.replace('\n', ""),
        pem.replace('\n', "\\n"),
        "<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>".to_owned(),
    ];
    for text in documents.iter().flat_map(|document| wrappings(document)) {
        let message = refused(&text);
        assert!(!message.contains("f83OJ3D2"), "{message}");
        // Neither as text, nor in the base64 that PostgREST decodes, nor as a key made of it.
        assert!(
            ExistingKeys::parse(&BASE64_STANDARD.encode(&text), true, &[], None).is_err(),
            "{text}"
        );
        let key = json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(&text)});
        assert!(
            refused(&key.to_string()).contains("the k of a symmetric key"),
            "{text}"
        );
        // What was stored before this was refused.
        assert!(jwt_secret_fault(&text).is_some(), "{text}");
        assert!(jwt_secret_fault(&set(&[key])).is_some(), "{text}");
    }
}

#[test]
fn a_secret_that_could_be_read_differently_must_be_a_key() {
    let cases = [
        (format!("JWT_SECRET={SECRET}"), "a setting"),
        (
            format!("any_name={SECRET}"),
            "the name of a setting before it, which PostgREST would count",
        ),
        (format!("PGRST_JWT_SECRET: {SECRET}"), "a setting"),
        (format!("export {SECRET}"), "a blank"),
        (json!(SECRET).to_string(), "double quotes around it"),
        (format!("'{SECRET}'"), "single quotes around it"),
        (format!("`{SECRET}`"), "backticks around it"),
        (format!("\u{feff}{SECRET}"), "a byte order mark"),
        (format!("{SECRET}\n"), "a blank or line end"),
        (format!(" {SECRET}"), "a blank or line end"),
        (format!("{SECRET}%21"), "a percent sign"),
        (format!("{SECRET}!"), "a character"),
    ];
    for (text, why) in cases {
        let message = refused(&text);
        assert!(message.contains(why), "{text}: {message}");
        assert!(!message.contains("super-secret"), "{message}");
    }
    // The way that the hint names.
    for secret in [
        format!("{SECRET}!"),
        format!("'{SECRET}'"),
        format!("any_name={SECRET}"),
    ] {
        let k = BASE64_URL_SAFE_NO_PAD.encode(&secret);
        assert_eq!(
            keys(&json!({"kty": "oct", "k": k}).to_string()),
            json!([{"kty": "oct", "use": "sig", "k": k}])
        );
    }
}

#[test]
fn plain_secrets_are_taken_as_they_are() {
    let secrets = [
        SECRET.to_owned(),
        "0123456789abcdef0123456789abcdef".to_owned(),
        "550e8400-e29b-41d4-a716-446655440000".to_owned(),
        "correct.horse.battery.staple.correct.horse".to_owned(),
        "~tilde_and_under-score.and/slash+plus~~~".to_owned(),
        "JWT_SECRET_without_an_equals_sign_in_it".to_owned(),
        "export_is_the_beginning_of_this_secret".to_owned(),
        // What `openssl rand -base64 32` and `-base64 48` print.
        "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=".to_owned(),
        "/tz+y9qHZUMhEBEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=".to_owned(),
        "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg=".to_owned(),
    ];
    for secret in secrets {
        let k = BASE64_URL_SAFE_NO_PAD.encode(&secret);
        assert_eq!(
            keys(&secret),
            json!([{"kty": "oct", "use": "sig", "alg": "HS256", "k": k}]),
            "{secret}"
        );
        assert_eq!(jwt_secret_fault(&secret), None, "{secret}");
    }
}

#[test]
fn what_postgrest_has_may_stay_if_it_is_keys_or_a_secret() {
    let others = [
        format!("{SECRET}!"),
        format!("'{SECRET}'"),
        set(&[symmetric(), elliptic(), edwards()]),
        set(&[rsa("ins_ours"), rsa("ins_other")]),
        elliptic().to_string(),
        set(&[]),
    ];
    for text in others {
        assert_eq!(jwt_secret_fault(&text), None, "{text}");
    }
    for text in [set(&[merge(elliptic(), json!({"d": "AQAB"}))]), "{}".to_owned()] {
        assert!(jwt_secret_fault(&text).is_some(), "{text}");
    }
}

#[test]
fn a_whole_line_names_the_column_that_has_the_value() {
    let key_set = set(&[elliptic()]);
    for line in [
        format!("JWT_JWKS='{key_set}'"),
        format!("PGRST_JWT_SECRET='{key_set}'"),
        "[auth.third_party.clerk]\nenabled = true\ndomain = \"clerk.example.com\"".to_owned(),
    ] {
        let error = parse(&line).err().expect("it is refused");
        assert!(error.hint.contains("the column value"), "{error:?}");
    }
}

#[test]
fn a_placeholder_stands_for_the_secret_that_is_stored() {
    let placeholder = |kid: &str| merge(edwards(), json!({"kid": kid, "alg": null}));
    let stored = json!([elliptic(), symmetric()]).to_string();
    for kid in [
        "PUT-YOUR-SHARED-SECRET-HERE-AS-OCT-KEY",
        "PUT-THE-KEYS-HERE-THAT-ARE-THERE-NOW",
    ] {
        let text = set(&[placeholder(kid), rsa("ins_ours")]);
        for nothing in [None, Some("[]"), Some(&*json!([elliptic()]).to_string())] {
            let error = ExistingKeys::parse(&text, false, &[clerks()], nothing).err();
            assert!(error.expect("it is refused").message.contains("placeholder"));
        }
        let keys = ExistingKeys::parse(&text, false, &[clerks()], Some(&stored)).unwrap();
        assert_eq!(keys.to_json(), json!([symmetric()]).to_string());
        // Replaced, but for its name.
        let own = merge(symmetric(), json!({ "kid": kid }));
        assert_eq!(
            self::keys(&set(std::slice::from_ref(&own))),
            json!([signing(own)])
        );
    }
}

#[test]
fn nothing_at_all_must_be_said() {
    let none = parse("none").unwrap();
    assert_eq!((none.count(), none.to_json().as_str()), (0, "[]"));
    assert!(refused(&set(&[])).contains("Clerk's keys only, or none"));
}

#[test]
fn clerks_keys_are_not_kept_as_ones_own() {
    let known = clerks();
    // As pasted today, and as pasted before a rotation that kept the name.
    for key in [
        rsa("ins_ours"),
        rsa("renamed"),
        merge(rsa("ins_ours"), json!({"n": other_modulus()})),
    ] {
        let kid = key["kid"].as_str().unwrap().to_owned();
        let keys = parse(&set(&[symmetric(), key.clone()])).unwrap();
        assert_eq!((keys.count(), keys.left_out()), (1, [kid].as_slice()));
        assert!(refused(&set(&[key])).contains("Clerk's keys only"));
    }
    let foreign = merge(rsa("ins_other"), json!({"n": other_modulus()}));
    assert!(refused(&set(&[symmetric(), foreign])).contains("\"ins_other\""));
    // An RSA key of one's own.
    let own = merge(rsa("own"), json!({"n": other_modulus()}));
    assert_eq!(parse(&set(&[own])).unwrap().count(), 1);
    assert_eq!(known.kid, "ins_ours");
}

/// A modulus of the same length: the last octet but one changed.
fn other_modulus() -> String {
    let n = clerks().n;
    let at = n.len() - 5;
    let other = if &n[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &n[..at], &n[at + 1..])
}

#[test]
fn a_fingerprint_tells_sets_apart() {
    let (one, other) = (parse(&set(&[symmetric()])).unwrap(), parse(SECRET).unwrap());
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_eq!(
        one.fingerprint(),
        parse(&symmetric().to_string()).unwrap().fingerprint()
    );
    assert_eq!(one.fingerprint().len(), 16);
}
