//! What a header must say.

use clerk_core::{Header, Jwt, Rules, TokenType, judge_header};
use serde_json::{Value, json};

use crate::signer::{base64url, code, rules};

const SESSION: &str = "cl_B7d4PD111AAA";
const TEMPLATE: &str = "cl_B7d4PD222AAA";
const M2M: &str = "cl_B7d4PD333AAA";
const OPTED_OUT: &str = "cl_I7d4PD111III";
/// Categories that Clerk's SDK does not know, as it may meet when Clerk adds a kind of token.
const UNKNOWN: [&str; 3] = ["cl_B7d4PD444AAA", "", "session"];

fn header(changes: Value) -> Header {
    let header = crate::signer::merge(json!({"alg": "RS256", "kid": "ins_1"}), changes);
    Jwt::decode(&format!("{}.e30.AAAA", base64url(header.to_string())))
        .unwrap()
        .header
}

fn verdict(changes: Value, token_type: TokenType) -> &'static str {
    code(judge_header(&header(changes), token_type, &rules()))
}

#[test]
fn algorithms() {
    for alg in ["RS256", "RS384", "RS512"] {
        assert_eq!(verdict(json!({ "alg": alg }), TokenType::Session), "ok");
    }
    for alg in ["none", "HS256", "PS256", "ES256", "EdDSA", "rs256", ""] {
        assert_eq!(
            verdict(json!({ "alg": alg }), TokenType::Session),
            "token-invalid-algorithm"
        );
    }
    assert_eq!(
        verdict(json!({"alg": null}), TokenType::Session),
        "token-invalid-algorithm"
    );
}

#[test]
fn critical_extensions_are_refused_and_unknown_parameters_are_not() {
    for crit in [json!(["b64"]), json!([]), json!("exp"), json!(false)] {
        assert_eq!(
            verdict(json!({"crit": crit}), TokenType::Session),
            "token-invalid"
        );
    }
    assert_eq!(
        verdict(json!({"oiat": 1, "new": {"x": [1]}}), TokenType::Session),
        "ok"
    );
}

#[test]
fn types() {
    use TokenType::{M2m, Oauth, Session, Template};
    for token_type in [Session, Template, M2m] {
        assert_eq!(verdict(json!({}), token_type), "ok");
        assert_eq!(verdict(json!({"typ": "JWT"}), token_type), "ok");
        for typ in ["at+jwt", "application/at+jwt", "jwt", ""] {
            assert_eq!(
                verdict(json!({ "typ": typ }), token_type),
                "token-type-mismatch",
                "{typ}"
            );
        }
    }
    assert_eq!(verdict(json!({"typ": "at+jwt"}), Oauth), "ok");
    assert_eq!(verdict(json!({"typ": "application/at+jwt"}), Oauth), "ok");
    assert_eq!(verdict(json!({"typ": "JWT"}), Oauth), "token-type-mismatch");
    assert_eq!(verdict(json!({}), Oauth), "token-type-mismatch");
}

#[test]
fn categories() {
    use TokenType::{M2m, Oauth, Session, Template};
    let expected = [
        (
            SESSION,
            [
                "ok",
                "token-type-mismatch",
                "token-invalid",
                "token-type-mismatch",
            ],
        ),
        (
            TEMPLATE,
            [
                "token-type-mismatch",
                "ok",
                "token-invalid",
                "token-type-mismatch",
            ],
        ),
        (
            M2M,
            [
                "token-invalid",
                "token-type-mismatch",
                "ok",
                "token-type-mismatch",
            ],
        ),
        (OPTED_OUT, ["ok"; 4]),
    ];
    let unknown = UNKNOWN.map(|cat| {
        (
            cat,
            [
                "token-type-mismatch",
                "token-type-mismatch",
                "token-invalid",
                "ok",
            ],
        )
    });
    for (cat, verdicts) in expected.into_iter().chain(unknown) {
        let found = [Session, Template, M2m, Oauth].map(|token_type| {
            let typ = if token_type == Oauth { "at+jwt" } else { "JWT" };
            verdict(json!({"cat": cat, "typ": typ}), token_type)
        });
        assert_eq!(found, verdicts, "{cat}");
    }
}

#[test]
fn template_tokens_pass_for_sessions_only_where_that_is_configured() {
    let accepting = Rules {
        accept_template_tokens: true,
        ..rules()
    };
    assert_eq!(
        code(judge_header(
            &header(json!({"cat": TEMPLATE})),
            TokenType::Session,
            &accepting
        )),
        "ok"
    );
    assert_eq!(
        code(judge_header(
            &header(json!({"cat": M2M})),
            TokenType::Session,
            &accepting
        )),
        "token-invalid"
    );
}

#[test]
fn the_hint_for_a_template_token_says_how_to_get_a_session_token() {
    let refusal = judge_header(&header(json!({"cat": TEMPLATE})), TokenType::Session, &rules()).unwrap_err();
    assert_eq!(
        refusal.message,
        "cat must be absent or the category of session tokens, but is the category of template tokens"
    );
    assert_eq!(refusal.hint, "Call getToken() without a template.");
}

#[test]
fn words_for_the_kinds() {
    for word in ["session", "template", "m2m", "oauth"] {
        assert_eq!(TokenType::parse(word).unwrap().as_str(), word);
    }
    for word in ["", "Session", "api_key", "id"] {
        assert_eq!(TokenType::parse(word), None);
    }
}
