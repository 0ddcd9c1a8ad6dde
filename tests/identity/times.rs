//! A token's times are judged at every statement, also of a token that was verified before.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clerk_tests::{Failure, Sql};
use postgres::Client;
use serde_json::json;

use crate::scene::{Caller, clerk, database, session, some};

/// A token that a clock skew of 5 s lets pass for one to two more seconds.
fn about_to_expire(user: &str) -> String {
    clerk().mint(session(user).expires_in(-3))
}

/// Asks until the answer is an error.
fn first_refusal(client: &mut Client, query: &str) -> Failure {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        client.run("SAVEPOINT before");
        if let Err(error) = client.query_one(query, &[]) {
            client.run("ROLLBACK TO before");
            return error.into();
        }
        sleep(Duration::from_millis(50));
    }
    panic!("never refused: {query}");
}

#[test]
fn a_token_that_expires_between_two_statements_is_refused_at_the_second() {
    let db = database();
    let mut app = db.connect("app");
    app.run("BEGIN");
    app.set_token(&about_to_expire("user_ada"));
    assert_eq!(app.user(), some("user_ada"));
    assert!(!app.value::<bool>("SELECT clerk.has_role('admin')"));
    let refusal = first_refusal(&mut app, "SELECT clerk.current_user_id()");
    assert_eq!(refusal.refusal(), ("28", "token-expired"));
    // What was answered before is not answered again from memory.
    for helper in [
        "current_session_id()",
        "current_claims()",
        "has_role('admin')",
        "claim('sub')",
    ] {
        app.run("SAVEPOINT before");
        let failure = app.failure(&format!("SELECT clerk.{helper}"));
        assert_eq!(failure.refusal(), ("28", "token-expired"), "{helper}");
        app.run("ROLLBACK TO before");
    }
    app.run("ROLLBACK");
}

#[test]
fn a_remembered_token_is_judged_anew() {
    let db = database();
    let mut owner = db.superuser();
    let query = format!(
        "SELECT clerk.verify_jwt('{}')->>'sub'",
        about_to_expire("user_ada")
    );
    owner.run("BEGIN");
    assert_eq!(owner.value::<String>(&query), "user_ada");
    assert_eq!(owner.value::<String>(&query), "user_ada");
    assert_eq!(
        first_refusal(&mut owner, &query).refusal(),
        ("28", "token-expired")
    );
}

#[test]
fn one_statement_has_one_time() {
    let db = database();
    let mut app = db.connect("app");
    app.set_token(&about_to_expire("user_ada"));
    let row = app
        .query_one(
            "SELECT clerk.current_user_id(), pg_sleep(2.5)::text, clerk.current_user_id(), clerk.current_session_id()",
            &[],
        )
        .expect("the token was good when the statement began");
    assert_eq!(row.get::<_, String>(2), "user_ada");
    let failure = app.failure("SELECT clerk.current_user_id()");
    assert_eq!(failure.refusal(), ("28", "token-expired"));
}

#[test]
fn five_seconds_of_skew_are_forgiven() {
    let db = database();
    let mut app = db.connect("app");
    let now: i64 = app.value("SELECT extract(epoch FROM now())::bigint");
    // Far enough from the limit that a slow machine does not matter.
    let cases = [
        (json!({"exp": now - 60}), Some("token-expired")),
        (json!({"exp": now + 60, "nbf": now + 3}), None),
        (
            json!({"exp": now + 600, "nbf": now + 300}),
            Some("token-not-active-yet"),
        ),
        (json!({"exp": now + 60, "iat": now + 3}), None),
        (
            json!({"exp": now + 600, "iat": now + 300}),
            Some("token-iat-in-the-future"),
        ),
    ];
    for (times, reason) in cases {
        let mut token = session("user_ada");
        for (name, value) in times.as_object().unwrap() {
            token = token.claim(name, value.clone());
        }
        app.set_token(&clerk().mint(token));
        match reason {
            None => assert_eq!(app.user(), some("user_ada"), "{times}"),
            Some(reason) => {
                let failure = app.failure("SELECT clerk.current_user_id()");
                assert_eq!(failure.refusal(), ("28", reason), "{times}");
            }
        }
    }
}

#[test]
fn the_clock_skew_is_the_databases_and_a_change_of_it_reaches_every_session() {
    let db = database();
    let mut owner = db.superuser();
    let mut app = db.connect("app");
    // Too old by the default, and good for minutes where a minute is allowed for.
    app.set_token(&clerk().mint(session("user_ada").expires_in(-20)));
    assert_eq!(
        app.failure("SELECT clerk.current_user_id()").refusal(),
        ("28", "token-expired")
    );
    owner.run("SELECT clerk.configure(clock_skew_seconds => 60)");
    assert_eq!(app.user(), some("user_ada"));
    let failure = app.failure("SET clerk.clock_skew_seconds = 60");
    assert_eq!(
        failure.sqlstate, "42602",
        "it is no setting that a role may set: {failure:?}"
    );
    owner.run("SELECT clerk.configure(clock_skew_seconds => 0)");
    let failure = app.failure("SELECT clerk.current_user_id()");
    assert_eq!(failure.refusal(), ("28", "token-expired"));
    assert!(failure.message.contains("give or take 0 s"), "{failure:?}");
}
