//! Taking tokens apart, and their signatures.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_core::{Algorithm, Jwt, MAX_TOKEN_BYTES, Reason, TokenType, VerifyingKey, judge_header};
use proptest::prelude::*;
use serde_json::json;

use crate::signer::{
    HEADER, KEY, KID, OTHER_KEY, base64url, code, jwk, rules, session, token, token_by, verifying_key,
};

fn message(token: &str) -> String {
    let refusal = Jwt::decode(token).unwrap_err();
    assert_eq!(refusal.reason, Reason::TokenInvalid);
    refusal.message
}

#[test]
fn a_good_token_decodes_and_verifies() {
    let payload = session().to_string();
    let token = token(HEADER, &payload);
    let jwt = Jwt::decode(&token).unwrap();
    assert_eq!(jwt.clone().into_claims().1, payload);
    assert_eq!(jwt.header.kid.as_deref(), Some(KID));
    assert_eq!(jwt.claims.sub(), Some("user_1"));
    assert_eq!(code(jwt.verify_signature(&verifying_key())), "ok");
}

#[test]
fn padding_is_tolerated() {
    let [header, payload] = [HEADER, r#"{"sub":"user_1"}"#].map(|part| {
        let encoded = base64url(part);
        let padding = "=".repeat((4 - encoded.len() % 4) % 4);
        encoded + &padding
    });
    assert!(header.contains('=') || payload.contains('='));
    assert_eq!(
        Jwt::decode(&format!("{header}.{payload}.AA=="))
            .unwrap()
            .claims
            .sub(),
        Some("user_1")
    );
}

#[test]
fn what_was_pasted_with_a_token_is_named() {
    let token = token(HEADER, &session().to_string());
    for (text, expected) in [
        (format!("Bearer {token}"), "the token has \"Bearer \" before it"),
        (format!("'{token}'"), "the token has single quotes around it"),
        (
            format!("token=\"{token}\""),
            "the token has the name of a setting before it and double quotes around it",
        ),
        (format!("{token},"), "the token has a comma behind it"),
        (
            format!(" {token}\n"),
            "the token has blanks or line ends around it",
        ),
    ] {
        assert_eq!(message(&text), expected);
    }
}

