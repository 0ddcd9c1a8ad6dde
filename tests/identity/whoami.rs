//! `clerk.whoami()`: one row for a person who wonders.

use clerk_tests::Sql;
use postgres::Client;
use serde_json::json;

use crate::scene::{Caller, claims, clerk, database, session, some, token, with};

#[derive(Debug, PartialEq)]
struct Whoami {
    source: String,
    database_role: String,
    issuer: Option<String>,
    user_id: Option<String>,
    org_id: Option<String>,
    org_role: Option<String>,
    seconds_left: Option<f64>,
    problems: Vec<String>,
}

fn whoami(client: &mut Client) -> Whoami {
    let row = client
        .query_one("SELECT * FROM clerk.whoami()", &[])
        .expect("whoami never raises");
    Whoami {
        source: row.get("source"),
        database_role: row.get("database_role"),
        issuer: row.get("issuer"),
        user_id: row.get("user_id"),
        org_id: row.get("org_id"),
        org_role: row.get("org_role"),
        seconds_left: row.get("seconds_left"),
        problems: row.get("problems"),
    }
}

/// The only problem there is.
fn problem(client: &mut Client) -> String {
    let whoami = whoami(client);
    assert_eq!(whoami.problems.len(), 1, "{whoami:?}");
    whoami.problems.into_iter().next().unwrap()
}

#[test]
fn tells_all_about_a_signed_in_user_without_problems() {
    let db = database();
    let mut app = db.connect("authenticated");
    let organization = json!({"o": {"id": "org_acme", "rol": "admin", "slg": "acme"}});
    app.set_claims(
        &with(
            claims("user_ada"),
            with(organization, json!({"exp": 4_000_000_000_i64})),
        )
        .to_string(),
    );
    let found = whoami(&mut app);
    let now: f64 = app.value("SELECT extract(epoch FROM now())::float8");
    let left = found.seconds_left.expect("the claims have an exp");
    assert!((4e9 - now - left).abs() < 60.0, "{left} s left");
    assert_eq!(
        found,
        Whoami {
            source: "request.jwt.claims".to_owned(),
            database_role: "authenticated".to_owned(),
            issuer: some(clerk().issuer()),
            user_id: some("user_ada"),
            org_id: some("org_acme"),
            org_role: some("org:admin"),
            seconds_left: Some(left),
            problems: Vec::new(),
        }
    );
}

#[test]
fn names_the_token_as_the_source_and_what_is_left_of_it() {
    let db = database();
    let mut app = db.connect("app");
    app.set_token(&clerk().mint(session("user_ada").expires_in(3600)));
    let found = whoami(&mut app);
    assert_eq!(found.source, "clerk.jwt");
    assert_eq!(found.user_id, some("user_ada"));
    let left = found.seconds_left.expect("a token expires");
    assert!((3000.0..=3600.0).contains(&left), "{left} s left");
    assert_eq!(found.problems, [""; 0]);
}

#[test]
fn says_that_nobody_is_signed_in() {
    let db = database();
    let mut app = db.connect("app");
    let found = whoami(&mut app);
    assert_eq!((found.source.as_str(), found.user_id.as_ref()), ("none", None));
    assert!(problem(&mut app).contains("Nobody is signed in"));
}

#[test]
fn says_that_nothing_is_configured() {
    let db = clerk_tests::TestDb::shared();
    let mut app = db.connect("app");
    app.set_claims(&claims("user_ada").to_string());
    let found = whoami(&mut app);
    assert_eq!(found.user_id, None);
    assert!(
        found.problems[0].contains("clerk.configure(publishable_key"),
        "{found:?}"
    );
}

#[test]
fn sees_a_valid_token_that_runs_as_anon() {
    let db = database();
    let mut app = db.connect("anon");
    // PostgREST writes the role that it chose into the claims; others leave out what the token does not have.
    for role in [json!(null), json!("anon")] {
        app.set_claims(&with(claims("user_ada"), json!({"role": role})).to_string());
        assert_eq!(whoami(&mut app).user_id, some("user_ada"));
        let text = problem(&mut app);
        assert!(
            text.contains("no role claim") && text.contains("\"authenticated\""),
            "{text}"
        );
    }
    app.set_claims(&claims("user_ada").to_string());
    assert!(problem(&mut app).contains("role claim is \"authenticated\""));
    // As the role that the claim names all is well.
    let mut app = db.connect("authenticated");
    app.set_claims(&claims("user_ada").to_string());
    assert!(whoami(&mut app).problems.is_empty());
}

