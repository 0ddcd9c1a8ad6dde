//! Key sets.

use clerk_core::{Algorithm, VerifyingKey, parse_jwks};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::{KEY, base64url, jwk, merge};

fn key() -> Value {
    let jwk = jwk(&KEY, Some("RS256"));
    json!({"kty": "RSA", "use": "sig", "kid": jwk.kid, "alg": "RS256", "n": jwk.n, "e": jwk.e})
}

fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn refused(changes: Value) -> String {
    parse_jwks(&set(&[merge(key(), changes)])).unwrap_err().message
}

#[test]
fn clerks_key_is_read_as_given() {
    assert_eq!(parse_jwks(&set(&[key()])).unwrap(), [jwk(&KEY, Some("RS256"))]);
    let bare = merge(key(), json!({"alg": null, "use": null, "unknown": {"more": [1]}}));
    assert_eq!(parse_jwks(&set(&[bare])).unwrap(), [jwk(&KEY, None)]);
}

#[test]
fn private_and_symmetric_keys_are_refused_with_the_whole_set() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        let secret = merge(key(), json!({"kid": "ins_other", name: "AQAB"}));
        let error = parse_jwks(&set(&[key(), secret])).unwrap_err();
        assert!(
            error.message.contains("private or symmetric"),
            "{name}: {}",
            error.message
        );
    }
    let symmetric = json!({"kty": "oct", "kid": "x"});
    assert!(
        parse_jwks(&set(&[key(), symmetric]))
            .unwrap_err()
            .message
            .contains("private or symmetric")
    );
    let private_ec = json!({"kty": "EC", "crv": "P-256", "kid": "x", "x": "AA", "y": "AA", "d": "AA"});
    assert!(
        parse_jwks(&set(&[key(), private_ec]))
            .unwrap_err()
            .message
            .contains("private or symmetric")
    );
}

#[test]
fn keys_for_other_purposes_are_left_out() {
    let others = [
        json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "okp", "x": "AA"}),
        merge(key(), json!({"kid": "enc", "use": "enc"})),
        merge(key(), json!({"kid": "pss", "alg": "PS256"})),
        merge(key(), json!({"kid": "oaep", "alg": "RSA-OAEP"})),
        merge(key(), json!({"kid": "ops", "key_ops": ["encrypt"]})),
    ];
    for other in others {
        assert_eq!(
            parse_jwks(&set(&[other.clone(), key()])).unwrap().len(),
            1,
            "{other}"
        );
        assert!(
            parse_jwks(&set(&[other]))
                .unwrap_err()
                .message
                .contains("no RSA public signing key")
        );
    }
    assert_eq!(
        parse_jwks(&set(&[merge(key(), json!({"key_ops": ["verify"]}))]))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn sizes_of_modulus_and_exponent() {
    let modulus = |first: u8, bytes: usize| {
        let mut n = vec![0xFF; bytes];
        n[0] = first;
        base64url(n)
    };
    assert!(refused(json!({"n": modulus(0xFF, 128)})).contains("1024 bits"));
    assert!(refused(json!({"n": modulus(0x7F, 256)})).contains("2047 bits"));
    assert!(refused(json!({"n": modulus(0x01, 1025)})).contains("8193 bits"));
    assert!(refused(json!({"n": modulus(0x00, 257)})).contains("zero octet"));
    assert!(refused(json!({"n": base64url([0xFE; 256])})).contains("odd"));
    assert!(parse_jwks(&set(&[merge(key(), json!({"n": modulus(0x80, 256)}))])).is_ok());
    assert!(parse_jwks(&set(&[merge(key(), json!({"n": modulus(0xFF, 1024)}))])).is_ok());

    for bad in [&[1][..], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        assert!(
            refused(json!({"e": base64url(bad)})).contains("exponent"),
            "{bad:?}"
        );
    }
    for good in [&[3][..], &[1, 0, 1], &[1, 0, 0, 1]] {
        assert!(
            parse_jwks(&set(&[merge(key(), json!({"e": base64url(good)}))])).is_ok(),
            "{good:?}"
        );
    }
    for name in ["n", "e"] {
        assert!(refused(json!({ name: null })).contains("empty"));
        assert!(refused(json!({ name: "!" })).contains("base64url"));
        assert!(refused(json!({ name: 5 })).contains("not a string"));
    }
}

#[test]
fn key_ids() {
    assert!(refused(json!({"kid": null})).contains("kid"));
    assert!(refused(json!({"kid": ""})).contains("kid"));
    assert!(refused(json!({"kid": "x".repeat(256)})).contains("kid"));
    assert!(refused(json!({"kid": "a\u{0}b"})).contains("kid"));
    assert!(refused(json!({"kid": 7})).contains("kid"));
    assert!(parse_jwks(&set(&[merge(key(), json!({"kid": "x".repeat(255)}))])).is_ok());
    assert!(
        parse_jwks(&set(&[key(), key()]))
            .unwrap_err()
            .message
            .contains("two keys")
    );
}

#[test]
fn what_is_no_key_set_is_refused() {
    let nested = format!("{{\"keys\":{}{}}}", "[".repeat(64), "]".repeat(64));
    let twice = set(&[key()]).replacen("\"kid\"", "\"kid\":\"a\",\"kid\"", 1);
    for bad in [
        "",
        "null",
        "[]",
        "\"keys\"",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[{}]}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[]} x"#,
        "<html>",
        &nested,
        &twice,
    ] {
        assert!(parse_jwks(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_key_serves_the_algorithms_it_allows() {
    let one = VerifyingKey::from_jwk(&jwk(&KEY, Some("RS384"))).unwrap();
    let any = VerifyingKey::from_jwk(&jwk(&KEY, None)).unwrap();
    assert_eq!(
        Algorithm::ALL.map(|algorithm| one.allows(algorithm)),
        [false, true, false]
    );
    assert_eq!(Algorithm::ALL.map(|algorithm| any.allows(algorithm)), [true; 3]);
    assert!(VerifyingKey::from_jwk(&jwk(&KEY, Some("PS256"))).is_err());
    let mut weak = jwk(&KEY, None);
    weak.n = base64url([0xFF; 128]);
    assert!(VerifyingKey::from_jwk(&weak).is_err());
}

proptest! {
    #[test]
    fn a_secret_member_anywhere_is_never_accepted(
        position in 0usize..4,
        name in prop::sample::select(vec!["d", "p", "q", "dp", "dq", "qi", "oth", "k"]),
        kty in prop::sample::select(vec!["RSA", "EC", "OKP", "oct", "new"]),
        value in prop::sample::select(vec![json!(""), json!(null), json!(1), json!("AQAB"), json!([])]),
    ) {
        let mut keys: Vec<Value> = (0..3).map(|i| merge(key(), json!({"kid": format!("ins_{i}")}))).collect();
        let mut secret = merge(key(), json!({"kid": "ins_secret", "kty": kty}));
        secret[name] = value;
        keys.insert(position, secret);
        prop_assert!(parse_jwks(&set(&keys)).is_err());
    }

    #[test]
    fn no_text_panics(text: String, brackets in "[\\[\\]{}\",:0-9a-z]{0,80}") {
        let _ = parse_jwks(&text);
        let _ = parse_jwks(&format!("{{\"keys\":[{{{brackets}}}]}}"));
    }
}
