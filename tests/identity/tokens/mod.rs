//! Tokens as nobody should send them, at every door that takes one.

mod form;
mod headers;
mod kinds;
mod payloads;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_sim::Algorithm;
use clerk_tests::{Failure, Sql, TestDb};
use serde_json::json;

use crate::scene::{Caller, clerk, some, token};

/// A token of any header and any payload, genuinely signed.
fn signed(header: &[u8], payload: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = clerk().keys().sign(Algorithm::Rs256, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token of any payload, genuinely signed under a proper header.
fn with_payload(payload: &[u8]) -> String {
    let header = json!({"alg": "RS256", "kid": clerk().keys().kid(), "typ": "JWT"});
    signed(header.to_string().as_bytes(), payload)
}

/// The payload of a good token with something more in it, before its closing brace.
fn payload_with(more: &str) -> Vec<u8> {
    let good = json!({"iss": clerk().issuer(), "sub": "user_ada", "sid": "sess_1", "exp": 4_000_000_000_i64})
        .to_string();
    format!("{},{more}}}", good.strip_suffix('}').unwrap()).into_bytes()
}

/// The doors: the setting and its helpers, `whoami`, `authenticate`, `verify_jwt` and `inspect_jwt`. All refuse the token
/// for this reason, none of them repeats it, and the sessions live on.
fn assert_refused(db: &TestDb, tokens: &[(&str, String, &str)]) {
    let (mut app, mut owner) = (db.connect("app"), db.superuser());
    let pids: (i32, i32) = (
        app.value("SELECT pg_backend_pid()"),
        owner.value("SELECT pg_backend_pid()"),
    );
    for (name, token, reason) in tokens {
        let check = |door: &str, failure: Failure| {
            assert_eq!(
                failure.refusal(),
                ("28", *reason),
                "{name} at {door}: {failure:?}"
            );
            let secret = token.rsplit('.').next().unwrap_or_default();
            let told = format!("{failure:?}");
            assert!(
                secret.len() < 20 || !told.contains(secret),
                "{name} at {door} repeats the token"
            );
        };
        if !token.is_empty() {
            app.set_token(token);
            for helper in [
                "current_user_id()",
                "current_claims()",
                "has_role('admin')",
                "claim('sub')",
            ] {
                check(helper, app.failure(&format!("SELECT clerk.{helper}")));
            }
            let row = app
                .query_one("SELECT user_id, problems FROM clerk.whoami()", &[])
                .unwrap();
            assert_eq!(row.get::<_, Option<String>>(0), None, "{name}");
            assert!(
                !row.get::<_, Vec<String>>(1).is_empty(),
                "{name}: whoami sees no problem"
            );
            app.set_token("");
        }
        check(
            "authenticate",
            app.failure_of("SELECT clerk.authenticate($1)", &[token]),
        );
        check(
            "verify_jwt",
            owner.failure_of("SELECT clerk.verify_jwt($1)", &[token]),
        );
        let all_passed: bool = owner.value_of("SELECT bool_and(passed) FROM clerk.inspect_jwt($1)", &[token]);
        assert!(!all_passed, "{name}: inspect_jwt finds no fault");
    }
    app.set_token(&token("user_ada"));
    assert_eq!(app.user(), some("user_ada"), "a good token is still good");
    assert_eq!(
        pids,
        (
            app.value("SELECT pg_backend_pid()"),
            owner.value("SELECT pg_backend_pid()")
        )
    );
}

/// The doors let it in as Ada.
fn assert_accepted(db: &TestDb, tokens: &[(&str, String)]) {
    let (mut app, mut owner) = (db.connect("app"), db.superuser());
    for (name, token) in tokens {
        app.set_token(token);
        assert_eq!(app.user(), some("user_ada"), "{name}");
        let user: String = owner.value_of("SELECT clerk.verify_jwt($1)->>'sub'", &[token]);
        assert_eq!(user, "user_ada", "{name}");
        let faults: Vec<String> = owner.value_of(
            "SELECT coalesce(array_agg(\"check\" || ': ' || detail) FILTER (WHERE NOT passed), '{}') FROM clerk.inspect_jwt($1)",
            &[token],
        );
        assert_eq!(faults, [""; 0], "{name}");
    }
}
