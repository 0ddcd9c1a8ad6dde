//! Signatures, against the vectors that Svix and Standard Webhooks publish and an HMAC written out from RFC 2104.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_sim::{SigningSecret, new_signing_secret, sign};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";

#[test]
fn published_vectors() {
    let headers = sign(SECRET, ID, 1_614_265_330, r#"{"test": 2432232314}"#);
    assert_eq!(
        headers.signature,
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
    assert_eq!(
        (headers.id.as_str(), headers.timestamp.as_str()),
        (ID, "1614265330")
    );

    let headers = sign(
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1_649_367_553,
        r#"{"email":"test@example.com","username":"test_user"}"#,
    );
    assert_eq!(
        headers.signature,
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    );

    for (length, beginning) in [
        (262_143, "v1,NTItnqyW"),
        (262_144, "v1,Mw4Pe2Wg"),
        (1_048_576, "v1,txpEUxqW"),
    ] {
        let headers = sign(SECRET, ID, 1_614_265_330, "a".repeat(length));
        assert!(
            headers.signature.starts_with(beginning),
            "{length}: {}",
            headers.signature
        );
    }
}

/// HMAC-SHA256 by its definition: H(key ^ opad, H(key ^ ipad, text)).
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block.to_vec()
    };
    let inner = digest(&SHA256, &[padded(0x36), text.to_vec()].concat());
    digest(&SHA256, &[padded(0x5c), inner.as_ref().to_vec()].concat())
        .as_ref()
        .to_vec()
}

#[test]
fn a_fresh_secret_signs_by_the_definition() {
    let secret = new_signing_secret();
    assert_ne!(secret, new_signing_secret());
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    assert_eq!(key.len(), 24);
    for body in ["", "{}", "{\"name\":\"Þórður 👩‍🚀\"}"] {
        let expected = hmac(&key, format!("{ID}.1700000000.{body}").as_bytes());
        let headers = sign(&secret, ID, 1_700_000_000, body);
        assert_eq!(headers.signature, format!("v1,{}", STANDARD.encode(expected)));
    }
}

#[test]
fn headers_in_json() {
    let json = sign(SECRET, ID, 1_614_265_330, r#"{"test": 2432232314}"#).to_json();
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let expected =
        serde_json::json!({ "svix-id": ID, "svix-timestamp": "1614265330", "svix-signature": signature });
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&json).unwrap(),
        expected
    );
}

#[test]
fn no_secret_no_signature() {
    for (secret, reason) in [("", "empty"), ("whsec_", "empty"), ("whsec_?", "base64")] {
        let problem = SigningSecret::parse(secret).err().unwrap();
        assert!(problem.contains(reason), "{problem}");
    }
}
