//! `clerk.authenticate` and `clerk.clear_authentication`.

use clerk_tests::Sql;
use postgres::Client;

use crate::scene::{Caller, claims, clerk, database, session, some, token};

fn authenticate(client: &mut Client, token: Option<&str>) -> Option<String> {
    client.value_of("SELECT clerk.authenticate($1)", &[&token])
}

#[test]
fn signs_a_transaction_in_and_out() {
    let db = database();
    let mut app = db.connect("app");
    app.run("BEGIN");
    assert_eq!(authenticate(&mut app, Some(&token("user_ada"))), some("user_ada"));
    assert_eq!(app.user(), some("user_ada"));
    assert_eq!(authenticate(&mut app, Some(&token("user_bob"))), some("user_bob"));
    assert_eq!(app.user(), some("user_bob"));
    app.run("SELECT clerk.clear_authentication()");
    assert_eq!(app.user(), None);
    assert_eq!(authenticate(&mut app, Some(&token("user_ada"))), some("user_ada"));
    app.run("COMMIT");
    assert_eq!(app.user(), None, "it lasted until the end of the transaction");
}

#[test]
fn a_refused_token_changes_nothing() {
    let db = database();
    let mut app = db.connect("app");
    app.run("BEGIN");
    authenticate(&mut app, Some(&token("user_ada")));
    app.run("SAVEPOINT before");
    let forged = clerk().forge(session("user_bob"));
    let failure = app.failure_of("SELECT clerk.authenticate($1)", &[&forged]);
    assert_eq!(failure.refusal(), ("28", "token-invalid-signature"));
    app.run("ROLLBACK TO before");
    assert_eq!(app.user(), some("user_ada"));
    // Also when the error is caught where it arises.
    app.run(&format!(
        "DO $$ BEGIN PERFORM clerk.authenticate('{forged}'); EXCEPTION WHEN invalid_authorization_specification THEN END $$"
    ));
    assert_eq!(app.user(), some("user_ada"));
}

#[test]
fn gives_null_for_nothing_and_for_a_pending_session() {
    let db = database();
    let mut app = db.connect("app");
    app.run("BEGIN");
    authenticate(&mut app, Some(&token("user_ada")));
    assert_eq!(authenticate(&mut app, None), None);
    assert_eq!(app.user(), some("user_ada"), "NULL sets nothing");
    let pending = clerk().mint(session("user_ada").claim("sts", "pending".into()));
    assert_eq!(authenticate(&mut app, Some(&pending)), None);
    assert_eq!(app.user(), None);
}

#[test]
fn warns_outside_a_transaction_block_as_set_local_does() {
    let db = database();
    let (mut app, notices) = db.connect_with_notices("app");
    assert_eq!(authenticate(&mut app, Some(&token("user_ada"))), some("user_ada"));
    app.run("SELECT clerk.clear_authentication()");
    let warnings = notices.take();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for (warning, function) in warnings.iter().zip(["authenticate", "clear_authentication"]) {
        assert_eq!(
            warning.sqlstate, "25P01",
            "as SET LOCAL's: no_active_sql_transaction"
        );
        assert!(warning.message.contains(function), "{warning:?}");
        assert!(warning.hint.is_some());
    }
    assert_eq!(app.user(), None);

    app.run("BEGIN");
    authenticate(&mut app, Some(&token("user_ada")));
    app.run("SELECT clerk.clear_authentication(); COMMIT");
    assert!(
        notices.take().is_empty(),
        "in a transaction block there is nothing to warn of"
    );
}

#[test]
fn refuses_where_it_would_have_no_effect() {
    let db = database();
    let mut app = db.connect("app");
    app.set_claims(&claims("user_ada").to_string());
    app.run("BEGIN");
    app.run("SAVEPOINT before");
    let failure = app.failure_of("SELECT clerk.authenticate($1)", &[&token("user_bob")]);
    assert_eq!(failure.sqlstate, "55000");
    assert!(failure.message.contains("request.jwt.claims"), "{failure:?}");
    app.run("ROLLBACK TO before");
    assert_eq!(app.user(), some("user_ada"));
    app.run("COMMIT");

    app.set_claims("");
    db.superuser().run("SELECT clerk.set_identity_source('claims')");
    let failure = app.failure_of("SELECT clerk.authenticate($1)", &[&token("user_bob")]);
    assert_eq!(failure.sqlstate, "55000");

    db.superuser().run("SELECT clerk.set_identity_source('token')");
    app.set_claims(&claims("user_ada").to_string());
    app.run("BEGIN");
    assert_eq!(authenticate(&mut app, Some(&token("user_bob"))), some("user_bob"));
    assert_eq!(app.user(), some("user_bob"));
}
