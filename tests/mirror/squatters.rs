//! Whoever may create objects in the schema that PostgREST shows may take our names there.

use clerk_tests::{Notices, Sql, TestDb};
use postgres::Client;

use crate::pooled::ids;
use crate::scene::{Scene, Secret, now_seconds, set_up, unique_id, user_created};

/// Functions with our names and other arguments.
const OVERLOADS: [&str; 5] = [
    "clerk_webhook(text)",
    "clerk_webhook(jsonb)",
    "clerk_webhook(json, text)",
    "clerk_ensure_current_user(integer)",
    "clerk_whoami(text)",
];

/// A role that may create in `public`, as everybody could up to PostgreSQL 14.
fn stranger(db: &TestDb) -> Client {
    let role = format!("stranger_{}", db.name());
    db.superuser().run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}"
    ));
    db.connect(&role)
}

fn plant_overloads(stranger: &mut Client) {
    for overload in OVERLOADS {
        stranger.run(&format!(
            "CREATE FUNCTION public.{overload} RETURNS json LANGUAGE sql AS 'SELECT ''\"stranger\"''::json';
             COMMENT ON FUNCTION public.{overload} IS 'Made by clerk.expose_api(); clerk.hide_api() removes it.'"
        ));
    }
}

fn functions(client: &mut Client) -> Vec<String> {
    client.value(
        "SELECT coalesce(array_agg(format('%s by %s', p.oid::regprocedure, CASE WHEN r.rolname LIKE 'stranger_%' THEN 'stranger' ELSE 'us' END)
                ORDER BY p.oid::regprocedure::text), '{}')
         FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner WHERE p.pronamespace = 'public'::regnamespace",
    )
}

fn grants(client: &mut Client) -> Vec<String> {
    client.value(
        "SELECT array_agg(format('%s %s', p.oid::regprocedure, p.proacl) ORDER BY p.oid::regprocedure::text)
         FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner
         WHERE p.pronamespace = 'public'::regnamespace AND r.rolname LIKE 'stranger_%'",
    )
}

fn warnings(notices: &Notices) -> Vec<String> {
    let notices = notices.take().into_iter();
    let mut warned: Vec<String> = notices
        .filter(|notice| notice.sqlstate == "01000")
        .map(|notice| notice.message)
        .collect();
    warned.sort();
    warned
}

fn assert_delivers(scene: &Scene) {
    let mut pooled = scene.pooled();
    let body = user_created("user_ada");
    let answer = pooled.deliver(&body, &scene.headers(&unique_id(), &body));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        ids(&mut pooled.request_of("user_ada"), "public.clerk_me"),
        ["user_ada"]
    );
}

#[test]
fn overloads_that_were_there_first_are_left_alone_and_told_of() {
    let scene = Scene::new();
    let mut stranger = stranger(&scene.db);
    let (mut owner, notices) = scene.db.connect_with_notices("postgres");
    owner.run("SELECT clerk.hide_api()");
    plant_overloads(&mut stranger);
    let (planted, granted) = (functions(&mut owner), grants(&mut owner));
    assert_eq!(planted.len(), OVERLOADS.len());
    notices.take();

    for _ in 0..2 {
        owner.run("SELECT clerk.expose_api()");
        let told = warnings(&notices);
        assert_eq!(told.len(), OVERLOADS.len(), "{told:?}");
        assert!(
            told[0].contains("public.clerk_ensure_current_user(integer)"),
            "{told:?}"
        );
        assert_eq!(grants(&mut owner), granted);
        assert_delivers(&scene);
    }
    let hidden: Vec<String> = owner.value("SELECT clerk.hide_api()");
    assert_eq!(hidden.len(), 6, "{hidden:?}");
    assert_eq!(functions(&mut owner), planted);
}

