//! Signatures: the published ones, and ours by an HMAC of the tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_core::{MAX_WEBHOOK_BYTES, SigningSecret, WebhookHeaders, verify_webhook};
use proptest::prelude::*;
use proptest::sample::Index;

use super::{BODY, ID, OTHER_SECRET, SECRET, SIGNATURE, TIMESTAMP, code, headers, published, sign, verify};

const ED25519: &str =
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

fn signed(signature: &str) -> WebhookHeaders {
    headers(ID, TIMESTAMP, signature)
}

fn decoded(secret: &str) -> Vec<u8> {
    STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap()
}

/// The verdict on `body` with the published secret and this signature.
fn verdict(body: &str, signature: &str) -> &'static str {
    code(verify(body, &signed(signature), &[SECRET]))
}

#[test]
fn the_vector_of_standard_webhooks() {
    let verified = verify(BODY, &published(), &[SECRET]).unwrap();
    assert_eq!(verified.id, ID);
    assert_eq!(verified.timestamp, TIMESTAMP);
    assert_eq!(verified.secret_index, 0);
}

#[test]
fn the_vector_of_svix() {
    let (id, timestamp) = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553);
    let headers = headers(id, timestamp, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let secrets = [SigningSecret::parse(OTHER_SECRET).unwrap()];
    assert_eq!(
        verify_webhook(body, &headers, &secrets, timestamp).unwrap().id,
        id
    );
}

/// The bodies of Svix's C# library: 256 KiB and its neighbour, and 1 MiB.
#[test]
fn the_vectors_with_big_bodies() {
    for (bytes, signature) in [
        (262_143, "v1,NTItnqyWMoFhk2Bbe5V/BMdcFRWgcSQaTgqLHX7FC7c="),
        (262_144, "v1,Mw4Pe2WgApuT7NSqnSq0PQPV9gbLdggCl9B865x5Xh0="),
        (1_048_576, "v1,txpEUxqWZJ5nteTnymUVa+7C4NHpBeXJ6CsBAW0c3/A="),
    ] {
        assert_eq!(verdict(&"a".repeat(bytes), signature), "ok", "{bytes}");
    }
}

#[test]
fn a_body_over_one_mebibyte_is_refused_signed_or_not() {
    assert_eq!(MAX_WEBHOOK_BYTES, 1024 * 1024);
    let body = "a".repeat(1_048_577);
    let signature = sign(&decoded(SECRET), ID, &TIMESTAMP.to_string(), body.as_bytes());
    let refusal = verify(&body, &signed(&signature), &[SECRET]).unwrap_err();
    assert_eq!(refusal.reason.as_str(), "webhook-too-large");
    assert_eq!(refusal.message, "the body has 1048577 bytes, more than 1048576");
}

#[test]
fn a_body_that_was_written_again_is_refused() {
    for body in [
        r#"{"test":2432232314}"#,
        r#"{"test": 2432232315}"#,
        "{\"test\": 2432232314}\n",
        "",
    ] {
        assert_eq!(verdict(body, SIGNATURE), "webhook-signature-mismatch", "{body:?}");
    }
}

#[test]
fn any_bytes_can_be_signed() {
    let secrets = [SigningSecret::parse(SECRET).unwrap()];
    for body in [&b""[..], b"[", b"\0", b"\xff\xfe", "é".as_bytes()] {
        let signature = sign(&decoded(SECRET), ID, &TIMESTAMP.to_string(), body);
        let outcome = verify_webhook(body, &signed(&signature), &secrets, TIMESTAMP);
        assert_eq!(code(outcome), "ok", "{body:?}");
    }
}

#[test]
fn any_of_the_signatures_may_be_ours() {
    for list in [
        format!("{SIGNATURE} v1,AAAA"),
        format!("v1,AAAA {SIGNATURE}"),
        format!("v1,AAAA  {SIGNATURE} "),
        format!("{ED25519} {SIGNATURE} v2,AAAA"),
        format!("v1 , {SIGNATURE}"),
    ] {
        assert_eq!(verdict(BODY, &list), "ok", "{list}");
    }
}

#[test]
fn what_is_not_a_v1_entry_of_its_own_is_not_ours() {
    let bare = &SIGNATURE[3..];
    for list in [
        "v1,".to_owned(),
        bare.to_owned(),
        format!("v1{bare}"),
        format!("v1a,{bare}"),
        format!("v2,{bare}"),
        format!("V1,{bare}"),
        format!("v1,{}", bare.trim_end_matches('=')),
        format!("v1,{bare}="),
        format!("{SIGNATURE},{SIGNATURE}"),
        format!("v1,AAAA\t{SIGNATURE}"),
        ED25519.to_owned(),
    ] {
        assert_eq!(verdict(BODY, &list), "webhook-signature-mismatch", "{list}");
    }
}

