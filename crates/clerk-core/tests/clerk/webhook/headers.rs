//! How the three headers may come.

use clerk_core::{WebhookHeaders, WebhookRefusal};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{BODY, ID, SECRET, SIGNATURE, TIMESTAMP, code, sign, verify};

fn read(headers: Value) -> Result<WebhookHeaders, WebhookRefusal> {
    WebhookHeaders::read(&headers.to_string())
}

fn message(headers: Value) -> String {
    read(headers).unwrap_err().message
}

/// The published delivery's headers with some replaced or added.
fn published_with(changes: Value) -> Value {
    crate::signer::merge(
        json!({"svix-id": ID, "svix-timestamp": TIMESTAMP.to_string(), "svix-signature": SIGNATURE}),
        changes,
    )
}

/// The verdict on the published delivery when it comes with these headers.
fn verdict(headers: Value) -> &'static str {
    code(read(headers).and_then(|headers| verify(BODY, &headers, &[SECRET])))
}

#[test]
fn both_families_in_any_case_among_other_headers() {
    let timestamp = TIMESTAMP.to_string();
    for names in [
        ["svix-id", "svix-timestamp", "svix-signature"],
        ["Svix-Id", "SVIX-TIMESTAMP", "sViX-sIgNaTuRe"],
        ["webhook-id", "webhook-timestamp", "webhook-signature"],
        ["Webhook-Id", "WEBHOOK-TIMESTAMP", "webhook-Signature"],
    ] {
        let headers = json!({
            "host": "example.com", names[0]: ID, "accept": ["*/*", {"q": [1, null]}], names[1]: timestamp,
            names[2]: SIGNATURE, "content-length": 20
        });
        assert_eq!(verdict(headers), "ok", "{names:?}");
    }
}

#[test]
fn the_id_is_told_before_anything_is_verified() {
    assert_eq!(
        read(published_with(json!({"svix-signature": "v1,x"})))
            .unwrap()
            .id(),
        ID
    );
}

#[test]
fn white_space_around_a_value_is_no_part_of_it() {
    let padded = json!({
        "svix-id": format!(" {ID}\t"),
        "svix-timestamp": format!("\n{TIMESTAMP} "),
        "svix-signature": format!("  {SIGNATURE}  "),
    });
    assert_eq!(verdict(padded), "ok");
}

#[test]
fn a_header_without_a_value_is_missing() {
    for name in ["svix-id", "svix-timestamp", "svix-signature"] {
        for nothing in [json!(""), json!(" \t\n"), json!(null)] {
            let mut headers = published_with(json!({}));
            headers[name] = nothing;
            assert_eq!(verdict(headers.clone()), "webhook-headers-missing");
            assert_eq!(message(headers), format!("missing or empty: {name}"));
        }
        assert_eq!(
            verdict(published_with(json!({ name: null }))),
            "webhook-headers-missing"
        );
    }
    assert_eq!(
        message(json!({})),
        "missing or empty: svix-id, svix-timestamp, svix-signature"
    );
    assert_eq!(
        message(json!({"webhook-id": ID, "svix-signature": ""})),
        "missing or empty: webhook-timestamp, webhook-signature"
    );
}

#[test]
fn svix_goes_before_webhook_and_the_two_are_not_mixed() {
    let junk = json!({"webhook-id": "msg_other", "webhook-timestamp": "soon", "webhook-signature": 1});
    assert_eq!(verdict(published_with(junk)), "ok");
    let halves = json!({
        "svix-id": ID, "webhook-id": ID, "webhook-timestamp": TIMESTAMP.to_string(), "webhook-signature": SIGNATURE
    });
    assert_eq!(
        message(halves),
        "missing or empty: svix-timestamp, svix-signature"
    );
}

#[test]
fn a_header_may_be_repeated_but_not_contradicted() {
    assert_eq!(
        verdict(published_with(
            json!({"Svix-Id": format!(" {ID}"), "SVIX-ID": ""})
        )),
        "ok"
    );
    for (name, other) in [
        ("Svix-Id", "msg_other"),
        ("SVIX-TIMESTAMP", "1"),
        ("Svix-Signature", "v1,x"),
    ] {
        let headers = published_with(json!({ name: other }));
        assert_eq!(verdict(headers.clone()), "webhook-headers-invalid");
        assert_eq!(
            message(headers),
            format!("{} comes twice, with different values", name.to_lowercase())
        );
    }
    let twice = |other: &str| {
        format!(
            r#"{{"svix-id":"{ID}","svix-id":"{other}","svix-timestamp":"{TIMESTAMP}","svix-signature":"{SIGNATURE}"}}"#
        )
    };
    assert_eq!(code(WebhookHeaders::read(&twice(ID))), "ok");
    assert_eq!(
        code(WebhookHeaders::read(&twice("msg_other"))),
        "webhook-headers-invalid"
    );
}