#[test]
fn sees_a_foreign_issuer_and_one_that_is_missing() {
    let db = database();
    let mut app = db.connect("authenticated");
    app.set_claims(&with(claims("user_ada"), json!({"iss": "https://clerk.other.test"})).to_string());
    let text = problem(&mut app);
    assert!(
        text.contains("https://clerk.other.test") && text.contains("clerk.configure(issuer"),
        "{text}"
    );
    app.set_claims("{\"role\":\"anon\"}");
    assert!(problem(&mut app).contains("no issuer"));
    app.set_claims("gibberish");
    assert!(problem(&mut app).contains("not a JSON object"));
}

#[test]
fn sees_an_expired_token_and_a_pending_session() {
    let db = database();
    let mut app = db.connect("app");
    app.set_token(&clerk().mint(session("user_ada").expires_in(-3600)));
    let found = whoami(&mut app);
    assert_eq!(found.user_id, None);
    assert!(problem(&mut app).contains("getToken()"), "{found:?}");

    app.set_token(&clerk().mint(session("user_ada").claim("sts", "pending".into())));
    assert_eq!(whoami(&mut app).user_id, None);
    assert!(problem(&mut app).contains("pending"));
    app.set_claims(&with(claims("user_ada"), json!({"sts": "pending"})).to_string());
    let problems = whoami(&mut app).problems;
    assert!(
        problems.iter().any(|problem| problem.contains("pending")),
        "{problems:?}"
    );
}

#[test]
fn sees_roles_that_bypass_row_level_security() {
    let db = database();
    let mut caller = db.superuser();
    caller.set_token(&token("user_ada"));
    for role in ["service_role", "postgres"] {
        caller.run(&format!("SET ROLE {role}"));
        assert_eq!(whoami(&mut caller).database_role, role);
        let problem = problem(&mut caller);
        assert!(
            problem.contains(role) && problem.contains("bypasses row level security"),
            "{problem}"
        );
    }
    caller.run("SET ROLE authenticated");
    assert_eq!(whoami(&mut caller).problems, [""; 0]);
}

#[test]
fn sees_a_token_that_does_not_count() {
    let db = database();
    let mut app = db.connect("authenticated");
    app.set_token(&token("user_eve"));
    app.set_claims(&claims("user_ada").to_string());
    let found = whoami(&mut app);
    assert_eq!(
        (found.source.as_str(), found.user_id),
        ("request.jwt.claims", some("user_ada"))
    );
    assert!(problem(&mut app).contains("clerk.jwt is set too but does not count"));
}

/// The source that is in force is told where it is not the usual one, and what it ignores.
#[test]
fn says_which_source_is_in_force() {
    let db = database();
    db.superuser().run("SELECT clerk.set_identity_source('token')");
    let mut app = db.connect("authenticated");
    assert!(problem(&mut app).contains("the identity source of this database is token"));
    app.set_claims(&claims("user_ada").to_string());
    let found = whoami(&mut app);
    assert_eq!((found.source.as_str(), found.user_id.clone()), ("none", None));
    let told = |problems: &[String], says: &[&str]| {
        problems
            .iter()
            .any(|problem| says.iter().all(|part| problem.contains(part)))
    };
    assert!(
        told(
            &found.problems,
            &[
                "request.jwt.claims is set and was ignored",
                "set_identity_source('auto')"
            ]
        ) && told(&found.problems, &["clerk.jwt is not set"]),
        "{found:?}"
    );
    // Also while somebody is signed in.
    app.set_token(&token("user_bob"));
    let found = whoami(&mut app);
    assert_eq!(
        (found.source.as_str(), found.user_id.clone()),
        ("clerk.jwt", some("user_bob"))
    );
    assert!(told(&found.problems, &["was ignored"]), "{:?}", found.problems);

    db.superuser().run("SELECT clerk.set_identity_source('claims')");
    let mut app = db.connect("authenticated");
    assert!(problem(&mut app).contains("the identity source of this database is claims"));
}
