//! The first use of a preloaded library in a session keeps what `request.jwt.claims` is. What is expected is what a session
//! without the library shows.

use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use serde_json::Value;

use crate::scene::{Caller, Setting, claims, clerk};

/// Ways to change the setting, with the first use of the extension somewhere among them.
const CHANGES: &[(&str, &[&str])] = &[
    (
        "RESET in a transaction",
        &[
            "SET request.jwt.claims = 'ada'",
            "BEGIN",
            "RESET request.jwt.claims",
            "SAVEPOINT one",
            "SET LOCAL request.jwt.claims = 'bob'",
            "ROLLBACK TO one",
            "SET LOCAL request.jwt.claims = 'eve'",
            "COMMIT",
        ],
    ),
    (
        "SET LOCAL",
        &[
            "BEGIN",
            "SET LOCAL request.jwt.claims = 'ada'",
            "SET LOCAL request.jwt.claims = 'bob'",
            "COMMIT",
        ],
    ),
    (
        "SET LOCAL over SET",
        &[
            "SET request.jwt.claims = 'ada'",
            "BEGIN",
            "SET LOCAL request.jwt.claims = 'bob'",
            "COMMIT",
        ],
    ),
    (
        "SET",
        &[
            "SET request.jwt.claims = 'ada'",
            "SET request.jwt.claims = 'bob'",
            "RESET request.jwt.claims",
        ],
    ),
    (
        "a rolled back SET",
        &[
            "SET request.jwt.claims = 'ada'",
            "BEGIN",
            "SET request.jwt.claims = 'bob'",
            "SELECT 1",
            "ROLLBACK",
        ],
    ),
    (
        "savepoints",
        &[
            "SET request.jwt.claims = 'session'",
            "BEGIN",
            "SET LOCAL request.jwt.claims = 'ada'",
            "SAVEPOINT one",
            "SET LOCAL request.jwt.claims = 'bob'",
            "SAVEPOINT two",
            "SET request.jwt.claims = 'eve'",
            "ROLLBACK TO two",
            "RELEASE one",
            "SAVEPOINT three",
            "SET LOCAL request.jwt.claims = 'ida'",
            "ROLLBACK TO three",
            "COMMIT",
        ],
    ),
    (
        "a subtransaction that is rolled back",
        &[
            "BEGIN",
            "SET LOCAL request.jwt.claims = 'ada'",
            "SAVEPOINT one",
            "SELECT 1",
            "ROLLBACK TO one",
            "SELECT 1",
            "ROLLBACK",
        ],
    ),
    (
        "a subtransaction without a value before",
        &[
            "BEGIN",
            "SAVEPOINT one",
            "SET request.jwt.claims = 'ada'",
            "SELECT 1",
            "ROLLBACK TO one",
            "SET LOCAL request.jwt.claims = 'bob'",
            "COMMIT",
        ],
    ),
    (
        "RESET",
        &[
            "SET request.jwt.claims = 'ada'",
            "BEGIN",
            "RESET request.jwt.claims",
            "ROLLBACK",
            "RESET ALL",
        ],
    ),
    (
        "DISCARD ALL",
        &[
            "SET request.jwt.claims = 'ada'",
            "DISCARD ALL",
            "SET request.jwt.claims = 'bob'",
            "DISCARD ALL",
        ],
    ),
    (
        "set_config",
        &[
            "BEGIN",
            "SELECT set_config('request.jwt.claims', 'ada', true)",
            "SELECT set_config('request.jwt.claims', '', true)",
            "COMMIT",
        ],
    ),
];

/// The statement with claims in the place of names.
fn with_claims(statement: &str) -> String {
    ["session", "ada", "bob", "eve", "ida"]
        .iter()
        .fold(statement.to_owned(), |text, name| {
            text.replace(
                &format!("'{name}'"),
                &format!("'{}'", claims(&format!("user_{name}"))),
            )
        })
}

const VALUE: &str = "SELECT coalesce(current_setting('request.jwt.claims', true), '')";

/// Runs the statements in two sessions, and calls the extension in the one after `first_use` of them and from then on. The
/// setting must be the same in both, and the caller whom it names.
fn assert_kept(mut used: Client, mut control: Client, statements: &[&str], first_use: usize, what: &str) {
    for (done, statement) in statements.iter().enumerate() {
        let statement = with_claims(statement);
        if done >= first_use {
            let value: String = control.value(VALUE);
            assert_eq!(
                used.user(),
                subject(&value),
                "{what}: {first_use}: before {statement}"
            );
            assert_eq!(
                used.value::<String>(VALUE),
                value,
                "{what}: {first_use}: before {statement}"
            );
        }
        used.run(&statement);
        control.run(&statement);
    }
    let value: String = control.value(VALUE);
    assert_eq!(used.user(), subject(&value), "{what}: {first_use}: at the end");
    assert_eq!(
        used.value::<String>(VALUE),
        value,
        "{what}: {first_use}: at the end"
    );
}

fn subject(claims: &str) -> Option<String> {
    let claims: Value = serde_json::from_str(claims).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}

fn preloaded_database(cluster: &Cluster) -> TestDb<'_> {
    let db = cluster.create_database();
    db.configure(clerk());
    db
}

