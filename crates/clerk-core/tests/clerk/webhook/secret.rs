//! Signing secrets.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use clerk_core::SigningSecret;
use proptest::prelude::*;

use super::{BODY, SECRET, code, published, verify};

fn refusal(text: &str) -> String {
    SigningSecret::parse(text).unwrap_err().to_string()
}

#[test]
fn the_prefix_and_white_space_around_may_be_missing_or_there() {
    let bare = SECRET.strip_prefix("whsec_").unwrap();
    for text in [bare, &format!(" {SECRET}\n"), &format!("\t{bare} ")] {
        assert_eq!(code(verify(BODY, &published(), &[text])), "ok", "{text:?}");
    }
}

/// By `sha256sum`, of the bytes of the two published secrets and of the bytes 0 to 24.
#[test]
fn the_fingerprint_is_the_start_of_the_digest() {
    for (secret, fingerprint) in [
        (SECRET, "f74e1720b7614881"),
        (super::OTHER_SECRET, "640bcf020faf995f"),
        ("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA==", "b729ce724d9a48d3"),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA", "b729ce724d9a48d3"),
    ] {
        assert_eq!(SigningSecret::parse(secret).unwrap().fingerprint(), fingerprint);
    }
}

#[test]
fn an_empty_secret_is_refused() {
    for empty in ["", "whsec_", "  ", " whsec_\n"] {
        assert_eq!(refusal(empty), "the signing secret is empty");
    }
}

#[test]
fn fewer_than_16_bytes_are_refused() {
    let secret = |bytes| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    assert_eq!(
        refusal(&secret(15)),
        "the signing secret has 15 bytes, fewer than 16; was it cut?"
    );
    for bytes in [16, 24, 64, 1000] {
        assert!(SigningSecret::parse(&secret(bytes)).is_ok(), "{bytes}");
    }
}

#[test]
fn keys_of_another_kind_are_told_from_secrets() {
    for key in [
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        "whsk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        "v1a,1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
    ] {
        let message = refusal(key);
        assert!(
            message.contains("ed25519") && message.contains("whsec_"),
            "{message}"
        );
    }
    for key in ["sk_test_VerySecretKeyOfTheBackendApi", "pk_test_Zm9vLmJhciQ"] {
        let message = refusal(key);
        assert!(
            message.contains("Clerk's APIs") && message.contains("whsec_"),
            "{message}"
        );
    }
}

#[test]
fn what_is_not_base64_is_refused() {
    let body = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for bad in [
        &body[..31],
        "====",
        "MfKQ9r8GKYqrTwjU PD8ILPZIo2LaLaSw",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa_-",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS=w",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "vault:clerk_webhook",
    ] {
        assert_eq!(
            refusal(bad),
            "the signing secret is not whsec_ followed by base64; was it cut?",
            "{bad}"
        );
    }
}

#[test]
fn what_was_pasted_with_it_is_named() {
    for (text, message) in [
        (
            format!("'{SECRET}'"),
            "the signing secret has single quotes around it",
        ),
        (
            format!("CLERK_WEBHOOK_SIGNING_SECRET={SECRET}"),
            "the signing secret has CLERK_WEBHOOK_SIGNING_SECRET= before it",
        ),
        (
            "whsec_...".to_owned(),
            "the signing secret is a placeholder, or what the dashboard shows of a hidden secret",
        ),
        (
            "whsec_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
            "the signing secret is a placeholder, or what the dashboard shows of a hidden secret",
        ),
    ] {
        assert_eq!(refusal(&text), message);
    }
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let shown = format!("{:?}", SigningSecret::parse(SECRET).unwrap());
    assert_eq!(shown, r#"SigningSecret { fingerprint: "f74e1720b7614881", .. }"#);
    for bad in [
        "sk_test_VerySecret",
        "whsk_VerySecret",
        "whsec_VerySecret",
        "whsec_VerySecret!",
    ] {
        let error = SigningSecret::parse(bad).unwrap_err();
        assert!(!format!("{error:?}").contains("VerySecret"), "{error:?}");
        assert!(!error.hint.is_empty());
    }
}

proptest! {
    #[test]
    fn padding_and_prefix_make_no_difference(bytes in prop::collection::vec(any::<u8>(), 16..80)) {
        let full = SigningSecret::parse(&format!("whsec_{}", STANDARD.encode(&bytes))).unwrap();
        let bare = SigningSecret::parse(&STANDARD_NO_PAD.encode(&bytes)).unwrap();
        prop_assert_eq!(full.fingerprint(), bare.fingerprint());
    }

    #[test]
    fn no_text_panics(text: String) {
        let _ = SigningSecret::parse(&text);
        let _ = SigningSecret::parse(&format!("whsec_{text}"));
    }
}
