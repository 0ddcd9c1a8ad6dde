//! Reverification.

use clerk_core::{Reverification, ReverificationLevel, SessionClaims};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::session_with;

fn session(fva: Value) -> SessionClaims {
    SessionClaims::new(&session_with(json!({ "fva": fva })))
}

fn level(level: &str, after_minutes: i32) -> Reverification {
    Reverification::parse(level, Some(after_minutes)).unwrap()
}

#[test]
fn clerks_presets() {
    use ReverificationLevel::{MultiFactor, SecondFactor};
    for (preset, level, after_minutes) in [
        ("strict_mfa", MultiFactor, 10),
        ("strict", SecondFactor, 10),
        ("moderate", SecondFactor, 60),
        ("lax", SecondFactor, 1440),
    ] {
        assert_eq!(
            Reverification::parse(preset, None).unwrap(),
            Reverification { level, after_minutes }
        );
        assert!(Reverification::parse(preset, Some(10)).is_err());
    }
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    for level in ["first_factor", "second_factor", "multi_factor"] {
        assert!(Reverification::parse(level, None).is_err());
        assert!(Reverification::parse(level, Some(0)).is_err());
        assert!(Reverification::parse(level, Some(-5)).is_err());
        assert!(Reverification::parse(level, Some(1)).is_ok());
    }
    for word in ["", "Strict", "strict ", "third_factor"] {
        assert!(Reverification::parse(word, None).is_err());
        assert!(Reverification::parse(word, Some(10)).is_err());
    }
}

#[test]
fn one_text_holds_a_level_and_its_minutes() {
    let parse = |text: &str| Reverification::parse_text(text).map_err(|error| error.hint);
    assert_eq!(parse("lax"), Ok(Reverification::parse("lax", None).unwrap()));
    assert_eq!(parse("second_factor:30"), Ok(level("second_factor", 30)));
    for (wrong, hint) in [
        (
            "lax:5m",
            "Write 'second_factor:5', or 'lax' for its own 1440 minutes.",
        ),
        (
            "lax:5",
            "Write 'second_factor:5', or 'lax' for its own 1440 minutes.",
        ),
        (
            "strict_mfa:",
            "Write 'multi_factor:30', or 'strict_mfa' for its own 10 minutes.",
        ),
        (
            "first_factor:5m",
            "Write the minutes in digits, as in 'first_factor:5'.",
        ),
        (
            "first_factor: 5",
            "Write the minutes in digits, as in 'first_factor:5'.",
        ),
        (
            "first_factor:-5",
            "Write the minutes in digits, as in 'first_factor:5'.",
        ),
        (
            "first_factor:soon",
            "Write the minutes in digits, as in 'first_factor:30'.",
        ),
    ] {
        assert_eq!(parse(wrong), Err(hint.to_owned()), "{wrong}");
    }
    for wrong in [
        "",
        ":",
        "stricter",
        "third_factor:10",
        "first_factor",
        "first_factor:0",
        "first_factor:10000000000",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_verification_as_old_as_asked_is_too_old() {
    assert!(session(json!([9, -1])).has_reverification(&level("first_factor", 10)));
    assert!(session(json!([9.5, -1])).has_reverification(&level("first_factor", 10)));
    assert!(!session(json!([10, -1])).has_reverification(&level("first_factor", 10)));
}

#[test]
fn malformed_ages_deny() {
    for bad in [
        json!(null),
        json!([]),
        json!([0]),
        json!([0, 0, 0]),
        json!(["0", "0"]),
        json!([0, null]),
        json!([-2, 0]),
        json!([0, -0.5]),
        json!([-1, -1]),
        json!("0,0"),
        json!({"0": 0, "1": 0}),
        json!(0),
    ] {
        for name in ["first_factor", "second_factor", "multi_factor"] {
            assert!(
                !session(bad.clone()).has_reverification(&level(name, 99_998)),
                "{bad} {name}"
            );
        }
    }
}

proptest! {
    /// The rules as Clerk's table states them, case by case.
    #[test]
    fn the_levels(
        first in prop_oneof![Just(-1i32), 0..30i32], second in prop_oneof![Just(-1i32), 0..30i32], minutes in 1..30i32,
    ) {
        let [fresh_1, fresh_2] = [first, second].map(|age| (0..minutes).contains(&age));
        let expected = match (first, second) {
            (-1, -1) => [false, false, false],
            (_, -1) => [fresh_1, fresh_1, fresh_1],
            (-1, _) => [false, fresh_2, false],
            _ => [fresh_1, fresh_2, fresh_1 && fresh_2],
        };
        let session = session(json!([first, second]));
        let found = ["first_factor", "second_factor", "multi_factor"]
            .map(|name| session.has_reverification(&level(name, minutes)));
        prop_assert_eq!(found, expected);
    }
}
