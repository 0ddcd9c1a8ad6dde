//! Whoever asks gets the same answers without the extension.

use std::collections::BTreeMap;

use clerk_tests::{Failure, Sql, TestDb};
use serde_json::json;

use super::claims::{every_kind, member, member_v1, session};
use super::scene::{Scene, leave};

/// What is asked; `{data}` is the schema of the mirror.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "read",
        r#"SELECT json_agg(id ORDER BY id) FROM "Shop clerk.users"."Docs ""clerk"".users""#,
    ),
    (
        "add",
        r#"INSERT INTO "Shop clerk.users"."Docs ""clerk"".users" (id) VALUES (10) RETURNING to_json("Docs ""clerk"".users")"#,
    ),
    (
        "add to another organization",
        r#"INSERT INTO "Shop clerk.users"."Docs ""clerk"".users" (id, org) VALUES (11, 'org_globex') RETURNING to_json(org)"#,
    ),
    (
        "change",
        r#"WITH done AS (UPDATE "Shop clerk.users"."Docs ""clerk"".users" SET region = 'us' WHERE id < 10 RETURNING id) SELECT json_agg(id ORDER BY id) FROM done"#,
    ),
    (
        "remove",
        r#"WITH done AS (DELETE FROM "Shop clerk.users"."Docs ""clerk"".users" WHERE id < 10 RETURNING id) SELECT json_agg(id ORDER BY id) FROM done"#,
    ),
    ("people", "SELECT json_agg(p) FROM public.people AS p"),
    ("tables", "SELECT json_agg(t) FROM public.tables AS t"),
    ("asked", "SELECT to_json(public.asked())"),
    ("parsed", "SELECT to_json(public.parsed())"),
    ("me", "SELECT json_agg(to_jsonb(m)) FROM {data}.me AS m"),
    (
        "profiles",
        "SELECT json_agg(p ORDER BY p.id) FROM {data}.profiles AS p",
    ),
    (
        "my_memberships",
        "SELECT json_agg(m ORDER BY m.id) FROM {data}.my_memberships AS m",
    ),
    (
        "my_organizations",
        "SELECT json_agg(o ORDER BY o.id) FROM {data}.my_organizations AS o",
    ),
    ("users", "SELECT json_agg(id ORDER BY id) FROM {data}.users"),
    (
        "private metadata",
        "SELECT json_agg(private_metadata ORDER BY id) FROM {data}.users",
    ),
    (
        "existing users",
        "SELECT json_agg(u ORDER BY u.id) FROM {data}.existing_users AS u",
    ),
    (
        "writing",
        "DELETE FROM {data}.users WHERE id = 'user_ada' RETURNING to_json(id)",
    ),
];

type Answers = BTreeMap<String, String>;

/// Every question by every role with claims of every kind, each in a transaction of its own that leaves nothing.
fn ask_everything(db: &TestDb, data: &str) -> Answers {
    let mut answers = BTreeMap::new();
    for role in ["anon", "authenticated", "service_role"] {
        let mut client = db.connect(role);
        for (kind, claims) in every_kind() {
            for (name, question) in QUESTIONS {
                let mut transaction = client.transaction().expect("no transaction is open");
                transaction
                    .execute("SELECT set_config('request.jwt.claims', $1, true)", &[&claims])
                    .expect("a setting");
                let answer = match transaction.query(&question.replace("{data}", data), &[]) {
                    Ok(rows) => format!(
                        "{:?}",
                        rows.iter()
                            .map(|row| row.get::<_, Option<serde_json::Value>>(0))
                            .collect::<Vec<_>>()
                    ),
                    Err(error) => {
                        let failure = Failure::from(error);
                        match &failure.sqlstate[..2] {
                            "28" => format!("{:?}", failure.refusal()),
                            _ => failure.sqlstate,
                        }
                    }
                };
                answers.insert(format!("{name}, by {role}, with {kind}"), answer);
            }
        }
    }
    answers
}

