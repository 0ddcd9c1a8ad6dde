//! `exp`, `nbf` and `iat`.

use clerk_core::{Claims, DEFAULT_CLOCK_SKEW_SECONDS, Times};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::{NOW, claims, code};

fn times(value: Value) -> Times {
    claims(&value).times()
}

fn verdict(value: Value) -> &'static str {
    code(times(value).with_skew(5.0).judge(NOW))
}

#[test]
fn the_edges_are_clerks() {
    assert_eq!(DEFAULT_CLOCK_SKEW_SECONDS, 5.0);
    assert_eq!(verdict(json!({"exp": NOW - 5.0})), "token-expired");
    assert_eq!(verdict(json!({"exp": NOW - 4.999})), "ok");
    let with = |name: &str, value: f64| verdict(json!({"exp": NOW + 60.0, name: value}));
    assert_eq!(with("nbf", NOW + 5.0), "ok");
    assert_eq!(with("nbf", NOW + 5.001), "token-not-active-yet");
    assert_eq!(with("iat", NOW + 5.0), "ok");
    assert_eq!(with("iat", NOW + 5.001), "token-iat-in-the-future");
}

#[test]
fn the_skew_moves_the_edges_of_all_three() {
    for skew in [0.0, 60.0] {
        let judge = |name: &str, value: f64| {
            let value = if name == "exp" {
                json!({"exp": value})
            } else {
                json!({"exp": NOW + 1000.0, name: value})
            };
            code(times(value).with_skew(skew).judge(NOW))
        };
        assert_eq!(judge("exp", NOW - skew), "token-expired");
        assert_eq!(judge("exp", NOW - skew + 0.001), "ok");
        assert_eq!(judge("nbf", NOW + skew), "ok");
        assert_eq!(judge("nbf", NOW + skew + 0.001), "token-not-active-yet");
        assert_eq!(judge("iat", NOW + skew), "ok");
        assert_eq!(judge("iat", NOW + skew + 0.001), "token-iat-in-the-future");
        let refusal = times(json!({"exp": NOW - 90.0}))
            .with_skew(skew)
            .judge(NOW)
            .unwrap_err();
        assert!(
            refusal.message.contains(&format!("give or take {skew} s")),
            "{refusal}"
        );
    }
}

#[test]
fn expiry_comes_first_and_issue_last() {
    let future = NOW + 1000.0;
    assert_eq!(
        verdict(json!({"exp": 0, "nbf": future, "iat": future})),
        "token-expired"
    );
    assert_eq!(
        verdict(json!({"exp": future, "nbf": future, "iat": future})),
        "token-not-active-yet"
    );
}

#[test]
fn what_is_no_time_fails_verification() {
    assert_eq!(verdict(json!({})), "token-verification-failed");
    let bad = [
        json!("1750000060"),
        json!(null),
        json!(true),
        json!([NOW]),
        json!({}),
        json!(-1),
        json!(1e300),
        json!(253_402_300_800u64),
        json!(u64::MAX),
    ];
    for bad in bad {
        assert_eq!(
            verdict(json!({ "exp": bad })),
            "token-verification-failed",
            "{bad}"
        );
        for name in ["nbf", "iat"] {
            assert_eq!(
                verdict(json!({"exp": NOW + 60.0, name: bad})),
                "token-verification-failed",
                "{name} {bad}"
            );
        }
    }
    assert_eq!(verdict(json!({"exp": 253_402_300_799u64})), "ok");
}

#[test]
fn the_message_tells_by_how_much() {
    let refusal = times(json!({"exp": NOW - 90.0}))
        .with_skew(5.0)
        .judge(NOW)
        .unwrap_err();
    assert_eq!(
        refusal.message,
        "exp must be in the future, give or take 5 s, but is 1749999910 (90 s ago)"
    );
}

#[test]
fn the_expiry_is_told_if_it_is_a_time() {
    assert_eq!(times(json!({"exp": 1.5})).expires_at(), Some(1.5));
    assert_eq!(times(json!({"exp": "1"})).expires_at(), None);
    assert_eq!(times(json!({"exp": 1e300})).expires_at(), None);
    assert_eq!(Times::default().expires_at(), None);
}

proptest! {
    #[test]
    fn a_token_is_good_in_one_stretch_of_time(
        iat in 1_000_000_000i64..2_000_000_000, lives in 1i64..100_000, nbf in -20i64..20, at in -100_000i64..200_000,
    ) {
        let payload = format!(r#"{{"iat":{iat},"nbf":{},"exp":{}}}"#, iat + nbf, iat + lives);
        let now = iat + at;
        let good = now < iat + lives + 5 && now >= iat - 5 && now >= iat + nbf - 5;
        prop_assert_eq!(Claims::parse(&payload).unwrap().times().with_skew(5.0).judge(now as f64).is_ok(), good);
    }

    #[test]
    fn no_number_panics_or_passes_as_a_time_it_is_not(exp: f64, now: f64) {
        let judged = Times { exp: clerk_core::Claim::Present(exp), ..Times::default() }.with_skew(5.0).judge(now);
        if judged.is_ok() {
            prop_assert!(exp > now - 5.0 && (0.0..=253_402_300_799.0).contains(&exp));
        }
    }
}
