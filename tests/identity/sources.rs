//! Which of the two settings counts.

use clerk_tests::{Sql, TestDb};
use serde_json::json;

use crate::scene::{Caller, claims, database, some, token, with};

fn set_source(db: &TestDb, source: &str) {
    let _: String = db
        .superuser()
        .value_of("SELECT clerk.set_identity_source($1)::text", &[&source]);
}

#[test]
fn auto_believes_the_claims_whenever_there_are_any() {
    let db = database();
    let mut app = db.connect("app");
    app.set_token(&token("user_token"));
    assert_eq!(app.user(), some("user_token"));
    app.set_claims(&claims("user_claims").to_string());
    assert_eq!(app.user(), some("user_claims"));
    for nobodys in ["{\"role\":\"anon\"}", "{}", "not json", "[]"] {
        app.set_claims(nobodys);
        assert_eq!(app.user(), None, "{nobodys} is set, so the token does not count");
    }
    app.set_claims("");
    assert_eq!(app.user(), some("user_token"), "'' is the normal absent value");
}

#[test]
fn refused_claims_are_not_made_up_for_by_a_good_token() {
    let db = database();
    let mut app = db.connect("app");
    app.set_token(&token("user_token"));
    app.set_claims(&with(claims("user_claims"), json!({"sid": null})).to_string());
    for source in ["auto", "claims"] {
        set_source(&db, source);
        let failure = app.failure("SELECT clerk.current_user_id()");
        assert_eq!(failure.refusal(), ("28", "token-type-mismatch"), "{source}");
    }
}

#[test]
fn a_refused_token_is_not_made_up_for_by_good_claims() {
    let db = database();
    set_source(&db, "token");
    let mut app = db.connect("app");
    app.set_claims(&claims("user_claims").to_string());
    app.set_token("not a token");
    assert_eq!(
        app.failure("SELECT clerk.current_user_id()").refusal(),
        ("28", "token-invalid")
    );
    app.set_token("");
    assert_eq!(app.user(), None, "no token is nobody");
}

#[test]
fn token_believes_only_the_token_and_claims_only_the_claims() {
    let db = database();
    // Sessions that are open already follow, too.
    let mut app = db.connect("app");
    app.set_claims(&claims("user_claims").to_string());
    app.set_token(&token("user_token"));
    for (source, user) in [
        ("token", some("user_token")),
        ("claims", some("user_claims")),
        ("auto", some("user_claims")),
    ] {
        set_source(&db, source);
        assert_eq!(app.user(), user, "{source}");
    }
    app.set_claims("");
    for (source, user) in [
        ("claims", None),
        ("token", some("user_token")),
        ("auto", some("user_token")),
    ] {
        set_source(&db, source);
        assert_eq!(app.user(), user, "{source}");
    }
}

#[test]
fn the_source_is_one_of_three_words_and_not_everybodys_to_choose() {
    let db = database();
    let failure = db.superuser().failure("SELECT clerk.set_identity_source('both')");
    assert_eq!(failure.sqlstate, "22023");
    assert!(failure.hint.is_some_and(|hint| hint.contains("auto")));
    for role in ["anon", "authenticated", "service_role", "app"] {
        let mut caller = db.connect(role);
        assert_eq!(
            caller
                .failure("SELECT clerk.set_identity_source('claims')")
                .sqlstate,
            "42501",
            "{role}"
        );
        assert_eq!(
            caller.failure("SELECT * FROM clerk.settings").sqlstate,
            "42501",
            "{role}"
        );
    }
}
