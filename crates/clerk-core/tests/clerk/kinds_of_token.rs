//! The claims of each kind of token that an instance's key signs, against each kind that is asked for.

use clerk_core::{Claims, Rules, TokenType};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::{ISSUER, claims, merge, rules, session, session_with, strings, verdict};

fn template() -> Value {
    merge(session(), json!({"sid": null, "v": null, "fva": null}))
}

fn m2m() -> Value {
    json!({"iss": ISSUER, "sub": "mch_1", "jti": "mt_1", "exp": 1, "iat": 1, "nbf": 1, "scopes": "mch_2", "aud": ["mch_2"]})
}

fn oauth() -> Value {
    json!({"iss": ISSUER, "sub": "user_1", "client_id": "client_1", "scope": "email", "jti": "oat_1", "exp": 1, "org_id": "org_1"})
}

fn id_token() -> Value {
    json!({"iss": ISSUER, "sub": "user_1", "aud": "client_1", "azp": "client_1", "exp": 1, "iat": 1, "org_id": "org_1"})
}

fn as_session(changes: Value, rules: &Rules) -> &'static str {
    verdict(&session_with(changes), TokenType::Session, rules)
}

#[test]
fn no_kind_passes_for_a_session_or_a_machine_but_its_own() {
    use TokenType::{M2m, Oauth, Session, Template};
    let mismatch = "token-type-mismatch";
    let table = [
        ("session", session(), ["ok", "ok", mismatch, mismatch]),
        ("template", template(), [mismatch, "ok", mismatch, mismatch]),
        ("m2m", m2m(), [mismatch, mismatch, "ok", mismatch]),
        ("oauth", oauth(), [mismatch, mismatch, mismatch, "ok"]),
        (
            "id",
            id_token(),
            [mismatch, "token-invalid-audience", mismatch, mismatch],
        ),
    ];
    for (kind, payload, expected) in table {
        let found = [Session, Template, M2m, Oauth].map(|asked| verdict(&claims(&payload), asked, &rules()));
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn accepting_template_tokens_lets_in_no_other() {
    let accepting = Rules {
        accept_template_tokens: true,
        ..rules()
    };
    let verdicts = [session(), template(), m2m(), oauth(), id_token()]
        .map(|payload| verdict(&claims(&payload), TokenType::Session, &accepting));
    let mismatch = "token-type-mismatch";
    assert_eq!(
        verdicts,
        ["ok", "ok", mismatch, mismatch, "token-invalid-audience"]
    );
    for bad in [json!(""), json!(7), json!([])] {
        assert_eq!(as_session(json!({ "sid": bad }), &accepting), mismatch);
    }
}

#[test]
fn the_issuer_is_compared_exactly() {
    for bad in [
        json!("https://clerk.example.com/"),
        json!("https://CLERK.example.com"),
        json!("http://clerk.example.com"),
        json!("https://clerk.example.com.evil.example"),
        json!([ISSUER]),
        json!(""),
        json!(7),
        json!({}),
    ] {
        assert_eq!(
            as_session(json!({ "iss": bad }), &rules()),
            "token-invalid-issuer",
            "{bad}"
        );
    }
    assert_eq!(as_session(json!({"iss": null}), &rules()), "token-invalid-issuer");
    assert_eq!(
        as_session(
            json!({}),
            &Rules {
                issuers: &[],
                ..rules()
            }
        ),
        "token-invalid-issuer"
    );
    let several = strings(&["https://clerk.old.example", ISSUER]);
    assert_eq!(
        as_session(
            json!({}),
            &Rules {
                issuers: &several,
                ..rules()
            }
        ),
        "ok"
    );
}

#[test]
fn the_subject_is_a_user() {
    for (bad, code) in [
        (json!(null), "token-verification-failed"),
        (json!(""), "token-verification-failed"),
        (json!(["user_1"]), "token-verification-failed"),
        (json!("user_\u{0}"), "token-verification-failed"),
        (json!("user_"), "token-type-mismatch"),
        (json!("USER_1"), "token-type-mismatch"),
        (json!("users_1"), "token-type-mismatch"),
        (json!(" user_1"), "token-type-mismatch"),
        (json!("mch_1"), "token-type-mismatch"),
        (
            json!("5c1b6a4e-0000-4000-8000-000000000000"),
            "token-type-mismatch",
        ),
    ] {
        assert_eq!(as_session(json!({ "sub": bad }), &rules()), code, "{bad}");
    }
}

#[test]
fn session_id_and_client_id() {
    for bad in [json!(null), json!(""), json!(1), json!(["sess_1"])] {
        assert_eq!(
            as_session(json!({ "sid": bad }), &rules()),
            "token-type-mismatch",
            "{bad}"
        );
    }
    for bad in [json!("client_1"), json!(""), json!(1), json!([])] {
        assert_eq!(
            as_session(json!({ "client_id": bad }), &rules()),
            "token-type-mismatch",
            "{bad}"
        );
    }
    // A claim that is null is there.
    let null = Claims::parse(&session().to_string().replacen('{', r#"{"client_id":null,"#, 1)).unwrap();
    assert_eq!(
        verdict(&null, TokenType::Session, &rules()),
        "token-type-mismatch"
    );
}

#[test]
fn the_hint_for_a_token_without_azp_names_the_setting() {
    let parties = strings(&["https://app.example.com"]);
    let strict = Rules {
        authorized_parties: &parties,
        ..rules()
    };
    let hint = |azp: Value| {
        clerk_core::judge_claims(&session_with(json!({ "azp": azp })), TokenType::Session, &strict)
            .unwrap_err()
            .hint
    };
    assert!(hint(json!(null)).contains("clerk.configure(allow_missing_azp => true)"));
    assert!(hint(json!("https://b.example.com")).contains("authorized_parties"));
}

#[test]
fn audiences() {
    let configured = strings(&["api", "web"]);
    let with = Rules {
        audiences: &configured,
        ..rules()
    };
    let bad = "token-invalid-audience";
    for (aud, without_any, with_some) in [
        (json!(null), "ok", "ok"),
        (json!(""), "ok", "ok"),
        (json!([]), "ok", "ok"),
        (json!([null]), "ok", "ok"),
        (json!(["", null]), "ok", "ok"),
        (json!(["api", null]), bad, bad),
        (json!([[]]), bad, bad),
        (json!("web"), bad, "ok"),
        (json!(["x", "api"]), bad, "ok"),
        (json!("x"), bad, bad),
        (json!(["x", "y"]), bad, bad),
        (json!("api,web"), bad, bad),
        (json!(["api", 1]), bad, bad),
        (json!(1), bad, bad),
        (json!({"api": true}), bad, bad),
    ] {
        assert_eq!(as_session(json!({ "aud": aud }), &rules()), without_any, "{aud}");
        assert_eq!(as_session(json!({ "aud": aud }), &with), with_some, "{aud}");
    }
    for (payload, token_type) in [(m2m(), TokenType::M2m), (oauth(), TokenType::Oauth)] {
        for (aud, code) in [(json!(null), "ok"), (json!("x"), bad), (json!(["web"]), "ok")] {
            let claims = claims(&merge(payload.clone(), json!({ "aud": aud })));
            assert_eq!(verdict(&claims, token_type, &with), code, "{aud}");
            assert_eq!(verdict(&claims, token_type, &rules()), "ok", "{aud}");
        }
    }
}

#[test]
fn authorized_parties() {
    let configured = strings(&["https://app.example.com", "https://admin.example.com"]);
    let strict = Rules {
        authorized_parties: &configured,
        ..rules()
    };
    let lenient = Rules {
        allow_missing_azp: true,
        ..strict
    };
    let bad = "token-invalid-authorized-parties";
    for (azp, by_strict, by_lenient) in [
        (json!("https://app.example.com"), "ok", "ok"),
        (json!("https://admin.example.com"), "ok", "ok"),
        (json!(null), bad, "ok"),
        (json!(""), bad, bad),
        (json!("https://evil.example"), bad, bad),
        (json!("https://app.example.com/"), bad, bad),
        (json!(["https://app.example.com"]), bad, bad),
        (json!(1), bad, bad),
    ] {
        assert_eq!(as_session(json!({ "azp": azp }), &strict), by_strict, "{azp}");
        assert_eq!(as_session(json!({ "azp": azp }), &lenient), by_lenient, "{azp}");
        assert_eq!(as_session(json!({ "azp": azp }), &rules()), "ok", "{azp}");
    }
    assert_eq!(verdict(&claims(&m2m()), TokenType::M2m, &strict), "ok");
    assert_eq!(verdict(&claims(&oauth()), TokenType::Oauth, &strict), "ok");
}

#[test]
fn messages_tell_expected_and_found_within_bounds() {
    let long = format!("https://evil.example/\n{}", "x".repeat(5000));
    let refusal = clerk_core::judge_claims(
        &session_with(json!({ "iss": long })),
        TokenType::Session,
        &rules(),
    )
    .unwrap_err();
    assert!(
        refusal
            .message
            .starts_with(r#"iss must be "https://clerk.example.com", but is "https://evil.example/\nxxx"#)
    );
    assert!(refusal.message.len() < 250 && !refusal.message.contains('\n'));
    assert!(!refusal.hint.is_empty());
}

proptest! {
    /// Whatever else is in a token, these five hold of one that passes for a session.
    #[test]
    fn a_session_is_never_anything_else(
        iss in pool(&["https://clerk.example.com", "https://clerk.example.com/", "https://other.example", ""]),
        sub in pool(&["user_1", "mch_1", "user_", ""]),
        sid in pool(&["sess_1", ""]),
        client_id in pool(&["client_1", ""]),
        aud in pool(&["client_1", "api", ""]),
    ) {
        let configured = strings(&["api"]);
        let rules = Rules { audiences: &configured, ..rules() };
        let members = [("iss", &iss), ("sub", &sub), ("sid", &sid), ("client_id", &client_id), ("aud", &aud)];
        let payload = members.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value).clone()?))).collect();
        let passes = verdict(&claims(&Value::Object(payload)), TokenType::Session, &rules) == "ok";
        let genuine = iss == Some(json!(ISSUER))
            && sub == Some(json!("user_1"))
            && sid == Some(json!("sess_1"))
            && client_id.is_none()
            && [None, Some(json!(null)), Some(json!("")), Some(json!([])), Some(json!([""])), Some(json!("api")), Some(json!(["api"]))].contains(&aud);
        prop_assert_eq!(passes, genuine);
    }
}

/// One of `texts`, alone or in an array, something of a wrong type, or nothing.
fn pool(texts: &[&str]) -> impl Strategy<Value = Option<Value>> + use<> {
    let texts = strings(texts);
    let mut values: Vec<Option<Value>> = texts.iter().map(|text| Some(json!(text))).collect();
    // The first, good value comes often, so that whole tokens are good at times.
    values.extend(vec![values[0].clone(); 6]);
    values.extend(texts.iter().map(|text| Some(json!([text]))));
    values.extend([
        None,
        None,
        None,
        Some(json!(null)),
        Some(json!(7)),
        Some(json!([])),
        Some(json!({})),
    ]);
    prop::sample::select(values)
}
