//! A token that ends while a statement runs: what reads already reads on, and nothing begins any more.

use clerk_tests::{Failure, Sql, TestDb};
use postgres::Client;

use crate::scene::{Caller, clerk, database, session, some};

/// Rows of `notes`, all of Ada's. At 30 ms each a scan of them takes longer than [`about_to_end`] lasts.
const ROWS: i64 = 300;

/// A token with 6 s to go, the clock skew included: enough for what is asked before the end, also on a busy machine.
fn about_to_end() -> String {
    clerk().mint(session("user_ada").expires_in(1))
}

/// SQL for the moment from which on it counts no more, with a little to spare.
const AFTER_THE_END: &str = "to_timestamp(clerk.claim('exp')::float8 + 5.2)";

/// Notes that a policy shows to their owner, and functions that look at the caller before they read as their own owner.
fn notes() -> TestDb<'static> {
    let db = database();
    db.superuser().run(&format!(
        "CREATE TABLE notes (owner_id text);
         INSERT INTO notes SELECT 'user_ada' FROM generate_series(1, {ROWS});
         ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON notes USING (owner_id = clerk.current_user_id());
         GRANT SELECT ON notes TO PUBLIC;
         CREATE FUNCTION in_sql() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS
             $$ SELECT count(*) FROM generate_series(1, 3) WHERE clerk.current_user_id() IS NOT NULL $$;
         CREATE FUNCTION in_plpgsql() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN IF clerk.current_user_id() IS NULL THEN RAISE 'nobody'; END IF; RETURN (SELECT count(*) FROM public.notes); END $$"
    ));
    db
}

/// Statements of PL/pgSQL that ask who is there, each in a way of its own.
fn questions() -> Vec<String> {
    const HELPERS: [&str; 16] = [
        "current_user_id()",
        "current_session_id()",
        "current_org_id()",
        "current_org_slug()",
        "current_org_role()",
        "current_org_permissions()",
        "current_actor_id()",
        "current_actor_type()",
        "current_claims()",
        "claim('sub')",
        "has_role('admin')",
        "has_permission('a:b')",
        "has_feature('a')",
        "has_plan('a')",
        "has_reverification('strict')",
        "has(role => 'admin')",
    ];
    const OTHERS: [&str; 8] = [
        "PERFORM count(*) FROM notes",
        "EXECUTE 'EXECUTE prepared'",
        "PERFORM in_sql()",
        "PERFORM in_plpgsql()",
        // Expressions that are no query for PL/pgSQL.
        "answer := in_plpgsql()",
        "answer := clerk.current_user_id()",
        "IF clerk.has_role('admin') THEN RAISE 'no admin'; END IF",
        "IF (SELECT user_id FROM clerk.whoami()) IS NULL THEN RAISE invalid_authorization_specification; END IF",
    ];
    let helpers = HELPERS.map(|helper| format!("PERFORM clerk.{helper}"));
    let in_assignments = HELPERS.map(|helper| format!("answer := clerk.{helper}::text"));
    let others = OTHERS.map(str::to_owned);
    [&helpers[..], &in_assignments, &others].concat()
}

/// A block that asks each question while the token is good, and again after its end; `test.answered` are then those that were
/// answered all the same.
fn asking_twice(between: &str) -> String {
    let attempts: String = questions()
        .iter()
        .map(|question| {
            format!(
                "BEGIN {question}; answered := answered || {}::text;
                 EXCEPTION WHEN invalid_authorization_specification THEN
                     IF round = 1 THEN RAISE; END IF;
                     GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
                     IF reason NOT IN ('', 'token-expired') THEN RAISE; END IF;
                 END;\n",
                postgres_literal(question)
            )
        })
        .collect();
    format!(
        "DECLARE answered text[]; answer text; reason text; after_the_end CONSTANT timestamptz := {AFTER_THE_END};
         BEGIN
             FOR round IN 1..2 LOOP
                 answered := '{{}}';
                 {attempts}
                 IF round = 1 THEN {between}; PERFORM pg_sleep_until(after_the_end); {between}; END IF;
             END LOOP;
             PERFORM set_config('test.answered', array_to_string(answered, '; '), false);
         END"
    )
}

fn postgres_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn signed_in(db: &TestDb) -> Client {
    let mut reader = db.connect("authenticated");
    reader.run("PREPARE prepared AS SELECT count(*) FROM notes");
    reader.set_token(&about_to_end());
    reader
}

#[test]
fn nothing_begins_after_the_end() {
    let db = notes();
    let (plain, committing) = (asking_twice("NULL"), asking_twice("COMMIT"));
    db.superuser().run(&format!(
        "CREATE FUNCTION asks() RETURNS void LANGUAGE plpgsql AS $body$ {plain} $body$;
         CREATE PROCEDURE asks_and_commits() LANGUAGE plpgsql AS $body$ {committing} $body$"
    ));
    let ways = [
        format!("DO $block$ {plain} $block$"),
        format!("DO $block$ {committing} $block$"),
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ; DO $block$ {plain} $block$; COMMIT"),
        "SELECT asks()".to_owned(),
        "CALL asks_and_commits()".to_owned(),
    ];
    // At once, because each waits for the end of its own token.
    let answered: Vec<String> = std::thread::scope(|scope| {
        let asking = ways.each_ref().map(|way| {
            let mut reader = signed_in(&db);
            scope.spawn(move || {
                reader.run(way);
                reader.value::<String>("SELECT current_setting('test.answered')")
            })
        });
        asking
            .into_iter()
            .map(|one| one.join().expect("it was answered"))
            .collect()
    });
    assert_eq!(answered, ["", "", "", "", ""]);
}

