//! The identity in the workers of a parallel query.

use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use serde_json::Value;

use crate::scene::{Caller, Setting, database, some};

/// A table that is worth a parallel scan under these settings, half of it Ada's.
fn create_table(db: &TestDb) {
    db.superuser().run(
        "CREATE TABLE notes (owner_id text, note text);
         INSERT INTO notes SELECT CASE WHEN i % 2 = 0 THEN 'user_ada' ELSE 'user_bob' END, i
         FROM generate_series(1, 4000) AS i;
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON notes USING (owner_id = clerk.current_user_id());
         GRANT SELECT ON notes TO PUBLIC;
         ANALYZE notes",
    );
}

/// Lets every fitting plan be parallel. Without the leader's participation only workers look at rows.
fn force_parallel(client: &mut Client, leader_participates: bool) {
    client.run(&format!(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         SET max_parallel_workers_per_gather = 2;
         SET parallel_leader_participation = {leader_participates}",
    ));
}

/// How many workers a query really had.
fn workers_launched(client: &mut Client, query: &str) -> u64 {
    let plan: Value = serde_json::from_str(
        &client
            .simple_query(&format!("EXPLAIN (ANALYZE, FORMAT JSON) {query}"))
            .unwrap()
            .iter()
            .filter_map(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            })
            .collect::<String>(),
    )
    .expect("EXPLAIN gives JSON");
    launched_in(&plan)
}

fn launched_in(plan: &Value) -> u64 {
    match plan {
        Value::Array(items) => items.iter().map(launched_in).sum(),
        Value::Object(members) => {
            let own = members
                .get("Workers Launched")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            own + members.values().map(launched_in).sum::<u64>()
        }
        _ => 0,
    }
}

#[test]
fn workers_know_the_caller() {
    const COUNT: &str = "SELECT count(*) FROM notes";

    let db = database();
    create_table(&db);
    for setting in Setting::BOTH {
        let mut client = db.connect("authenticated");
        force_parallel(&mut client, false);
        for (user, rows) in [("user_ada", 2000), ("user_nobody", 0), ("user_bob", 2000)] {
            client.run("BEGIN");
            client.run(&setting.set_local(user));
            assert!(
                workers_launched(&mut client, COUNT) > 0,
                "{setting:?}: nothing was parallel"
            );
            assert_eq!(client.value::<i64>(COUNT), rows, "{setting:?}: {user}");
            assert_eq!(client.user(), some(user));
            client.run("COMMIT");
        }
        assert_eq!(client.value::<i64>(COUNT), 0, "nobody is signed in");
    }
}

/// The planner asks the helper, so even where only workers look at rows the leader has the fast way from its first query on.
#[test]
fn a_first_query_that_is_parallel_defines_the_setting() {
    let db = database();
    create_table(&db);
    let mut client = db.connect("authenticated");
    force_parallel(&mut client, false);
    let is_defined = "SELECT current_setting('request.jwt.claims', true) IS NOT NULL";
    assert!(!client.value::<bool>(is_defined), "the control");
    assert!(workers_launched(&mut client, "SELECT count(*) FROM notes") > 0);
    assert!(client.value::<bool>(is_defined));
}

#[test]
fn every_helper_answers_in_workers_as_in_the_leader() {
    const ANSWERS: &str = "SELECT DISTINCT concat_ws('|', clerk.current_user_id(), clerk.current_session_id(), \
        clerk.current_claims()->>'sts', clerk.claim('sub'), clerk.has_role('org:admin'), \
        clerk.has_reverification('strict'), clerk.has(plan => 'pro'))";

    let db = database();
    create_table(&db);
    for setting in Setting::BOTH {
        let mut client = db.connect("authenticated");
        client.run(&setting.set("user_ada"));
        let alone: String = client.value(ANSWERS);
        force_parallel(&mut client, false);
        let query = format!("{ANSWERS} FROM notes");
        assert!(
            workers_launched(&mut client, &query) > 0,
            "{setting:?}: nothing was parallel"
        );
        assert_eq!(client.value::<String>(&query), alone);
    }
}

#[test]
fn a_refusal_in_a_worker_is_the_same_error() {
    let db = database();
    create_table(&db);
    let mut client = db.connect("authenticated");
    force_parallel(&mut client, false);
    client.set_token("not a token");
    let failure = client.failure("SELECT count(*) FROM notes");
    assert_eq!(failure.refusal(), ("28", "token-invalid"));
}

/// The library may be loaded in the middle of a parallel query. A setting that is defined there would lose its value, so
/// that is refused, or right; and whatever it was, afterwards nothing is lost.
#[test]
fn a_first_use_inside_a_parallel_plan_is_right_or_refused_and_loses_nothing() {
    // Volatile, so that the planner does not call it beforehand, and opaque, so that nobody looks inside.
    const FIRST_USE: &str = "SELECT count(*) FROM open_notes WHERE owner_id = caller()";

    let db = database();
    db.superuser().run(
        "CREATE TABLE open_notes AS
         SELECT CASE WHEN i % 2 = 0 THEN 'user_ada' ELSE 'user_bob' END AS owner_id FROM generate_series(1, 4000) AS i;
         GRANT SELECT ON open_notes TO PUBLIC;
         ANALYZE open_notes;
         CREATE FUNCTION caller() RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL SAFE
         AS 'BEGIN RETURN clerk.current_user_id(); END'",
    );
    let mut refused = 0;
    for setting in Setting::BOTH {
        for leader_participates in [false, true] {
            for local in [false, true] {
                let mut client = db.connect("anon");
                force_parallel(&mut client, leader_participates);
                client.run("BEGIN");
                let sign_in = if local {
                    setting.set_local("user_ada")
                } else {
                    setting.set("user_ada")
                };
                client.run(&sign_in);
                client.run("SAVEPOINT before");
                match client.query_one(FIRST_USE, &[]) {
                    Ok(row) => assert_eq!(row.get::<_, i64>(0), 2000),
                    Err(error) => {
                        let failure = clerk_tests::Failure::from(error);
                        assert_eq!(failure.sqlstate, "55000", "{failure:?}");
                        assert!(failure.hint.unwrap().contains("session_preload_libraries"));
                        refused += 1;
                    }
                }
                client.run("ROLLBACK TO before");
                assert_eq!(client.user(), some("user_ada"), "in the next statement");
                assert!(
                    workers_launched(&mut client, FIRST_USE) > 0,
                    "nothing was parallel"
                );
                assert_eq!(client.value::<i64>(FIRST_USE), 2000);
                client.run("COMMIT");
                let lasting = (!local).then(|| "user_ada".to_owned());
                assert_eq!(client.user(), lasting, "in the next transaction");
                client.run(&setting.set("user_bob"));
                assert_eq!(client.user(), some("user_bob"), "after a change");
                assert_eq!(client.value::<i64>(FIRST_USE), 2000);
            }
        }
    }
    assert_eq!(
        refused > 0,
        !Cluster::shared_is_preloaded(),
        "a library that is not preloaded is first loaded inside a parallel plan"
    );
}
