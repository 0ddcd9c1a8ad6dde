//! The identity follows every way in which its setting can change, at once.
//!
//! The scenarios are public because they must also hold beside another extension that owns `request.jwt.claims`.

use clerk_tests::Sql;
use postgres::Client;

use crate::scene::{Caller, Setting, database, some};

/// Makes a test of each scenario, and a list of all.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        /// Every scenario: a new session of `app`, and the setting that changes.
        pub const SCENARIOS: &[fn(&mut Client, Setting)] = &[$($name),*];

        mod tests {
            $(
                #[test]
                fn $name() {
                    super::in_new_sessions(super::$name);
                }
            )*
        }
    };
}

scenarios!(
    within_a_transaction,
    at_the_end_of_a_transaction,
    in_a_rolled_back_savepoint,
    in_a_rolled_back_transaction,
    in_a_caught_exception,
    under_prepared_statements,
    across_set_role,
    within_one_statement,
    by_a_function_that_sets_it,
    in_a_loop_of_plpgsql,
    under_a_held_cursor,
    by_discard_all,
);

fn in_new_sessions(scenario: fn(&mut Client, Setting)) {
    let db = database();
    for setting in Setting::BOTH {
        scenario(&mut db.connect("app"), setting);
    }
}

fn within_a_transaction(app: &mut Client, setting: Setting) {
    app.run("BEGIN");
    assert_eq!(app.user(), None);
    for user in ["user_ada", "user_bob", "user_ada"] {
        app.run(&setting.set_local(user));
        assert_eq!(app.user(), some(user));
    }
    app.run("COMMIT");
}

fn at_the_end_of_a_transaction(app: &mut Client, setting: Setting) {
    app.run("BEGIN");
    app.run(&setting.set_local("user_ada"));
    assert_eq!(app.user(), some("user_ada"));
    app.run("COMMIT");
    assert_eq!(app.user(), None, "SET LOCAL ends with its transaction");

    app.run(&setting.set("user_bob"));
    app.run("BEGIN");
    app.run(&setting.set_local("user_ada"));
    assert_eq!(app.user(), some("user_ada"));
    app.run("COMMIT");
    assert_eq!(app.user(), some("user_bob"), "what the session had set is back");
}

fn in_a_rolled_back_savepoint(app: &mut Client, setting: Setting) {
    app.run("BEGIN");
    app.run(&setting.set_local("user_ada"));
    assert_eq!(app.user(), some("user_ada"));
    app.run("SAVEPOINT before");
    app.run(&setting.set_local("user_bob"));
    assert_eq!(app.user(), some("user_bob"));
    app.run("ROLLBACK TO before");
    assert_eq!(app.user(), some("user_ada"));
    app.run("SAVEPOINT kept");
    app.run(&setting.set_local("user_bob"));
    app.run("RELEASE kept");
    assert_eq!(app.user(), some("user_bob"));
    app.run("COMMIT");
}

fn in_a_rolled_back_transaction(app: &mut Client, setting: Setting) {
    app.run(&setting.set("user_ada"));
    app.run("BEGIN");
    app.run(&setting.set("user_bob"));
    assert_eq!(app.user(), some("user_bob"));
    app.run("ROLLBACK");
    assert_eq!(app.user(), some("user_ada"));
    app.run("BEGIN");
    app.run(&setting.set("user_bob"));
    assert_eq!(app.failure("SELECT 1 / 0").sqlstate, "22012");
    app.run("ROLLBACK");
    assert_eq!(app.user(), some("user_ada"));
}

fn in_a_caught_exception(app: &mut Client, setting: Setting) {
    app.run(&format!(
        "CREATE FUNCTION pg_temp.users_around_an_exception() RETURNS text[] LANGUAGE plpgsql AS $$
         DECLARE seen text[];
         BEGIN
             seen := ARRAY[clerk.current_user_id()];
             BEGIN
                 PERFORM {};
                 seen := seen || clerk.current_user_id();
                 RAISE division_by_zero;
             EXCEPTION WHEN division_by_zero THEN
                 seen := seen || clerk.current_user_id();
             END;
             RETURN seen;
         END $$",
        setting.set_local_expression("user_bob")
    ));
    app.run(&setting.set("user_ada"));
    let seen: Vec<String> = app.value("SELECT pg_temp.users_around_an_exception()");
    assert_eq!(seen, ["user_ada", "user_bob", "user_ada"]);
}

