//! Publishable keys.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use clerk_core::{Environment, PublishableKey, jwks_url};
use proptest::prelude::*;

fn key_of(text: &str) -> String {
    format!("pk_test_{}", STANDARD_NO_PAD.encode(text))
}

#[test]
fn clerks_published_keys() {
    let development = PublishableKey::parse("pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk").unwrap();
    assert_eq!(development.environment, Environment::Development);
    assert_eq!(development.frontend_api, "foo-bar-13.clerk.accounts.dev");
    assert_eq!(development.issuer(), "https://foo-bar-13.clerk.accounts.dev");

    let live = PublishableKey::parse("pk_live_ZmFrZS1jbGVyay10ZXN0LmNsZXJrLmFjY291bnRzLmRldiQ").unwrap();
    assert_eq!(live.environment, Environment::Production);
    assert_eq!(live.frontend_api, "fake-clerk-test.clerk.accounts.dev");
    assert_eq!(Environment::Production.as_str(), "production");
    assert_eq!(Environment::Development.as_str(), "development");
}

#[test]
fn the_key_set_is_under_the_issuer() {
    let url = "https://clerk.example.com/.well-known/jwks.json";
    assert_eq!(jwks_url("https://clerk.example.com"), url);
    assert_eq!(jwks_url("https://clerk.example.com/"), url);
}

#[test]
fn what_is_not_a_key_is_refused() {
    for bad in [
        "",
        "pk_test_",
        "pk_live_",
        "pk_test",
        "pk_prod_Zm9vLmJhciQ",
        "test_Zm9vLmJhciQ",
        "pk_test_a_b",
        "pk_test_!!!!",
    ] {
        assert!(PublishableKey::parse(bad).is_err(), "{bad}");
    }
    for bad in [
        "clerk.example.com",
        "clerk.example.com$more",
        "clerk.example.com$$",
        "localhost$",
        "$",
        "a..b$",
        ".a.b$",
        "clerk.example.com/path$",
        "user@clerk.example.com$",
        "clerk.example.com?x$",
        "clerk.example.com#x$",
        "clerk example.com$",
        "clerk.example.com\n$",
        "clerk.example.com:$",
        "clerk.example.com:0$",
        "clerk.example.com:70000$",
        "clérk.example.com$",
    ] {
        assert!(PublishableKey::parse(&key_of(bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_secret_key_is_named_but_not_repeated() {
    let error = PublishableKey::parse("sk_test_VerySecret")
        .unwrap_err()
        .to_string();
    assert!(error.contains("secret key"), "{error}");
    assert!(!error.contains("VerySecret"), "{error}");
}

#[test]
fn what_was_pasted_with_it_is_named() {
    const KEY: &str = "pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk";
    assert!(PublishableKey::parse(&format!(" {KEY}\n")).is_ok());
    for (text, message) in [
        (format!("'{KEY}'"), "it has single quotes around it"),
        (
            format!("NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=\"{KEY}\""),
            "it has NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY= before it and double quotes around it",
        ),
    ] {
        let error = PublishableKey::parse(&text).unwrap_err();
        assert_eq!(error.message, message);
        assert_eq!(error.hint, format!("Pass publishable_key => '{KEY}'."));
    }
    for text in ["pk_test_...", "pk_live_…", "\"pk_live_xxxxxxxx\""] {
        let error = PublishableKey::parse(text).unwrap_err().to_string();
        assert_eq!(error, "it is a placeholder");
    }
    // A secret behind quotes is no publishable key, and not repeated.
    let error = PublishableKey::parse("'sk_test_VerySecret'").unwrap_err();
    assert!(!format!("{error:?}").contains("VerySecret"), "{error:?}");
}

proptest! {
    #[test]
    fn every_host_survives_the_round_trip(
        host in "[a-z0-9]{1,20}(\\.[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?){1,4}(:[1-9][0-9]{0,3})?",
        live: bool,
        padded: bool,
    ) {
        let engine = if padded { &STANDARD } else { &STANDARD_NO_PAD };
        let prefix = if live { "pk_live" } else { "pk_test" };
        let key = PublishableKey::parse(&format!("{prefix}_{}", engine.encode(format!("{host}$")))).unwrap();
        prop_assert_eq!(key.environment == Environment::Production, live);
        prop_assert_eq!(key.issuer(), format!("https://{host}"));
    }

    #[test]
    fn no_text_panics_and_no_host_leaves_its_place_in_the_url(text: String) {
        let _ = PublishableKey::parse(&text);
        if let Ok(key) = PublishableKey::parse(&key_of(&format!("{text}$"))) {
            prop_assert!(key.frontend_api.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b)));
        }
    }
}