#[test]
fn overloads_that_come_later_keep_nobody_from_hiding() {
    let scene = Scene::new();
    let mut stranger = stranger(&scene.db);
    let mut owner = scene.db.superuser();
    plant_overloads(&mut stranger);
    assert_delivers(&scene);
    // Nor can our own be taken.
    for theft in [
        "CREATE OR REPLACE FUNCTION public.clerk_webhook(json) RETURNS json LANGUAGE sql AS 'SELECT $1'",
        "DROP FUNCTION public.clerk_webhook(json)",
        "CREATE OR REPLACE VIEW public.clerk_me AS SELECT 1",
        "ALTER VIEW public.clerk_me RENAME TO mine",
        "COMMENT ON VIEW public.clerk_me IS NULL",
    ] {
        assert_eq!(stranger.failure(theft).sqlstate, "42501", "{theft}");
    }
    let hidden: Vec<String> = owner.value("SELECT clerk.hide_api()");
    assert_eq!(hidden.len(), 6, "{hidden:?}");
    let left = functions(&mut owner);
    assert!(
        left.len() == OVERLOADS.len() && left.iter().all(|name| name.ends_with("by stranger")),
        "{left:?}"
    );
    let may_anon: bool =
        owner.value("SELECT has_function_privilege('anon', 'clerk.receive_webhook(text, jsonb)', 'EXECUTE')");
    assert!(!may_anon, "no schema shows clerk_webhook(json) any more");
    owner.run("SELECT clerk.expose_api()");
    assert_delivers(&scene);
}

#[test]
fn a_stranger_s_object_is_never_taken_for_ours() {
    let scene = Scene::new();
    let mut stranger = stranger(&scene.db);
    let mut owner = scene.db.superuser();
    owner.run("SELECT clerk.hide_api()");
    let ours = "IS 'Made by clerk.expose_api(); clerk.hide_api() removes it.'";
    for (create, comment, drop, sqlstate) in [
        (
            "CREATE FUNCTION public.clerk_webhook(json) RETURNS json LANGUAGE sql AS 'SELECT $1'",
            "FUNCTION public.clerk_webhook(json)",
            "FUNCTION public.clerk_webhook(json)",
            "42723",
        ),
        (
            "CREATE PROCEDURE public.clerk_whoami() LANGUAGE sql AS 'SELECT 1'",
            "PROCEDURE public.clerk_whoami()",
            "PROCEDURE public.clerk_whoami()",
            "42723",
        ),
        (
            "CREATE VIEW public.clerk_me AS SELECT 1",
            "VIEW public.clerk_me",
            "VIEW public.clerk_me",
            "42710",
        ),
        (
            "CREATE TABLE public.clerk_profiles (id int)",
            "TABLE public.clerk_profiles",
            "TABLE public.clerk_profiles",
            "42710",
        ),
        (
            "CREATE MATERIALIZED VIEW public.clerk_my_organizations AS SELECT 1",
            "MATERIALIZED VIEW public.clerk_my_organizations",
            "MATERIALIZED VIEW public.clerk_my_organizations",
            "42710",
        ),
    ] {
        stranger.run(&format!("{create}; COMMENT ON {comment} {ours}"));
        let failure = owner.failure("SELECT clerk.expose_api()");
        assert_eq!(failure.sqlstate, sqlstate, "{create}: {failure:?}");
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("Rename or drop it")),
            "{create}"
        );
        let hidden: Vec<String> = owner.value("SELECT clerk.hide_api()");
        assert_eq!(hidden, Vec::<String>::new(), "{create}");
        stranger.run(&format!("DROP {drop}"));
    }
    owner.run("SELECT clerk.expose_api()");
    assert_delivers(&scene);
}

/// Who owns the extension need not be a superuser, nor the schema's owner.
#[test]
fn an_ordinary_owner_exposes_beside_strangers() {
    let cluster = clerk_tests::Cluster::shared();
    let mut superuser = cluster.superuser();
    superuser.run("CREATE ROLE squatted_owner LOGIN");
    superuser.run("CREATE DATABASE squatted OWNER squatted_owner");
    superuser.run("CREATE ROLE stranger_squatted LOGIN");
    let mut owner = cluster.connect_to("squatted", "squatted_owner");
    owner.run("CREATE EXTENSION clerk_sync; GRANT ALL ON SCHEMA public TO stranger_squatted");
    let mut stranger = cluster.connect_to("squatted", "stranger_squatted");
    plant_overloads(&mut stranger);
    let secret = Secret::new();
    set_up(&mut owner, &secret);
    let body = user_created("user_ada");
    let mut pooled = crate::pooled::Pooled::new(cluster.connect_to("squatted", "app"));
    let answer = pooled.deliver(&body, &secret.headers("msg_1", now_seconds(), &body));
    assert_eq!(answer.verdict(), (200, "applied", ""));
    let hidden: Vec<String> = owner.value("SELECT clerk.hide_api()");
    assert_eq!(hidden.len(), 6, "{hidden:?}");
    assert_eq!(functions(&mut owner).len(), OVERLOADS.len());
}