#[test]
fn every_policy_view_and_default_answers_the_same() {
    let scene = Scene::new();
    let before = ask_everything(&scene.db, "clerk");
    leave(&mut scene.owner(), "Left \"clerk.\" behind");
    let after = ask_everything(&scene.db, "\"Left \"\"clerk.\"\" behind\"");
    for (question, answer) in &before {
        assert_eq!(&after[question], answer, "{question}");
    }
    assert_eq!(after.len(), before.len());

    // So that it is not all the same nothing.
    let expected = [
        (
            "read, by authenticated, with member",
            "[Some(Array [Number(1), Number(2), Number(3)])]",
        ),
        ("read, by authenticated, with foreign issuer", "[None]"),
        (
            "read, by anon, with session",
            "[Some(Array [Number(1), Number(2)])]",
        ),
        (
            "read, by authenticated, with party",
            r#"("28", "token-invalid-authorized-parties")"#,
        ),
        ("read, by authenticated, with pending", "[None]"),
        (
            "read, by authenticated, with pending, allowed",
            "[Some(Array [Number(4)])]",
        ),
        ("read, by authenticated, with not JSON", "[None]"),
        (
            "read, by service_role, with service key",
            "[Some(Array [Number(1), Number(2), Number(3), Number(4), Number(5)])]",
        ),
        (
            "change, by authenticated, with member",
            "[Some(Array [Number(1), Number(2), Number(3)])]",
        ),
        ("change, by authenticated, with session", "[None]"),
        (
            "remove, by authenticated, with member",
            "[Some(Array [Number(1), Number(2), Number(3)])]",
        ),
        (
            "remove, by authenticated, with verified twice",
            "[Some(Array [Number(1), Number(2), Number(3)])]",
        ),
        ("remove, by authenticated, with never verified", "[None]"),
        ("remove, by authenticated, with plain member", "[None]"),
        (
            "add to another organization, by authenticated, with member",
            "23514",
        ),
        ("add, by authenticated, with foreign issuer", "42501"),
        (
            "people, by authenticated, with member v1",
            r#"[Some(Array [Object {"first_name": String("Ada"), "id": String("user_ada")}])]"#,
        ),
        (
            "asked, by anon, with session",
            r#"[Some(String("user_ada of 4"))]"#,
        ),
        (
            "parsed, by anon, with member v1",
            r#"[Some(String("org:admin $function$ clerk.users"))]"#,
        ),
        ("private metadata, by authenticated, with member", "42501"),
        ("me, by anon, with member", "42501"),
        ("existing users, by authenticated, with member", "42501"),
        ("writing, by service_role, with service key", "42501"),
    ];
    for (question, answer) in expected {
        assert_eq!(after[question], answer, "{question}");
    }
    assert!(after["add, by authenticated, with member"].contains(r#""Owner": String("user_ada")"#));
    assert!(after["add, by authenticated, with member"].contains("clerk.current_user_id() by Ada"));
    assert!(after["profiles, by authenticated, with member v1"].contains("user_bob"));
    assert!(!after["profiles, by authenticated, with member v1"].contains("user_carl"));
    assert!(after["private metadata, by service_role, with service key"].contains("secret"));
}

#[test]
fn no_trace_is_left() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    owner.run("SELECT clerk.expose_api()");
    leave(&mut owner, "clerk_data");
    // All that SQL keeps as text or prints as text. Strings of the application stay as they were, so they are taken out first.
    let traces: Vec<String> = owner.value(
        r"WITH printed (what, words) AS (
              SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid) FROM pg_proc AS p WHERE p.prokind IN ('f', 'p')
              UNION ALL SELECT 'policy ' || polname, concat_ws(' ', pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
              UNION ALL SELECT 'view ' || oid::regclass, pg_get_viewdef(oid) FROM pg_class WHERE relkind IN ('v', 'm')
              UNION ALL SELECT 'constraint ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
              UNION ALL SELECT 'default ' || adrelid::regclass, pg_get_expr(adbin, adrelid) FROM pg_attrdef
              UNION ALL SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger
              UNION ALL SELECT 'setting', array_to_string(setconfig, ' ') FROM pg_db_role_setting AS s
                  WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
              UNION ALL SELECT 'comment', description FROM pg_description WHERE description NOT IN ('clerk.has_role')
              UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE nspname = 'clerk'
              UNION ALL SELECT 'extension', extname FROM pg_extension
          )
          SELECT COALESCE(array_agg(what || ': ' || words), '{}') FROM printed
          WHERE words ~ 'clerk_sync' OR words = 'clerk'
             OR regexp_replace(words, '''([^'']|'''')*''|Shop clerk', '', 'g') ~ ('\mclerk\.(users|organizations|organization_memberships|'
                 || 'existing_\w+|me|my_\w+|profiles|current_\w+|has|has_\w+|claim|receive_webhook|expose_api|configure\w*|grant_\w+)\M')",
    );
    assert!(traces.is_empty(), "{traces:#?}");
    let public: Vec<String> = owner.value(
        "SELECT array_agg(p.proname::text ORDER BY p.proname) FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace",
    );
    assert_eq!(
        public,
        ["asked", "parsed", "stamped"],
        "what expose_api() made is gone"
    );
    let dangling: i64 = owner.value(
        "SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND NOT EXISTS (SELECT FROM pg_namespace WHERE oid = refobjid)",
    );
    assert_eq!(dangling, 0);
}