#[test]
fn what_is_no_token_is_refused_with_its_reason() {
    let header = base64url(HEADER);
    assert!(message("").contains("empty"));
    assert!(message("a").contains("but has 1"));
    assert!(message("a.b").contains("but has 2"));
    assert!(message("a.b.c.d").contains("but has 4"));
    assert!(message("a.b.c.d.e").contains("JWE"));
    assert!(message("a.b.c.d.e.f").contains("but has 6"));
    assert!(message("oat_abc").contains("opaque"));
    assert!(message("ak_abc").contains("opaque"));
    assert!(message(&"x".repeat(1 << 20)).contains("1048576 bytes"));
    assert!(message(&".".repeat(MAX_TOKEN_BYTES)).contains("parts"));
    assert!(message(&format!("{header}.e30.+/+/")).contains("signature is not base64url"));
    assert!(message(&format!("{header}.e3 0.AAAA")).contains("payload is not base64url"));
    assert!(message(&format!("Bearer {header}.e30.AAAA")).contains("\"Bearer \" before it"));
    assert!(message(&format!("{header}.{}.AAAA", base64url(b"{\"sub\":\"\xFF\"}"))).contains("UTF-8"));
    assert!(message(&format!("{header}.{}.AAAA", base64url("[]"))).contains("not a JSON object"));
    assert!(message(&format!("{}.e30.AAAA", base64url("1"))).contains("header"));
    assert!(
        message(&format!(
            "{}.e30.AAAA",
            base64url(r#"{"alg":"RS256","alg":"none"}"#)
        ))
        .contains("twice")
    );
    for name in ["alg", "kid", "typ", "cat"] {
        let header = base64url(json!({ name: ["RS256"] }).to_string());
        assert!(message(&format!("{header}.e30.AAAA")).contains(name));
    }
}

#[test]
fn the_longest_token_is_read() {
    let rest = format!("{}.e30.", base64url("{}"));
    let longest = rest.clone() + &"A".repeat((MAX_TOKEN_BYTES - rest.len()) / 4 * 4);
    assert!(longest.len() + 4 > MAX_TOKEN_BYTES);
    assert!(Jwt::decode(&longest).is_ok());
    assert!(message(&(longest + "AAAA")).contains("limit"));
}

#[test]
fn messages_never_repeat_the_token() {
    let payload = base64url(json!({"email": "somebody@example.com", "aud": "x"}).to_string());
    for bad in [
        format!("{payload}.{payload}"),
        format!("!.{payload}.AAAA"),
        format!("{payload}.e30x.AAAA"),
    ] {
        let refusal = Jwt::decode(&bad).unwrap_err();
        assert!(!format!("{refusal:?}").contains(&payload));
    }
}

#[test]
fn another_key_does_not_verify() {
    let token = token_by(&OTHER_KEY, &RSA_PKCS1_SHA256, HEADER, &session().to_string());
    assert_eq!(
        code(Jwt::decode(&token).unwrap().verify_signature(&verifying_key())),
        "token-invalid-signature"
    );
}

#[test]
fn a_key_that_the_token_brings_along_is_not_used() {
    let own = jwk(&OTHER_KEY, Some("RS256"));
    let header = json!({
        "alg": "RS256", "kid": KID, "typ": "JWT", "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x",
        "jwk": {"kty": "RSA", "kid": KID, "n": own.n, "e": own.e}
    });
    let token = token_by(
        &OTHER_KEY,
        &RSA_PKCS1_SHA256,
        &header.to_string(),
        &session().to_string(),
    );
    let jwt = Jwt::decode(&token).unwrap();
    assert_eq!(
        code(judge_header(&jwt.header, TokenType::Session, &rules())),
        "ok"
    );
    assert_eq!(
        code(jwt.verify_signature(&verifying_key())),
        "token-invalid-signature"
    );
}

#[test]
fn each_rsa_algorithm_verifies_and_only_where_the_key_allows() {
    let any = VerifyingKey::from_jwk(&jwk(&KEY, None)).unwrap();
    for (alg, padding) in [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
    ] {
        let token = token_by(&KEY, padding, &json!({ "alg": alg }).to_string(), "{}");
        let jwt = Jwt::decode(&token).unwrap();
        assert_eq!(code(jwt.verify_signature(&any)), "ok", "{alg}");
        let expected = if alg == "RS256" {
            "ok"
        } else {
            "token-invalid-algorithm"
        };
        assert_eq!(code(jwt.verify_signature(&verifying_key())), expected, "{alg}");
    }
    let lying = token_by(&KEY, &RSA_PSS_SHA256, HEADER, "{}");
    assert_eq!(
        code(Jwt::decode(&lying).unwrap().verify_signature(&any)),
        "token-invalid-signature"
    );
}

#[test]
fn a_key_verifies_only_by_the_algorithm_that_is_named() {
    let token = token(HEADER, "{}");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let any = VerifyingKey::from_jwk(&jwk(&KEY, None)).unwrap();
    for key in [any, verifying_key()] {
        let verdicts = Algorithm::ALL.map(|algorithm| key.verify(algorithm, signed.as_bytes(), &signature));
        assert_eq!(verdicts, [true, false, false]);
    }
}

#[test]
fn other_algorithms_never_verify() {
    let any = VerifyingKey::from_jwk(&jwk(&KEY, None)).unwrap();
    for alg in [
        "none", "None", "", "HS256", "PS256", "ES256", "EdDSA", "rs256", "RS256 ",
    ] {
        let token = token(&json!({ "alg": alg }).to_string(), "{}");
        assert_eq!(
            code(Jwt::decode(&token).unwrap().verify_signature(&any)),
            "token-invalid-algorithm",
            "{alg}"
        );
    }
    let missing = token("{}", "{}");
    assert_eq!(
        code(Jwt::decode(&missing).unwrap().verify_signature(&any)),
        "token-invalid-algorithm"
    );
}

#[test]
fn the_public_key_is_no_hmac_secret() {
    let public = KEY.public_key().as_der().unwrap();
    let signed = format!(
        "{}.{}",
        base64url(r#"{"alg":"HS256"}"#),
        base64url(session().to_string())
    );
    let tag = hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, public.as_ref()),
        signed.as_bytes(),
    );
    let token = format!("{signed}.{}", base64url(tag.as_ref()));
    let jwt = Jwt::decode(&token).unwrap();
    assert_eq!(
        code(judge_header(&jwt.header, TokenType::Session, &rules())),
        "token-invalid-algorithm"
    );
    assert_eq!(
        code(jwt.verify_signature(&verifying_key())),
        "token-invalid-algorithm"
    );
}

/// Whether `token` is one that the instance signed.
fn is_genuine(token: &str, key: &VerifyingKey) -> bool {
    Jwt::decode(token).is_ok_and(|jwt| jwt.verify_signature(key).is_ok())
}

proptest! {
    #[test]
    fn no_changed_character_verifies(
        at in any::<prop::sample::Index>(),
        replacement in prop::sample::select(b"ABCXYZabcxyz019-_.=+/ ".to_vec()),
    ) {
        let key = verifying_key();
        let original = token(HEADER, &session().to_string());
        prop_assert!(is_genuine(&original, &key));
        let mut changed = original.clone().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != replacement);
        changed[at] = replacement;
        prop_assert!(!is_genuine(std::str::from_utf8(&changed).unwrap(), &key));
    }

    #[test]
    fn no_cut_or_grown_token_verifies(at in any::<prop::sample::Index>(), extra in "[A-Za-z0-9._-]{1,8}") {
        let key = verifying_key();
        let original = token(HEADER, &session().to_string());
        let at = at.index(original.len());
        prop_assert!(!is_genuine(&original[..at], &key));
        let (front, back) = original.split_at(at);
        let grown = [front, &extra, back].concat();
        prop_assert!(!is_genuine(&grown, &key));
    }

    #[test]
    fn no_text_panics(text: String, header: Vec<u8>, payload: Vec<u8>, signature: Vec<u8>) {
        let _ = Jwt::decode(&text);
        let parts = [header, payload, signature].map(base64url);
        let _ = Jwt::decode(&parts.join("."));
        let _ = Jwt::decode(&format!("{}.{}.{}", base64url("{}"), parts[1], parts[2]));
    }
}
