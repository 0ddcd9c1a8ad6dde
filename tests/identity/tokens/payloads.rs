//! Genuinely signed tokens whose claims are at fault.

use clerk_tests::Sql;
use serde_json::{Value, json};

use super::{assert_accepted, assert_refused};
use crate::scene::{Caller, clerk, database, session, some, token};

#[test]
fn times_that_are_none() {
    let keys = clerk().keys();
    let at = |name: &str, value: Value| session("user_ada").claim(name, value).sign(&keys);
    let failed = "token-verification-failed";
    let db = database();
    assert_refused(
        &db,
        &[
            (
                "exp missing",
                session("user_ada").without("exp").sign(&keys),
                failed,
            ),
            ("exp null", at("exp", Value::Null), failed),
            ("exp a string", at("exp", "4000000000".into()), failed),
            ("exp an array", at("exp", json!([4_000_000_000_i64])), failed),
            ("exp huge", at("exp", json!(1e300)), failed),
            (
                "exp beyond the year 9999",
                at("exp", json!(253_402_300_800_i64)),
                failed,
            ),
            ("exp negative", at("exp", json!(-1)), failed),
            ("exp long past", at("exp", json!(1)), "token-expired"),
            ("exp zero", at("exp", json!(0)), "token-expired"),
            ("nbf a string", at("nbf", "0".into()), failed),
            ("nbf huge", at("nbf", json!(1e300)), failed),
            (
                "nbf far ahead",
                at("nbf", json!(4_000_000_000_i64)),
                "token-not-active-yet",
            ),
            ("iat a boolean", at("iat", true.into()), failed),
            (
                "iat far ahead",
                at("iat", json!(4_000_000_000_i64)),
                "token-iat-in-the-future",
            ),
        ],
    );
    assert_accepted(
        &db,
        &[
            ("exp as a float", at("exp", json!(4_000_000_000.5))),
            ("exp in the year 9999", at("exp", json!(253_402_300_799_i64))),
            ("nbf missing", session("user_ada").without("nbf").sign(&keys)),
            ("iat missing", session("user_ada").without("iat").sign(&keys)),
        ],
    );
}

#[test]
fn claims_of_wrong_types_and_values() {
    let keys = clerk().keys();
    let issuer = clerk().issuer();
    let has = |name: &str, value: Value| session("user_ada").claim(name, value).sign(&keys);
    let db = database();
    db.superuser().run(
        "SELECT clerk.configure(audiences => ARRAY['https://api.example'], authorized_parties => ARRAY['https://app.example'],
                                allow_missing_azp => true)",
    );
    assert_refused(
        &db,
        &[
            (
                "iss missing",
                session("user_ada").without("iss").sign(&keys),
                "token-invalid-issuer",
            ),
            (
                "iss an array",
                has("iss", json!([issuer])),
                "token-invalid-issuer",
            ),
            (
                "iss with a slash",
                has("iss", format!("{issuer}/").into()),
                "token-invalid-issuer",
            ),
            (
                "iss of nobody we know",
                has("iss", "https://clerk.other.test".into()),
                "token-invalid-issuer",
            ),
            (
                "sub missing",
                session("user_ada").without("sub").sign(&keys),
                "token-verification-failed",
            ),
            ("sub a number", has("sub", 42.into()), "token-verification-failed"),
            (
                "sub with a NUL",
                has("sub", "user_\0".into()),
                "token-verification-failed",
            ),
            ("sub a machine", has("sub", "mch_1".into()), "token-type-mismatch"),
            (
                "aud a string",
                has("aud", "https://other.example".into()),
                "token-invalid-audience",
            ),
            (
                "aud an array",
                has("aud", json!(["https://other.example"])),
                "token-invalid-audience",
            ),
            ("aud an object", has("aud", json!({})), "token-invalid-audience"),
            (
                "azp not authorized",
                has("azp", "https://evil.example".into()),
                "token-invalid-authorized-parties",
            ),
            (
                "azp a number",
                has("azp", 7.into()),
                "token-invalid-authorized-parties",
            ),
        ],
    );
    assert_accepted(
        &db,
        &[
            ("aud as a string", has("aud", "https://api.example".into())),
            (
                "aud in an array",
                has("aud", json!(["https://other.example", "https://api.example"])),
            ),
            ("aud empty", has("aud", json!([]))),
            ("azp authorized", has("azp", "https://app.example".into())),
            ("v a number", has("v", 2.into())),
            ("v a string", has("v", "2".into())),
            ("v of the future", has("v", 3.into())),
        ],
    );
}

/// A verified token is remembered. What is remembered is all of it, not its signature.
#[test]
fn another_payload_under_a_remembered_signature() {
    let db = database();
    let (genuine, other) = (token("user_ada"), token("user_eve"));
    assert_accepted(&db, &[("genuine", genuine.clone())]);
    let (_, signature) = genuine.rsplit_once('.').expect("a token has three parts");
    let (message, _) = other.rsplit_once('.').expect("so has the other");
    let altered = format!("{message}.{signature}");

    let mut app = db.connect("app");
    app.set_token(&genuine);
    assert_eq!(app.user(), some("user_ada"));
    app.set_token(&altered);
    let failure = app.failure("SELECT clerk.current_user_id()");
    assert_eq!(failure.refusal(), ("28", "token-invalid-signature"));
}
