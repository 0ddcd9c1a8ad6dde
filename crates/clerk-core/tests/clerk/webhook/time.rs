//! Timestamps: what counts as one, and how far it may be from now.

use clerk_core::{Verified, WEBHOOK_TOLERANCE_SECONDS, WebhookRefusal, verify_webhook};
use proptest::prelude::*;

use super::{BODY, ID, SECRET, TIMESTAMP, code, headers, published, secrets, sign, verify};

fn at(now: i64) -> Result<Verified, WebhookRefusal> {
    verify_webhook(BODY.as_bytes(), &published(), &secrets(&[SECRET]), now)
}

#[test]
fn five_minutes_either_way_are_good() {
    assert_eq!(WEBHOOK_TOLERANCE_SECONDS, 300);
    for now in [TIMESTAMP - 300, TIMESTAMP - 1, TIMESTAMP, TIMESTAMP + 300] {
        assert_eq!(code(at(now)), "ok", "{now}");
    }
    assert_eq!(code(at(TIMESTAMP + 301)), "webhook-timestamp-expired");
    assert_eq!(code(at(TIMESTAMP - 301)), "webhook-timestamp-in-the-future");
    assert_eq!(code(at(i64::MAX)), "webhook-timestamp-expired");
    assert_eq!(code(at(i64::MIN)), "webhook-timestamp-in-the-future");
}

#[test]
fn the_message_tells_by_how_much() {
    assert_eq!(
        at(TIMESTAMP + 4000).unwrap_err().message,
        "the timestamp 1614265330 is 4000 s behind the server's clock, more than 300 s"
    );
    assert_eq!(
        at(TIMESTAMP - 301).unwrap_err().message,
        "the timestamp 1614265330 is 301 s ahead of the server's clock, more than 300 s"
    );
}

#[test]
fn a_timestamp_is_digits_only() {
    let secret = [7; 24];
    for bad in [
        "soon",
        "1614265330.",
        "1614265330.1.2",
        ".5",
        "1614265330.5e3",
        "+1614265330",
        "-1614265330",
        "1614265330s",
        "1 614 265 330",
        "1_614_265_330",
        "0x6037b1f2",
        "1e9",
        "٣",
        "99999999999999999999",
        "2021-02-25T15:02:10Z",
    ] {
        let signed = headers(ID, bad, &sign(&secret, ID, bad, BODY.as_bytes()));
        let refusal = verify(BODY, &signed, &["BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"]).unwrap_err();
        assert_eq!(refusal.reason.as_str(), "webhook-timestamp-invalid", "{bad}");
        assert_eq!(
            refusal.message,
            format!("the timestamp \"{bad}\" is not a number of seconds since 1970")
        );
    }
}

/// As Clerk's SDK: the fraction is no part of what is signed.
#[test]
fn a_fraction_is_dropped_before_the_signature_is_made() {
    let secret = [7; 24];
    let signature = sign(&secret, ID, &TIMESTAMP.to_string(), BODY.as_bytes());
    let key = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    for timestamp in [format!("{TIMESTAMP}.123"), format!("{TIMESTAMP}.999")] {
        let signed = headers(ID, &timestamp, &signature);
        let verified = verify(BODY, &signed, &[key]).unwrap();
        assert_eq!(verified.timestamp, TIMESTAMP);
    }
    let fraction = format!("{TIMESTAMP}.123");
    let signed = headers(ID, &fraction, &sign(&secret, ID, &fraction, BODY.as_bytes()));
    assert_eq!(code(verify(BODY, &signed, &[key])), "webhook-signature-mismatch");
}

#[test]
fn a_stranger_learns_nothing_about_the_clock() {
    let forged = headers(ID, 0, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_eq!(
        code(verify(BODY, &forged, &[SECRET])),
        "webhook-signature-mismatch"
    );
}

proptest! {
    #[test]
    fn a_delivery_is_good_in_one_stretch_of_time(offset in -1000i64..1000) {
        prop_assert_eq!(at(TIMESTAMP + offset).is_ok(), (-300..=300).contains(&offset));
    }
}
