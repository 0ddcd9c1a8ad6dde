//! Inspecting sees what verifying sees.

use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use clerk_core::{Check, Jwt, Refusal, Rules, TokenType, inspect, judge_claims, judge_header};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::{HEADER, KEY, NOW, OTHER_KEY, merge, rules, session, strings, token_by, verifying_key};

fn inspected(token: &str, token_type: TokenType, rules: &Rules) -> Vec<Check> {
    let decoded = Jwt::decode(token);
    let signature = decoded
        .as_ref()
        .ok()
        .map(|jwt| jwt.verify_signature(&verifying_key()));
    inspect(&decoded, token_type, rules, signature, NOW, 5.0)
}

/// The steps of verification, in Clerk's order.
fn verified(token: &str, token_type: TokenType, rules: &Rules) -> Result<(), Refusal> {
    let jwt = Jwt::decode(token)?;
    judge_header(&jwt.header, token_type, rules)?;
    jwt.verify_signature(&verifying_key())?;
    judge_claims(&jwt.claims, token_type, rules)?;
    jwt.claims.times().with_skew(5.0).judge(NOW)
}

fn token(payload: &Value) -> String {
    token_by(&KEY, &RSA_PKCS1_SHA256, HEADER, &payload.to_string())
}

#[test]
fn every_check_is_told_in_order() {
    let checks = inspected(&token(&session()), TokenType::Session, &rules());
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    assert_eq!(
        names,
        [
            "format",
            "crit",
            "cat",
            "typ",
            "alg",
            "signature",
            "iss",
            "sub",
            "sid",
            "client_id",
            "aud",
            "azp",
            "exp",
            "nbf",
            "iat"
        ]
    );
    assert!(checks.iter().all(|check| check.passed), "{checks:?}");
}

#[test]
fn a_failed_check_tells_expected_and_found() {
    let old = token(&merge(
        session(),
        json!({"exp": NOW - 60.0, "iss": "https://other.example"}),
    ));
    let failed: Vec<Check> = inspected(&old, TokenType::Session, &rules())
        .into_iter()
        .filter(|check| !check.passed)
        .collect();
    let detail = |name| &failed.iter().find(|check| check.name == name).unwrap().detail;
    assert_eq!(failed.len(), 2);
    assert_eq!(
        detail("iss"),
        r#"expected "https://clerk.example.com"; found "https://other.example""#
    );
    assert_eq!(
        detail("exp"),
        "expected in the future, give or take 5 s; found 1749999940 (60 s ago)"
    );
}

#[test]
fn what_cannot_be_decoded_has_one_check() {
    for bad in ["", "a.b.c", "x"] {
        let checks = inspected(bad, TokenType::Session, &rules());
        assert_eq!(
            (checks.len(), checks[0].name, checks[0].passed),
            (1, "format", false)
        );
    }
}

#[test]
fn the_signature_needs_a_key_and_must_be_genuine() {
    let forged = token_by(&OTHER_KEY, &RSA_PKCS1_SHA256, HEADER, &session().to_string());
    let of_signature = |checks: Vec<Check>| {
        checks
            .into_iter()
            .find(|check| check.name == "signature")
            .unwrap()
    };
    let check = of_signature(inspected(&forged, TokenType::Session, &rules()));
    assert!(
        !check.passed && check.detail.contains("not by the instance's key"),
        "{}",
        check.detail
    );
    let check = of_signature(inspect(
        &Jwt::decode(&forged),
        TokenType::Session,
        &rules(),
        None,
        NOW,
        5.0,
    ));
    assert!(
        !check.passed && check.detail.contains("no key"),
        "{}",
        check.detail
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn inspecting_and_verifying_never_disagree(
        changes in prop::collection::btree_map(
            "iss|sub|sid|client_id|aud|azp|exp|nbf|iat",
            prop::sample::select(vec![
                json!(null), json!(""), json!("api"), json!(["api"]), json!("user_2"), json!("mch_1"), json!(NOW + 3.0),
                json!(NOW + 30.0), json!(0), json!({}), json!("https://app.example.com"),
            ]),
            0..4,
        ),
        header in prop::sample::select(vec![
            HEADER,
            r#"{"alg":"RS384"}"#,
            r#"{"alg":"RS256","typ":"at+jwt"}"#,
            r#"{"alg":"RS256","crit":[]}"#,
            r#"{"alg":"RS256","cat":"cl_B7d4PD222AAA"}"#,
            r#"{"alg":"RS256","cat":"cl_B7d4PD333AAA"}"#,
            r#"{"alg":"none"}"#,
        ]),
        token_type in prop::sample::select(vec!["session", "template", "m2m", "oauth"]),
        (forged, allow_missing_azp, accept_template_tokens) in any::<(bool, bool, bool)>(),
        parties in prop::sample::select(vec![vec![], strings(&["https://app.example.com"])]),
        audiences in prop::sample::select(vec![vec![], strings(&["api"])]),
    ) {
        let rules = Rules {
            authorized_parties: &parties, audiences: &audiences, allow_missing_azp, accept_template_tokens, ..rules()
        };
        let token_type = TokenType::parse(token_type).unwrap();
        let payload = merge(session(), Value::Object(changes.into_iter().collect())).to_string();
        let key = if forged { &OTHER_KEY } else { &KEY };
        let token = token_by(key, &RSA_PKCS1_SHA256, header, &payload);

        let verdict = verified(&token, token_type, &rules);
        let checks = inspected(&token, token_type, &rules);
        let first_failed = checks.iter().find(|check| !check.passed);
        match (&verdict, first_failed) {
            (Ok(()), None) => {}
            (Err(refusal), Some(check)) => prop_assert!(
                check.name == "signature" || refusal.message.starts_with(check.name), "{} / {:?}", refusal, check
            ),
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
