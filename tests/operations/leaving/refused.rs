//! What cannot be rewritten keeps everything as it is, and is told.

use clerk_tests::{Sql, TestDb};

use super::scene::{Scene, leave};

/// How it is made, its name in the answer, what is said of it, and how to be rid of it.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "CREATE MATERIALIZED VIEW public.stored AS SELECT id FROM clerk.users",
        "rule _RETURN on materialized view public.stored",
        "cannot be rewritten",
        "DROP MATERIALIZED VIEW public.stored",
    ),
    (
        "CREATE FUNCTION public.of_type(u clerk.users) RETURNS text LANGUAGE sql AS 'SELECT u.id'",
        "function public.of_type(clerk.users)",
        "cannot be rewritten",
        "DROP FUNCTION public.of_type",
    ),
    (
        "CREATE FUNCTION public.all_users() RETURNS SETOF clerk.users LANGUAGE sql BEGIN ATOMIC SELECT * FROM clerk.users; END",
        "function public.all_users()",
        "cannot be rewritten",
        "DROP FUNCTION public.all_users",
    ),
    (
        "CREATE TABLE public.typed (u clerk.users)",
        "table public.typed",
        "cannot be rewritten",
        "DROP TABLE public.typed",
    ),
    (
        "CREATE TABLE public.copies () INHERITS (clerk.users)",
        "table public.copies",
        "cannot be rewritten",
        "DROP TABLE public.copies",
    ),
    (
        "CREATE VIEW public.whole AS SELECT u FROM clerk.users AS u",
        "view public.whole",
        "cannot be rewritten",
        "DROP VIEW public.whole",
    ),
    (
        "CREATE TYPE public.sort AS ENUM ('user_ada');
         CREATE FUNCTION public.as_id(public.sort) RETURNS text LANGUAGE sql AS 'SELECT ''user_ada''::text';
         CREATE CAST (public.sort AS text) WITH FUNCTION public.as_id AS IMPLICIT;
         CREATE TABLE public.sorted (who public.sort REFERENCES clerk.users)",
        "constraint sorted_who_fkey on table public.sorted",
        "may be anybody's",
        "DROP TABLE public.sorted; DROP TYPE public.sort CASCADE",
    ),
    (
        "CREATE TABLE public.of_instance (issuer text REFERENCES clerk.instances)",
        "constraint of_instance_issuer_fkey on table public.of_instance",
        "it needs",
        "DROP TABLE public.of_instance",
    ),
    (
        "CREATE TABLE public.asks (id int); CREATE POLICY who ON public.asks USING ((SELECT user_id FROM clerk.whoami()) IS NOT NULL)",
        "policy who on table public.asks",
        "it needs function clerk.whoami(), which has no counterpart",
        "DROP TABLE public.asks",
    ),
    (
        "CREATE FUNCTION public.dynamic() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE 'SELECT clerk.current_user_id()' INTO r; RETURN r; END $$",
        "function public.dynamic()",
        "its body has 'SELECT clerk.current_user_id()'",
        "DROP FUNCTION public.dynamic",
    ),
    (
        "CREATE FUNCTION public.delivers() RETURNS jsonb LANGUAGE sql AS $$ SELECT clerk.receive_webhook('', '{}') $$",
        "function public.delivers()",
        "its body has clerk.receive_webhook",
        "DROP FUNCTION public.delivers",
    ),
    (
        "CREATE FUNCTION public.on_path() RETURNS text LANGUAGE sql SET search_path = public, clerk AS 'SELECT current_user_id()'",
        "function public.on_path()",
        "its own search_path names schema clerk",
        "ALTER FUNCTION public.on_path() RESET search_path; DROP FUNCTION public.on_path",
    ),
    (
        "CREATE FUNCTION public.marked() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION public.marked DEPENDS ON EXTENSION clerk_sync",
        "function public.marked()",
        "it needs extension clerk_sync",
        "DROP FUNCTION public.marked",
    ),
    (
        "CREATE DOMAIN public.mine AS text CHECK (VALUE = clerk.current_user_id())",
        "constraint mine_check",
        "cannot be rewritten",
        "DROP DOMAIN public.mine",
    ),
    (
        "CREATE TABLE public.ruled (id int); CREATE RULE ask AS ON INSERT TO public.ruled DO ALSO SELECT clerk.current_user_id()",
        "rule ask on table public.ruled",
        "cannot be rewritten",
        "DROP TABLE public.ruled",
    ),
    (
        "CREATE FUNCTION clerk.foreign_body() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function clerk.foreign_body()",
        "it is in schema clerk, but not of the extension",
        "DROP FUNCTION clerk.foreign_body",
    ),
    (
        "SELECT clerk.set_identity_source('token')",
        "identity source",
        "claims that roles set themselves would count",
        "SELECT clerk.set_identity_source('auto')",
    ),
];