#[test]
fn a_header_that_is_not_a_string_is_invalid() {
    for name in ["svix-id", "svix-timestamp", "svix-signature"] {
        for value in [json!(TIMESTAMP), json!(true), json!([ID]), json!({"value": ID})] {
            let headers = published_with(json!({ name: value }));
            assert_eq!(verdict(headers.clone()), "webhook-headers-invalid");
            assert_eq!(message(headers), format!("{name} is not a string"));
        }
    }
}

#[test]
fn what_is_not_an_object_is_invalid() {
    for bad in [
        "",
        "null",
        "1",
        "[]",
        r#""svix-id""#,
        "{",
        "{}{}",
        r#"{"svix-id":}"#,
        r#"{1:"a"}"#,
        r#"{"svix-id":"\ud800"}"#,
    ] {
        assert_eq!(
            code(WebhookHeaders::read(bad)),
            "webhook-headers-invalid",
            "{bad}"
        );
    }
    let deep = format!(r#"{{"svix-id":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(code(WebhookHeaders::read(&deep)), "webhook-headers-invalid");
}

#[test]
fn an_id_is_short_and_plain() {
    let with_id = |id: &str| published_with(json!({ "svix-id": id }));
    assert_eq!(code(read(with_id(&"i".repeat(256)))), "ok");
    assert_eq!(
        message(with_id(&"i".repeat(257))),
        "svix-id has 257 bytes, more than 256"
    );
    assert_eq!(
        message(with_id(&"é".repeat(129))),
        "svix-id has 258 bytes, more than 256"
    );
    for bad in ["a\nb", "a\u{0}b", "a\u{7f}b", "a\u{85}b", "a.b"] {
        assert_eq!(code(read(with_id(bad))), "webhook-headers-invalid", "{bad:?}");
    }
    assert_eq!(
        message(with_id("a\nb")),
        r#"svix-id is "a\nb", with a character that no id has"#
    );
}

/// `a.1`, `1.…` and `a`, `1`, `1.…` are signed alike. Without a full stop in ids only one of them can be meant.
#[test]
fn a_signed_delivery_is_not_read_as_one_of_another_id() {
    let secret = [7; 24];
    let signature = sign(&secret, "a", "1", b"1.{}");
    assert_eq!(signature, sign(&secret, "a.1", "1", b"{}"));
    let shifted = json!({"svix-id": "a.1", "svix-timestamp": "1", "svix-signature": signature});
    assert_eq!(code(read(shifted)), "webhook-headers-invalid");
}

#[test]
fn a_list_of_signatures_is_bounded() {
    let with = |signature: String| published_with(json!({ "svix-signature": signature }));
    let filler = "v2,x ".repeat((8192 - SIGNATURE.len()) / 5);
    let long = format!("{filler}{SIGNATURE}");
    assert_eq!(
        verdict(with(format!("{SIGNATURE}{}", "x".repeat(8192 - SIGNATURE.len())))),
        "webhook-signature-mismatch"
    );
    assert_eq!(verdict(with(long)), "ok");
    assert_eq!(
        message(with("x".repeat(8193))),
        "svix-signature has 8193 bytes, more than 8192"
    );
}

#[test]
fn no_message_and_no_debug_shows_a_signature() {
    let secret_part = &SIGNATURE[3..20];
    let headers = published_with(json!({}));
    assert!(!format!("{:?}", read(headers.clone()).unwrap()).contains(secret_part));
    for bad in [
        json!(headers.to_string()).to_string(),
        format!("{headers}x"),
        published_with(json!({"Svix-Signature": format!("{SIGNATURE} v1,x")})).to_string(),
        published_with(json!({"svix-signature": [SIGNATURE]})).to_string(),
    ] {
        let refusal = WebhookHeaders::read(&bad).unwrap_err();
        assert!(!format!("{refusal:?}").contains(secret_part), "{refusal:?}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _ = WebhookHeaders::read(&text);
        let _ = read(json!({"svix-id": text, "svix-timestamp": text, "svix-signature": text}));
    }

    #[test]
    fn the_spelling_of_a_name_does_not_matter(upper in prop::collection::vec(any::<bool>(), 14)) {
        let spelled = |name: &str| -> String {
            name.chars()
                .zip(&upper)
                .map(|(c, upper)| if *upper { c.to_ascii_uppercase() } else { c })
                .collect()
        };
        let headers = json!({
            spelled("svix-id"): ID,
            spelled("svix-timestamp"): TIMESTAMP.to_string(),
            spelled("svix-signature"): SIGNATURE,
        });
        prop_assert_eq!(verdict(headers), "ok");
    }
}
