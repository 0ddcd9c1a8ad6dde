//! A preloaded library changes nothing for sessions that do not use it. What is expected is what a session without the library
//! shows.

use clerk_tests::{Cluster, Failure, Sql};
use postgres::{Client, SimpleQueryMessage};

/// What Clerk's guide for Supabase told people to write until 2025 (clerk-docs#707).
const FORMER_GUIDE: &str = "
    CREATE FUNCTION requesting_user_id() RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('request.jwt.claims', true)::json->>'sub', '')::text $$;
    CREATE TABLE tasks (id int GENERATED ALWAYS AS IDENTITY, name text, user_id text DEFAULT requesting_user_id());
    CREATE TABLE many AS SELECT i FROM generate_series(1, 4000) AS i;
    GRANT ALL ON tasks, many TO PUBLIC; ANALYZE many";

/// Statements of a session that never calls the extension.
const STATEMENTS: &[&str] = &[
    "SELECT current_setting('request.jwt.claims', true) IS NULL",
    "SHOW request.jwt.claims",
    "SELECT count(*) FROM pg_settings WHERE name LIKE 'request.%'",
    "INSERT INTO tasks (name) VALUES ('made by a nightly job') RETURNING user_id IS NULL",
    "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off",
    "SELECT count(*) FROM many WHERE current_setting('request.jwt.claims', true) IS NULL",
    "BEGIN",
    "SET LOCAL request.jwt.claims = '{\"sub\": \"user_ada\"}'",
    "SELECT requesting_user_id()",
    "SELECT count(*) FROM many WHERE current_setting('request.jwt.claims', true) LIKE '%user_ada%'",
    "COMMIT",
    // From here on it is '' in every session.
    "SELECT current_setting('request.jwt.claims', true)",
    "SELECT requesting_user_id()",
    "SET request.jwt.claims = 'no JSON'",
    "SHOW request.jwt.claims",
    "RESET request.jwt.claims",
    "SHOW request.jwt.claims",
    "DISCARD ALL",
    "SHOW request.jwt.claims",
];

/// What a statement answers: its rows, or its error.
fn answer(session: &mut Client, statement: &str) -> Result<Vec<Option<String>>, String> {
    let rows = session.simple_query(statement).map_err(|error| {
        let failure = Failure::from(error);
        format!("{}: {}", failure.sqlstate, failure.message)
    })?;
    let column = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).map(str::to_owned)),
        _ => None,
    };
    Ok(rows.iter().filter_map(column).collect())
}

fn answers(cluster: &Cluster, database: &str) -> Vec<Result<Vec<Option<String>>, String>> {
    cluster.connect_to(database, "postgres").run(FORMER_GUIDE);
    let mut session = cluster.connect_to(database, "anon");
    STATEMENTS
        .iter()
        .map(|statement| answer(&mut session, statement))
        .collect()
}

#[test]
fn a_session_that_never_calls_us_is_as_without_the_library() {
    let (without, preloaded) = (Cluster::start(&[]), Cluster::start_preloaded());
    without.superuser().run("CREATE DATABASE control");
    let expected = answers(&without, "control");
    assert_eq!(
        expected[0],
        Ok(vec![Some("t".to_owned())]),
        "the control of the control"
    );
    let mut cases = Vec::new();
    for cluster in [&preloaded, &without] {
        for has_extension in [true, false] {
            let db = cluster.create_database();
            if !has_extension {
                db.superuser().run("DROP EXTENSION clerk_sync");
            }
            cases.push((db, has_extension));
        }
    }
    for (db, has_extension) in cases {
        if std::ptr::eq(db.cluster(), &without) {
            db.superuser().run(&format!(
                "ALTER DATABASE {} SET session_preload_libraries = 'clerk_sync'",
                db.name()
            ));
        }
        let mut session = db.superuser();
        assert_eq!(
            session.value::<String>("SHOW clerk.jwks_cooldown"),
            "30s",
            "it is loaded"
        );
        assert_eq!(
            answers(db.cluster(), db.name()),
            expected,
            "extension: {has_extension}"
        );
    }
}