#[test]
fn what_cannot_be_rewritten_is_refused_with_a_reason() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    for (make, object, reason, drop) in REFUSED {
        owner.run(make);
        let rows = owner
            .query(
                "SELECT object, statement FROM clerk.eject() WHERE step = 'refused'",
                &[],
            )
            .expect("a dry run answers");
        let told: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert!(
            told.iter().any(|(name, why)| name.starts_with(object)
                && why.starts_with("-- ")
                && why.contains(reason)),
            "{make}: {told:#?}"
        );
        let failure = owner.failure("SELECT clerk.eject(dry_run => false)");
        assert_eq!(failure.sqlstate, "2BP01", "{make}: {failure:?}");
        let detail = failure.detail.unwrap_or_default();
        assert!(
            detail.contains(object) && detail.contains(reason),
            "{make}: {detail}"
        );
        assert!(
            failure
                .hint
                .unwrap_or_default()
                .contains("clerk.eject('clerk_data')")
        );
        owner.run(drop);
    }
    leave(&mut owner, "clerk_data");
}

#[test]
fn a_search_path_of_a_role_is_told_of() {
    let scene = Scene::bare();
    scene.db.superuser().run(&format!(
        "ALTER ROLE authenticated IN DATABASE {} SET search_path = public, clerk",
        scene.db.name()
    ));
    let refused: Vec<String> = scene
        .owner()
        .value("SELECT array_agg(object) FROM clerk.eject() WHERE step = 'refused'");
    assert_eq!(
        refused,
        [format!(
            "search_path of ROLE authenticated IN DATABASE {}",
            scene.db.name()
        )]
    );
}

#[test]
fn publications_of_others_and_of_the_whole_schema_are_told_of() {
    let scene = Scene::bare();
    scene.db.superuser().run(
        "CREATE PUBLICATION whole FOR TABLES IN SCHEMA clerk; CREATE PUBLICATION theirs FOR TABLE clerk.users, clerk.roles",
    );
    let refused: Vec<String> =
        scene.owner().value("SELECT array_agg(object || ' ' || statement ORDER BY object) FROM clerk.eject() WHERE step = 'refused'");
    assert_eq!(refused.len(), 2, "{refused:#?}");
    assert!(
        refused[0].starts_with("publication theirs -- it belongs to postgres")
            && refused[0].contains("another owner"),
        "{refused:#?}"
    );
    assert!(
        refused[1].starts_with("publication whole -- it publishes schema clerk as a whole"),
        "{refused:#?}"
    );
}

#[test]
fn the_schema_must_be_new() {
    let db = TestDb::shared();
    let mut owner = db.superuser();
    owner.run("CREATE SCHEMA taken");
    for dry_run in ["true", "false"] {
        for (schema, sqlstate) in [
            ("'taken'", "42P06"),
            ("'public'", "42P06"),
            ("'clerk'", "22023"),
            ("'pg_clerk'", "22023"),
            ("'information_schema'", "22023"),
            ("''", "22023"),
            ("NULL", "22023"),
            ("repeat('x', 64)", "22023"),
        ] {
            let failure = owner.failure(&format!("SELECT clerk.eject({schema}, {dry_run})"));
            assert_eq!(failure.sqlstate, sqlstate, "{schema}");
            assert!(failure.hint.is_some(), "{schema}");
        }
    }
    owner.run("SELECT clerk.eject(repeat('\"', 63), false)");
}