/// One message of the simple protocol may hold several statements, all with one start.
#[test]
fn a_later_statement_of_the_same_message_does_not_begin() {
    let db = notes();
    let mut reader = signed_in(&db);
    let error = reader
        .batch_execute(&format!(
            "SELECT count(*) FROM notes; SELECT pg_sleep_until({AFTER_THE_END}); SELECT count(*) FROM notes"
        ))
        .expect_err("the third must not be answered");
    assert_eq!(Failure::from(error).refusal(), ("28", "token-expired"));
}

#[test]
fn a_cursor_gives_no_more_rows_to_a_later_statement() {
    let db = notes();
    let mut reader = signed_in(&db);
    reader.run("BEGIN; DECLARE rows CURSOR FOR SELECT owner_id FROM notes");
    assert_eq!(reader.value::<String>("FETCH 1 FROM rows"), "user_ada");
    reader.run(&format!("SELECT pg_sleep_until({AFTER_THE_END})"));
    assert_eq!(
        reader.failure("FETCH 1 FROM rows").refusal(),
        ("28", "token-expired")
    );
}

/// Queries that are still reading when the token ends, and what each has read then.
#[test]
fn what_reads_already_reads_to_its_end() {
    let db = notes();
    let queries = [
        // The session is asked for only when all rows are read.
        "SELECT n.rows, clerk.current_session_id() FROM (SELECT count(*) AS rows FROM notes WHERE pg_sleep(0.03) IS NOT NULL) AS n",
        // A loop is one query, also where PL/pgSQL fetches its rows in portions.
        "SELECT reads_slowly(), 'sess_1'",
    ];
    db.superuser().run(
        "CREATE FUNCTION reads_slowly() RETURNS bigint LANGUAGE plpgsql AS $$
         DECLARE rows bigint := 0; note record;
         BEGIN
             FOR note IN SELECT owner_id FROM notes LOOP rows := rows + 1; PERFORM pg_sleep(0.03); END LOOP;
             RETURN rows;
         END $$",
    );
    std::thread::scope(|scope| {
        for query in queries {
            let mut reader = signed_in(&db);
            scope.spawn(move || {
                let row = reader.query_one(query, &[]).expect(query);
                assert_eq!(row.get::<_, i64>(0), ROWS, "{query}");
                assert!(row.get::<_, String>(1).starts_with("sess_"), "{query}");
                let failure = reader.failure("SELECT clerk.current_user_id()");
                assert_eq!(
                    failure.refusal(),
                    ("28", "token-expired"),
                    "it did last beyond the end"
                );
            });
        }
    });
}

/// Only workers look at rows.
fn only_in_workers(reader: &mut Client) {
    reader.run(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off",
    );
    let plan = reader
        .query("EXPLAIN SELECT count(*) FROM notes", &[])
        .expect("a plan");
    assert!(
        plan.iter()
            .any(|row| row.get::<_, String>(0).contains("Parallel Seq Scan"))
    );
}

#[test]
fn the_same_holds_in_parallel_workers() {
    let db = notes();
    db.superuser()
        .run("ALTER TABLE notes SET (parallel_workers = 2); ANALYZE notes");
    let loops = format!(
        "DO $$
         DECLARE after_the_end CONSTANT timestamptz := {AFTER_THE_END};
         BEGIN
             PERFORM count(*) FROM notes;
             PERFORM pg_sleep_until(after_the_end);
             PERFORM count(*) FROM notes;
         END $$"
    );
    std::thread::scope(|scope| {
        let (mut reader, mut other) = (signed_in(&db), signed_in(&db));
        scope.spawn(move || {
            only_in_workers(&mut reader);
            let rows: i64 = reader.value("SELECT count(*) FROM notes WHERE pg_sleep(0.06) IS NOT NULL");
            assert_eq!(rows, ROWS);
        });
        scope.spawn(move || {
            only_in_workers(&mut other);
            assert_eq!(other.failure(&loops).refusal(), ("28", "token-expired"));
        });
    });
}

/// What somebody else has judged is none of our business, however long it takes.
#[test]
fn claims_do_not_end() {
    let db = notes();
    let mut reader = db.connect("authenticated");
    reader.set_claims(&crate::scene::claims("user_ada").to_string());
    reader
        .run("DO $$ BEGIN FOR i IN 1..3 LOOP PERFORM pg_sleep(0.01), count(*) FROM notes; END LOOP; END $$");
    assert_eq!(reader.user(), some("user_ada"));
}
