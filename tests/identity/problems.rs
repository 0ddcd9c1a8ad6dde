//! What is counted of tokens that are refused.

use std::time::{Duration, Instant};

use clerk_tests::{Sql, TestDb};
use postgres::Client;
use serde_json::json;

use crate::scene::{Caller, claims, clerk, database, session, with};

/// Far more than a worker needs to begin and to write.
const PATIENCE: Duration = Duration::from_secs(60);

type Problem = (Option<String>, String, i64);

fn problems(owner: &mut Client) -> Vec<Problem> {
    let rows = owner.query(
        "SELECT issuer, reason, seen FROM clerk.token_problems ORDER BY reason COLLATE \"C\", issuer",
        &[],
    );
    let read = |row: postgres::Row| (row.get(0), row.get(1), row.get(2));
    rows.expect("they can be read").into_iter().map(read).collect()
}

fn wait_for(owner: &mut Client, what: &str, mut is_there: impl FnMut(&[Problem]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = problems(owner);
        if is_there(&found) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {found:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Notes are seconds apart; this lets the next one come at once.
fn let_time_pass(owner: &mut Client) {
    owner.run("UPDATE clerk.token_problems SET last_seen_at = last_seen_at - interval '1 minute' WHERE true");
}

/// A database that accepts one origin.
fn database_with_a_party() -> TestDb<'static> {
    let db = database();
    db.superuser()
        .run("SELECT clerk.configure(authorized_parties => ARRAY['https://app.example'])");
    db
}

/// Asks as PostgREST does, read-only, and is refused.
fn refused(app: &mut Client, setting: &str, value: &str, statement: &str) -> String {
    let mut transaction = app
        .build_transaction()
        .read_only(true)
        .start()
        .expect("it begins");
    transaction
        .execute("SELECT set_config($1, $2, true)", &[&setting, &value])
        .expect("it can be set");
    let failure = transaction.failure(statement);
    transaction.rollback().expect("it ends");
    failure.detail.unwrap_or_default()
}

#[test]
fn each_refusal_is_counted_by_instance_and_reason() {
    let db = database_with_a_party();
    let mut owner = db.superuser();
    let ours = Some(clerk().issuer().to_owned());
    let expired = session("user_ada")
        .claim("azp", json!("https://app.example"))
        .expires_in(-3600);
    let expired = clerk().mint(expired);
    let foreign = clerk().mint(session("user_ada").claim("iss", json!("https://clerk.elsewhere.test")));
    let altered = |changes| with(claims("user_ada"), changes).to_string();
    let ask = "SELECT clerk.current_user_id()";
    let authenticate = format!("SELECT clerk.authenticate('{expired}')");
    let mut expected: Vec<Problem> = Vec::new();
    for (setting, value, statement, issuer, reason) in [
        (
            "request.jwt.claims",
            altered(json!({"azp": null})),
            ask,
            &ours,
            "azp-missing",
        ),
        (
            "request.jwt.claims",
            altered(json!({"azp": "https://evil.example"})),
            ask,
            &ours,
            "token-invalid-authorized-parties",
        ),
        (
            "request.jwt.claims",
            altered(json!({"sid": null})),
            "SELECT clerk.has_role('admin')",
            &ours,
            "token-type-mismatch",
        ),
        (
            "request.jwt.claims",
            altered(json!({"aud": "x"})),
            ask,
            &ours,
            "token-invalid-audience",
        ),
        ("clerk.jwt", expired.clone(), ask, &ours, "token-expired"),
        ("clerk.jwt", foreign, ask, &None, "token-invalid-issuer"),
        ("clerk.jwt", "no.to.ken".to_owned(), ask, &None, "token-invalid"),
        ("clerk.jwt", String::new(), &authenticate, &ours, "token-expired"),
    ] {
        // A session of its own, as each of them is the first to be seen there.
        let detail = refused(&mut db.connect("app"), setting, &value, statement);
        assert!(reason == "azp-missing" || detail == reason, "{detail}");
        match expected
            .iter_mut()
            .find(|(of, code, _)| of == issuer && code == reason)
        {
            Some((_, _, seen)) => *seen += 1,
            None => expected.push((issuer.clone(), reason.to_owned(), 1)),
        }
        expected.sort_by(|one, other| (&one.1, &one.0).cmp(&(&other.1, &other.0)));
        wait_for(&mut owner, reason, |found| found == expected);
        let_time_pass(&mut owner);
    }
    let counts: serde_json::Value =
        serde_json::from_str(&owner.value::<String>("SELECT token_problems::text FROM clerk.status"))
            .expect("it is JSON");
    assert_eq!(counts["token-expired"], 2);
    assert_eq!(counts["azp-missing"], 1);
    let found: String = owner.value(
        "SELECT string_agg(found, '; ' ORDER BY \"check\") FROM clerk.doctor() WHERE area = 'tokens' AND status <> 'ok'",
    );
    assert!(
        found.contains("2 token-expired") && found.contains("of no configured issuer"),
        "{found}"
    );
    let mend: String = owner.value("SELECT mend FROM clerk.doctor() WHERE \"check\" = 'tokens without azp'");
    assert!(mend.contains("allow_missing_azp => true"), "{mend}");
}

#[test]
fn a_request_that_is_refused_before_it_runs_is_counted() {
    let db = database_with_a_party();
    let mut owner = db.superuser();
    let mut app = db.connect("app");
    app.set_claims(&with(claims("user_ada"), json!({"azp": null})).to_string());
    let answer: String = app.value("SELECT clerk.check_request()::text");
    assert!(answer.contains("token-invalid-authorized-parties"), "{answer}");
    let ours = Some(clerk().issuer().to_owned());
    wait_for(&mut owner, "the request", |found| {
        found == [(ours.clone(), "azp-missing".to_owned(), 1)]
    });
}

#[test]
fn what_comes_in_between_is_counted_and_written_later() {
    let db = database_with_a_party();
    let mut owner = db.superuser();
    let mut app = db.connect("app");
    let bad = with(claims("user_ada"), json!({"azp": null})).to_string();
    for _ in 0..3 {
        refused(
            &mut app,
            "request.jwt.claims",
            &bad,
            "SELECT clerk.current_user_id()",
        );
    }
    wait_for(&mut owner, "the first", |found| !found.is_empty());
    // Whoever asks in order to find out is not counted.
    app.set_claims(&bad);
    let problems: Vec<String> = app.value("SELECT problems FROM clerk.whoami()");
    assert!(problems[0].contains("azp"), "{problems:?}");
    app.run("RESET request.jwt.claims");
    let_time_pass(&mut owner);
    let deadline = Instant::now() + PATIENCE;
    while problems_seen(&mut owner) < 3 {
        assert!(Instant::now() < deadline, "{}", problems_seen(&mut owner));
        app.run("BEGIN READ ONLY; SELECT 1; COMMIT");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(problems_seen(&mut owner), 3);
}

fn problems_seen(owner: &mut Client) -> i64 {
    owner.value("SELECT COALESCE(sum(seen), 0)::bigint FROM clerk.token_problems")
}

#[test]
fn the_counts_go_with_their_instance() {
    let db = database_with_a_party();
    let mut owner = db.superuser();
    let bad = with(claims("user_ada"), json!({"azp": null})).to_string();
    refused(
        &mut db.connect("app"),
        "request.jwt.claims",
        &bad,
        "SELECT clerk.current_user_id()",
    );
    wait_for(&mut owner, "it", |found| found.len() == 1);
    owner.run(&format!("SELECT clerk.remove_instance('{}')", clerk().issuer()));
    assert_eq!(problems(&mut owner), []);
}