fn under_prepared_statements(app: &mut Client, setting: Setting) {
    app.run(
        "CREATE TEMPORARY TABLE notes (owner_id text, note text);
         CREATE INDEX ON notes (owner_id);
         INSERT INTO notes SELECT 'user_' || i % 3, i FROM generate_series(1, 3000) AS i;
         ANALYZE notes",
    );
    for mode in ["force_custom_plan", "force_generic_plan", "auto"] {
        app.run(&format!("SET plan_cache_mode = {mode}"));
        let who = app.prepare("SELECT clerk.current_user_id()").unwrap();
        let whose = app
            .prepare("SELECT DISTINCT owner_id FROM notes WHERE owner_id = clerk.current_user_id()")
            .unwrap();
        // More often than the five custom plans that precede a generic one.
        for round in 0..9 {
            let user = format!("user_{}", round % 3);
            app.run(&setting.set(&user));
            assert_eq!(
                app.query_one(&who, &[]).unwrap().get::<_, String>(0),
                user,
                "{mode}"
            );
            assert_eq!(
                app.query_one(&whose, &[]).unwrap().get::<_, String>(0),
                user,
                "{mode}"
            );
        }
        app.run(&format!("RESET {}", setting.name()));
        assert!(
            app.query(&whose, &[]).unwrap().is_empty(),
            "{mode}: nobody owns nothing"
        );
    }
}

fn across_set_role(app: &mut Client, setting: Setting) {
    app.run("BEGIN");
    app.run(&setting.set_local("user_ada"));
    for (role, user) in [
        ("authenticated", "user_bob"),
        ("anon", "user_ada"),
        ("service_role", "user_bob"),
    ] {
        app.run(&format!("SET LOCAL ROLE {role}"));
        assert_ne!(app.user(), some(user), "the role is not the identity");
        app.run(&setting.set_local(user));
        assert_eq!(app.user(), some(user), "as {role}");
    }
    app.run("RESET ROLE");
    assert_eq!(app.user(), some("user_bob"));
    app.run("COMMIT");
}

fn within_one_statement(app: &mut Client, setting: Setting) {
    app.run(&setting.set("user_ada"));
    let query = format!(
        "SELECT clerk.current_user_id(), {}, clerk.current_user_id()",
        setting.set_local_expression("user_bob")
    );
    let row = app.query_one(&query, &[]).unwrap();
    assert_eq!(
        row.get::<_, String>(0),
        "user_ada",
        "a value already given stays as it was"
    );
    assert_eq!(row.get::<_, String>(2), "user_bob");
    assert_eq!(app.user(), some("user_ada"));
}

fn by_a_function_that_sets_it(app: &mut Client, setting: Setting) {
    // Only a setting that a loaded library has defined may be attached to a function by everybody.
    assert_eq!(app.user(), None);
    app.run(&format!(
        "CREATE FUNCTION pg_temp.as_bob() RETURNS text LANGUAGE plpgsql SET {} = '{}'
         AS 'BEGIN RETURN clerk.current_user_id(); END'",
        setting.name(),
        setting.value("user_bob")
    ));
    app.run(&setting.set("user_ada"));
    let row = app
        .query_one(
            "SELECT clerk.current_user_id(), pg_temp.as_bob(), clerk.current_user_id()",
            &[],
        )
        .unwrap();
    assert_eq!(
        [0, 1, 2].map(|column| row.get::<_, String>(column)),
        ["user_ada", "user_bob", "user_ada"]
    );
}

fn in_a_loop_of_plpgsql(app: &mut Client, setting: Setting) {
    let values = ["user_ada", "user_bob", "user_cleo"].map(|user| setting.value(user));
    app.run(
        "CREATE FUNCTION pg_temp.users_of(setting text, VARIADIC credentials text[]) RETURNS text[] LANGUAGE plpgsql AS $$
         DECLARE credential text; one text; seen text[];
         BEGIN
             FOR round IN 1..20 LOOP
                 FOREACH credential IN ARRAY credentials LOOP
                     PERFORM set_config(setting, credential, true);
                     one := clerk.current_user_id();
                     seen := seen || one;
                 END LOOP;
             END LOOP;
             RETURN seen;
         END $$",
    );
    let [ada, bob, cleo] = &values;
    let seen: Vec<String> = app.value_of(
        "SELECT pg_temp.users_of($1, $2, $3, $4)",
        &[&setting.name(), ada, bob, cleo],
    );
    assert_eq!(seen, ["user_ada", "user_bob", "user_cleo"].repeat(20));
}

fn under_a_held_cursor(app: &mut Client, setting: Setting) {
    app.run("BEGIN");
    app.run(&setting.set_local("user_ada"));
    app.run("DECLARE held CURSOR WITH HOLD FOR SELECT clerk.current_user_id() FROM generate_series(1, 3)");
    assert_eq!(app.value::<String>("FETCH held"), "user_ada");
    // The rest is computed when the transaction commits.
    app.run("COMMIT");
    app.run(&setting.set("user_bob"));
    assert_eq!(app.user(), some("user_bob"));
    assert_eq!(app.value::<String>("FETCH held"), "user_ada");
}

fn by_discard_all(app: &mut Client, setting: Setting) {
    app.run(&setting.set("user_ada"));
    assert_eq!(app.user(), some("user_ada"));
    app.run("DISCARD ALL");
    assert_eq!(app.user(), None);
}
