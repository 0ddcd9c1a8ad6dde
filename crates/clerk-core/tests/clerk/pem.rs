//! A public key as PEM.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_core::{JwksError, VerifyingKey, parse_keys};
use serde_json::json;

use crate::signer::{HEADER, KEY, KID, jwk, session, token};

/// The instance's public key as OpenSSL writes it.
fn pem() -> String {
    let der: PublicKeyX509Der = KEY.public_key().as_der().unwrap();
    let base64 = STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        lines.join("\n")
    )
}

fn refused(text: &str, kid: Option<&str>) -> JwksError {
    parse_keys(text, kid).unwrap_err()
}

#[test]
fn a_pem_is_the_key_that_it_was_made_of() {
    for text in [
        pem(),
        format!("\n {}\r\n", pem().replace('\n', "\r\n")),
        pem().replace('\n', " "),
    ] {
        assert_eq!(parse_keys(&text, Some(KID)).unwrap(), [jwk(&KEY, Some("RS256"))]);
    }
    let key = VerifyingKey::from_jwk(&parse_keys(&pem(), Some(KID)).unwrap()[0]).unwrap();
    let token = token(HEADER, &session().to_string());
    assert!(
        clerk_core::Jwt::decode(&token)
            .unwrap()
            .verify_signature(&key)
            .is_ok()
    );
}

#[test]
fn a_key_set_is_read_as_ever() {
    let key = jwk(&KEY, Some("RS256"));
    let set =
        json!({"keys": [{"kty": "RSA", "kid": KID, "alg": "RS256", "n": key.n, "e": key.e}]}).to_string();
    assert_eq!(parse_keys(&format!(" {set}\n"), None).unwrap(), [key]);
    assert!(refused(&set, Some(KID)).hint.contains("Leave kid out"));
}

#[test]
fn a_pem_needs_a_key_id_and_is_told_where_that_is() {
    let error = refused(&pem(), None);
    assert_eq!(error.message, "a PEM does not say its key id");
    assert!(
        error.hint.contains("kid => 'ins_…'") && error.hint.contains("/.well-known/jwks.json"),
        "{}",
        error.hint
    );
    for bad in ["", "a\nb"] {
        assert!(refused(&pem(), Some(bad)).message.contains("kid"));
    }
}

#[test]
fn what_is_no_public_key_is_refused_and_not_repeated() {
    let secret = STANDARD.encode([7; 48]);
    let cut = pem()[..200].to_owned();
    for (text, message) in [
        (
            format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----"),
            "private key",
        ),
        (
            format!("-----BEGIN RSA PRIVATE KEY-----\n{secret}\n-----END RSA PRIVATE KEY-----"),
            "private key",
        ),
        (
            format!("-----BEGIN CERTIFICATE-----\n{secret}\n-----END CERTIFICATE-----"),
            "not one public key",
        ),
        (
            format!("-----BEGIN PUBLIC KEY-----\n{secret}\n-----END PUBLIC KEY-----"),
            "not an RSA public key",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\n*\n-----END PUBLIC KEY-----".to_owned(),
            "not an RSA public key",
        ),
        (pem().replacen("MII", "MIJ", 1), "not an RSA public key"),
        (pem().replace('\n', r"\n"), r"\n as two characters"),
        (cut, "was cut"),
        (format!("\"{}\"", pem()), "double quotes around it"),
        (format!("CLERK_JWT_KEY={}", pem()), "CLERK_JWT_KEY= before it"),
        (pem().lines().nth(1).unwrap().to_owned(), "first and last line"),
        ("sk_test_secret".to_owned(), "neither"),
        (String::new(), "neither"),
        ("[]".to_owned(), "neither"),
    ] {
        let error = refused(&text, Some(KID));
        assert!(error.message.contains(message), "{}: {}", text, error.message);
        assert!(!format!("{} {}", error.message, error.hint).contains(&secret) && !error.hint.is_empty());
    }
}

#[test]
fn no_change_of_a_byte_panics() {
    let der: PublicKeyX509Der = KEY.public_key().as_der().unwrap();
    for at in 0..40 {
        for byte in [0, 1, 0x7f, 0x80, 0x81, 0x82, 0xff] {
            let mut der = der.as_ref().to_vec();
            der[at] = byte;
            let text = format!(
                "-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----",
                STANDARD.encode(&der)
            );
            let _ = parse_keys(&text, Some(KID));
            let cut = format!(
                "-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----",
                STANDARD.encode(&der[..at])
            );
            assert!(parse_keys(&cut, Some(KID)).is_err());
        }
    }
}