#[test]
fn only_other_versions_are_named_as_the_fault() {
    let message = |signature: &str| verify(BODY, &signed(signature), &[SECRET]).unwrap_err().message;
    assert_eq!(message(ED25519), "the delivery has no v1 signature");
    assert_eq!(
        message("v1,AAAA"),
        "the delivery is not signed with a configured signing secret, or was changed"
    );
}

#[test]
fn the_secret_that_signed_is_told_while_secrets_are_changed() {
    let index = |signature: &str, secrets: &[&str]| {
        verify(BODY, &signed(signature), secrets)
            .map(|verified| verified.secret_index)
            .ok()
    };
    let by_other = sign(
        &decoded(OTHER_SECRET),
        ID,
        &TIMESTAMP.to_string(),
        BODY.as_bytes(),
    );
    assert_eq!(index(SIGNATURE, &[SECRET, OTHER_SECRET]), Some(0));
    assert_eq!(index(&by_other, &[SECRET, OTHER_SECRET]), Some(1));
    assert_eq!(index(&by_other, &[SECRET]), None);
    let by_both = format!("{by_other} {SIGNATURE}");
    assert_eq!(index(&by_both, &[SECRET, OTHER_SECRET]), Some(0));
    assert_eq!(index(&by_both, &[OTHER_SECRET, SECRET]), Some(0));
}

#[test]
fn without_secrets_nothing_is_verified() {
    let refusal = verify(BODY, &published(), &[]).unwrap_err();
    assert_eq!(refusal.reason.as_str(), "webhook-secret-missing");
    assert!(
        refusal.hint.contains("clerk.add_webhook_signing_secret"),
        "{}",
        refusal.hint
    );
    // The empty key is not a secret that one could sign with.
    let signature = sign(b"", ID, &TIMESTAMP.to_string(), BODY.as_bytes());
    assert_eq!(
        code(verify(BODY, &signed(&signature), &[])),
        "webhook-secret-missing"
    );
}

/// A delivery to be signed: secret, id, timestamp and body.
fn delivery() -> impl Strategy<Value = (Vec<u8>, String, i64, Vec<u8>)> {
    (
        prop::collection::vec(any::<u8>(), 16..100),
        "[a-zA-Z0-9_-]{1,40}",
        0i64..4_000_000_000,
        prop::collection::vec(any::<u8>(), 0..300),
    )
}

fn secret(bytes: &[u8]) -> SigningSecret {
    SigningSecret::parse(&format!("whsec_{}", STANDARD.encode(bytes))).unwrap()
}

proptest! {
    #[test]
    fn what_is_signed_verifies(
        (key, id, time, body) in delivery(), others in prop::collection::vec(delivery(), 0..3),
    ) {
        let headers = headers(&id, time, &sign(&key, &id, &time.to_string(), &body));
        let mut secrets: Vec<_> = others.iter().map(|other| secret(&other.0)).collect();
        secrets.push(secret(&key));
        let verified = verify_webhook(&body, &headers, &secrets, time).unwrap();
        prop_assert_eq!((verified.id, verified.timestamp, verified.secret_index), (id, time, others.len()));
    }

    #[test]
    fn any_other_byte_is_refused((key, id, time, body) in delivery(), place: Index, by in 1u8..) {
        let signature = sign(&key, &id, &time.to_string(), &body);
        let refused = |key: &[u8], id: &str, time: i64, body: &[u8], signature: &str| {
            let outcome = verify_webhook(body, &headers(id, time, signature), &[secret(key)], time);
            code(outcome) == "webhook-signature-mismatch"
        };
        let changed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let place = place.index(bytes.len());
            bytes[place] ^= by;
            bytes
        };
        prop_assert!(refused(&changed(&key), &id, time, &body, &signature));
        let other_id = format!("{id}x");
        prop_assert!(refused(&key, &other_id, time, &body, &signature));
        prop_assert!(refused(&key, &id, time + i64::from(by), &body, &signature));
        prop_assert!(refused(&key, &id, time, &[&body[..], &[by]].concat(), &signature));
        if !body.is_empty() {
            prop_assert!(refused(&key, &id, time, &changed(&body), &signature));
            prop_assert!(refused(&key, &id, time, &body[1..], &signature));
        }
        let other_tag = changed(&STANDARD.decode(&signature[3..]).unwrap());
        let other_signature = format!("v1,{}", STANDARD.encode(other_tag));
        prop_assert!(refused(&key, &id, time, &body, &other_signature));
    }
}
