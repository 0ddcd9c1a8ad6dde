//! JSON that jsonb can hold, by Postgres' rules for jsonb: no NUL, no lone surrogates, numbers within reason.

use std::borrow::Cow;

use clerk_core::mirror::fit_json;
use proptest::prelude::*;
use serde_json::Value;

use crate::random::{json, ordinary_json};

fn fitted(json: &str) -> Cow<'_, str> {
    fit_json(json).expect("JSON")
}

/// Whether jsonb takes it. serde_json refuses lone surrogates and numbers beyond a double, but not NUL.
pub fn is_fit(json: &str) -> bool {
    fn has_nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(list) => list.iter().any(has_nul),
            Value::Object(members) => members
                .iter()
                .any(|(name, value)| name.contains('\0') || has_nul(value)),
            _ => false,
        }
    }
    serde_json::from_str(json).is_ok_and(|value| !has_nul(&value))
}

#[test]
fn the_normalisation_is_as_documented() {
    assert_eq!(
        fitted(r#"{"a\u0000b": ["\u0000", "\ud800", "\ude00\ud83d"]}"#),
        r#"{"a\ufffdb": ["\ufffd", "\ufffd", "\ufffd\ufffd"]}"#
    );
    assert_eq!(
        fitted("[1e400000, -1e-400000, 1E+401]"),
        r#"["1e400000", "-1e-400000", "1E+401"]"#
    );
    assert_eq!(fitted(r#""\\u0000 \ud83d\ude00""#), r#""\\u0000 \ud83d\ude00""#);
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        "{",
        "1e",
        "\"\\ud8\"",
        "1e99999.5",
        "[1e400000",
        "\"\\u00zz\"",
        "\"\\u12é456\"",
    ] {
        assert!(fit_json(text).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_json_comes_jsonb_takes_it(json in json()) {
        let fit = fitted(&json);
        prop_assert!(is_fit(&fit), "{}", fit);
        prop_assert_eq!(&fitted(&fit), &fit);
    }

    #[test]
    fn what_jsonb_takes_is_left_alone(json in ordinary_json()) {
        prop_assert!(is_fit(&json));
        prop_assert!(matches!(fitted(&json), Cow::Borrowed(same) if same == json));
    }

    #[test]
    fn any_text_is_json_or_refused(text in "\\PC*") {
        prop_assert_eq!(fit_json(&text).is_ok(), serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok());
    }
}