#[test]
fn the_ejected_project_can_be_dumped_and_restored() {
    let scene = Scene::new();
    leave(&mut scene.owner(), "clerk_data");
    let before = ask_everything(&scene.db, "clerk_data");
    let dump = scene
        .db
        .cluster()
        .pg_binary("pg_dump")
        .arg(scene.db.name())
        .output()
        .expect("pg_dump can be run");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let restored = TestDb::shared();
    restored
        .superuser()
        .run("DROP EXTENSION clerk_sync; DROP SCHEMA clerk");
    let mut psql = restored.cluster().pg_binary("psql");
    psql.args([
        "--quiet",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        "--dbname",
        restored.name(),
    ])
    .stdin(std::process::Stdio::piped())
    .stdout(std::process::Stdio::null());
    let mut child = psql.spawn().expect("psql can be run");
    std::io::Write::write_all(&mut child.stdin.take().expect("stdin is piped"), &dump.stdout)
        .expect("psql reads");
    assert!(child.wait().expect("psql ends").success());
    assert_eq!(ask_everything(&restored, "clerk_data"), before);
}

#[test]
fn a_changed_list_of_instances_counts_at_once() {
    let scene = Scene::bare();
    leave(&mut scene.owner(), "clerk_data");
    let mut owner = scene.owner();
    let asked = "SELECT clerk_data.current_user_id()";
    let claims = session("user_ada", json!({})).to_string();
    owner
        .execute("SELECT set_config('request.jwt.claims', $1, false)", &[&claims])
        .expect("a setting");
    assert_eq!(owner.value::<Option<String>>(asked).as_deref(), Some("user_ada"));
    owner.run("CREATE OR REPLACE FUNCTION clerk_data.trusted_instances() RETURNS jsonb LANGUAGE sql IMMUTABLE RETURN '{}'::jsonb");
    assert_eq!(owner.value::<Option<String>>(asked), None);
    for claims in [
        member("user_ada", "admin", json!({})),
        member_v1("user_ada", "admin"),
    ] {
        owner
            .execute(
                "SELECT set_config('request.jwt.claims', $1, false)",
                &[&claims.to_string()],
            )
            .expect("a setting");
        assert_eq!(
            owner.value::<Option<String>>("SELECT clerk_data.current_org_id()"),
            None
        );
    }
}