#[test]
fn a_first_use_in_the_middle_keeps_the_setting() {
    let (without, preloaded) = (Cluster::start(&[]), Cluster::start_preloaded());
    let db = preloaded_database(&preloaded);
    without.superuser().run("CREATE DATABASE control");
    for (what, statements) in CHANGES {
        for first_use in 0..statements.len() {
            let control = without.connect_to("control", "app");
            assert_kept(db.connect("app"), control, statements, first_use, what);
        }
    }
}

#[test]
fn a_value_of_the_role_stays_its_default() {
    const STATEMENTS: &[&str] = &[
        "SET request.jwt.claims = 'bob'",
        "RESET request.jwt.claims",
        "BEGIN",
        "SET LOCAL request.jwt.claims = 'eve'",
        "COMMIT",
        "SET request.jwt.claims = 'bob'",
        "DISCARD ALL",
    ];
    let (without, preloaded) = (Cluster::start(&[]), Cluster::start_preloaded());
    let db = preloaded_database(&preloaded);
    without.superuser().run("CREATE DATABASE control");
    for cluster in [&without, &preloaded] {
        cluster
            .superuser()
            .run(&with_claims("ALTER ROLE app SET request.jwt.claims = 'ada'"));
    }
    for first_use in 0..STATEMENTS.len() {
        let control = without.connect_to("control", "app");
        assert_kept(
            db.connect("app"),
            control,
            STATEMENTS,
            first_use,
            "ALTER ROLE SET",
        );
    }
}

#[test]
fn a_first_use_inside_a_function_that_sets_it() {
    let preloaded = Cluster::start_preloaded();
    let db = preloaded_database(&preloaded);
    let bob = claims("user_bob").to_string();
    db.superuser().run(&format!(
        "CREATE FUNCTION as_bob() RETURNS text LANGUAGE sql SET request.jwt.claims = '{bob}' AS 'SELECT clerk.current_user_id()';
         CREATE FUNCTION fails_as_bob() RETURNS text LANGUAGE plpgsql SET request.jwt.claims = '{bob}' AS $$
         BEGIN
             PERFORM clerk.current_user_id();
             RAISE EXCEPTION 'no';
         END $$;
         CREATE FUNCTION caught() RETURNS text LANGUAGE plpgsql AS $$
         BEGIN
             RETURN fails_as_bob();
         EXCEPTION WHEN raise_exception THEN
             RETURN clerk.current_user_id();
         END $$"
    ));
    for (first, sees) in [("as_bob()", Some("user_bob")), ("caught()", None)] {
        for before in ["", "user_ada"] {
            let mut app = db.connect("app");
            if !before.is_empty() {
                app.run(&Setting::Claims.set(before));
            }
            let outside = Some(before.to_owned()).filter(|user| !user.is_empty());
            let inside = sees.map(str::to_owned).or(outside.clone());
            assert_eq!(
                app.value::<Option<String>>(&format!("SELECT {first}")),
                inside,
                "{first}"
            );
            assert_eq!(app.user(), outside, "{first}: afterwards");
            app.run(&Setting::Claims.set("user_eve"));
            assert_eq!(app.user(), Some("user_eve".to_owned()));
            app.run("RESET request.jwt.claims");
            assert_eq!(app.user(), None);
        }
    }
}

/// The first use is in parallel mode, without claims or with some that end with the transaction.
#[test]
fn a_first_use_in_parallel_mode_loses_nothing() {
    let preloaded = Cluster::start_preloaded();
    let db = preloaded_database(&preloaded);
    // Opaque and volatile, so that the planner does not call the helper beforehand.
    db.superuser().run(
        "CREATE TABLE many AS SELECT i, CASE WHEN i % 2 = 0 THEN 'user_ada' ELSE 'user_bob' END AS owner_id FROM generate_series(1, 4000) AS i;
         GRANT ALL ON many TO PUBLIC; ANALYZE many;
         CREATE FUNCTION caller() RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL SAFE
         AS 'BEGIN RETURN clerk.current_user_id(); END'",
    );
    const COUNT: &str = "SELECT count(*) FROM many WHERE owner_id = caller()";
    for (leader_participates, is_first_without_claims) in
        [("on", true), ("on", false), ("off", true), ("off", false)]
    {
        let mut app = db.connect("app");
        app.run(&format!(
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
             SET parallel_leader_participation = {leader_participates}"
        ));
        if is_first_without_claims {
            assert_eq!(app.value::<i64>(COUNT), 0);
        }
        app.run("BEGIN");
        for (user, rows) in [("user_ada", 2000), ("user_nobody", 0), ("user_bob", 2000)] {
            app.run(&Setting::Claims.set_local(user));
            assert_eq!(app.value::<i64>(COUNT), rows, "{user}");
        }
        assert_eq!(
            app.user(),
            Some("user_bob".to_owned()),
            "the first use outside of parallel mode"
        );
        for (user, rows) in [("user_nobody", 0), ("user_ada", 2000)] {
            app.run(&Setting::Claims.set_local(user));
            assert_eq!(app.value::<i64>(COUNT), rows, "{user}");
            assert_eq!(app.user(), Some(user.to_owned()));
        }
        app.run("COMMIT");
        assert_eq!(app.user(), None);
        assert_eq!(app.value::<i64>(COUNT), 0);
    }
}
