//! What can be registered, by whom, and how it is taken back.

use clerk_tests::Sql;

use super::{Scene, user_event};

#[test]
fn a_pattern_is_a_type_a_kind_or_everything() {
    let mut scene = Scene::new();
    scene.define("note", "NULL");
    let mut register = |arguments: &str| {
        let query = format!("SELECT clerk.on_event({arguments})");
        scene
            .registrant
            .query_one(&query, &[])
            .map_err(clerk_tests::Failure::from)
    };
    for arguments in [
        "'user.created', 'app.note'",
        "' user.created\n', 'app.note'",
        "'user.*', 'app.note'",
        "'*', 'app.note'",
        "'organizationMembership.*', 'app.note'",
        "'not.yet.known*', 'app.note'",
        "'invitation.updated', 'app.note', include_repairs => true",
    ] {
        assert!(register(arguments).is_ok(), "{arguments}");
    }
    for (pattern, hint) in [
        ("", "user.*"),
        ("user", "Use user.* for all types of that kind."),
        ("user*", "Use user.* for all types of that kind."),
        ("user.create", "Did you mean user.created?"),
        ("user.created,user.deleted", "once for each type"),
        ("users.*", "Did you mean user.*?"),
        ("*.created", "user.*"),
        ("not.yet.known", "has to end in *: not.yet.known*."),
        ("invitation.updated", "Did you mean invitation.created?"),
    ] {
        let failure = register(&format!("'{pattern}', 'app.note'")).expect_err(pattern);
        assert_eq!(failure.sqlstate, "22023", "{pattern}: {failure:?}");
        assert!(
            failure.hint.as_deref().is_some_and(|told| told.contains(hint)),
            "{pattern}: {failure:?}"
        );
    }
    let types: i64 = scene
        .owner
        .value("SELECT count(*) FROM clerk.event_handlers WHERE pattern = 'user.created'");
    assert_eq!(types, 1);
}

#[test]
fn a_handler_is_a_function_of_one_jsonb() {
    let mut scene = Scene::new();
    scene.registrant.run(
        "CREATE FUNCTION app.of_nothing() RETURNS void LANGUAGE sql AS '';
         CREATE FUNCTION app.of_text(event text) RETURNS void LANGUAGE sql AS '';
         CREATE FUNCTION app.of_json(event json) RETURNS void LANGUAGE sql AS '';
         CREATE FUNCTION app.of_more(event jsonb, more int DEFAULT 1) RETURNS void LANGUAGE sql AS '';
         CREATE FUNCTION app.of_many(VARIADIC events jsonb[]) RETURNS void LANGUAGE sql AS '';
         CREATE PROCEDURE app.procedure(event jsonb) LANGUAGE sql AS '';
         CREATE AGGREGATE app.aggregate(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb)",
    );
    for function in [
        "of_nothing",
        "of_text",
        "of_json",
        "of_more",
        "of_many",
        "procedure",
        "aggregate",
    ] {
        let failure = scene
            .registrant
            .failure(&format!("SELECT clerk.on_event('*', 'app.{function}')"));
        assert_eq!(failure.sqlstate, "22023", "{function}: {failure:?}");
        let signature = format!("app.{function}(event jsonb)");
        assert!(
            failure.hint.is_some_and(|hint| hint.contains(&signature)),
            "{function}"
        );
    }
    let failure = scene
        .registrant
        .failure("SELECT clerk.on_event('*', 'app.unknown')");
    assert_eq!(failure.sqlstate, "42883", "{failure:?}");
    let failure = scene.registrant.failure("SELECT clerk.on_event('*', 0)");
    assert_eq!(failure.sqlstate, "42883", "{failure:?}");

    scene.registrant.run(
        "CREATE FUNCTION app.of_everything(event jsonb, OUT a int, OUT b int) RETURNS SETOF record LANGUAGE sql AS 'SELECT 1, 2';
         SELECT clerk.on_event('*', 'app.of_everything')",
    );
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_done();
}

#[test]
fn what_the_role_may_not_call_it_cannot_register() {
    let mut scene = Scene::new();
    scene.owner.run(
        "CREATE SCHEMA private;
         CREATE FUNCTION private.f(event jsonb) RETURNS void LANGUAGE sql AS '';
         CREATE FUNCTION public.f(event jsonb) RETURNS void LANGUAGE sql AS '';
         REVOKE EXECUTE ON FUNCTION public.f FROM PUBLIC",
    );
    let oid: u32 = scene.owner.value("SELECT 'private.f(jsonb)'::regprocedure::oid");
    for function in [&oid.to_string(), "'public.f'"] {
        let failure = scene
            .registrant
            .failure(&format!("SELECT clerk.on_event('*', {function})"));
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("EXECUTE")));
    }
    scene
        .owner
        .run(&format!("GRANT USAGE ON SCHEMA private TO {}", scene.role));
    scene
        .registrant
        .run(&format!("SELECT clerk.on_event('*', {oid})"));
}

#[test]
fn the_same_again_is_the_same_handler() {
    let mut scene = Scene::new();
    let first = scene.handle("user.*", "note", "NULL");
    let repairs = |scene: &mut Scene| -> bool {
        scene
            .owner
            .value("SELECT include_repairs FROM clerk.event_handlers WHERE handler = 'app.note' AND pattern = 'user.*'")
    };
    assert!(!repairs(&mut scene));
    let register = |scene: &mut Scene, arguments: &str| -> i64 {
        scene
            .registrant
            .value(&format!("SELECT clerk.on_event({arguments})"))
    };
    assert_eq!(register(&mut scene, "'user.*', 'app.note', true"), first);
    assert!(repairs(&mut scene));
    assert_eq!(register(&mut scene, "'user.*', 'app.note'"), first);
    assert!(!repairs(&mut scene));
    assert_ne!(register(&mut scene, "'user.created', 'app.note'"), first);
    let nothing: Option<i64> = scene.registrant.value("SELECT clerk.on_event(NULL, 'app.note')");
    assert_eq!(nothing, None);
    assert_eq!(
        scene
            .owner
            .value::<i64>("SELECT count(*) FROM clerk.event_handlers"),
        2
    );
}

#[test]
fn names_are_quoted_as_they_need_it() {
    let mut scene = Scene::new();
    scene.owner.run(&format!(
        r#"CREATE SCHEMA "My ""App"".x" AUTHORIZATION {}"#,
        scene.role
    ));
    scene.registrant.run(
        r#"CREATE FUNCTION "My ""App"".x"."On.Event(jsonb)"(event jsonb) RETURNS void LANGUAGE sql
               AS $$ INSERT INTO app.calls (handler, event) VALUES ('odd', event) $$;
           SELECT clerk.on_event('*', '"My ""App"".x"."On.Event(jsonb)"')"#,
    );
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(1);
}

#[test]
fn only_administrators_register_and_only_for_themselves() {
    let mut scene = Scene::new();
    scene.define("note", "NULL");
    for role in ["anon", "authenticated", "service_role"] {
        let mut session = scene.db.connect(role);
        let call = "SELECT clerk.on_event('*', 'pg_catalog.jsonb_typeof')";
        assert_eq!(session.failure(call).sqlstate, "42501", "{role}");
        assert_eq!(
            session.failure("SELECT clerk.drop_event_handler(1)").sqlstate,
            "42501"
        );
        for table in ["event_handlers", "handler_runs"] {
            assert_eq!(
                session.failure(&format!("SELECT FROM clerk.{table}")).sqlstate,
                "42501"
            );
        }
    }
    for table in ["event_handlers", "handler_runs"] {
        scene.registrant.run(&format!("SELECT FROM clerk.{table}"));
        let delete = format!("DELETE FROM clerk.{table}");
        assert_eq!(scene.registrant.failure(&delete).sqlstate, "42501");
    }
    // The current role counts, not who logged in.
    let role = scene.role.clone();
    scene.owner.run(&format!(
        "SET ROLE {role}; SELECT clerk.on_event('*', 'app.note'); RESET ROLE"
    ));
    let by: String = scene
        .owner
        .value("SELECT registered_by FROM clerk.event_handlers");
    assert_eq!(by, role);
}

#[test]
fn who_registered_a_handler_drops_it_and_its_queued_calls() {
    let mut scene = Scene::new();
    let mine = scene.handle("*", "mine", "RAISE 'not today'");
    let kept = scene.handle("*", "kept", "RAISE 'not today'");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_tried();
    assert_eq!(scene.queued(), 2);

    let other = format!("other_{}", scene.db.name());
    scene.owner.run(&format!(
        "CREATE ROLE {other} LOGIN; SELECT clerk.grant_admin('{other}')"
    ));
    let mut session = scene.db.connect(&other);
    let failure = session.failure(&format!("SELECT clerk.drop_event_handler({mine})"));
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");

    scene
        .registrant
        .run(&format!("SELECT clerk.drop_event_handler({mine})"));
    let left: i64 = scene
        .owner
        .value("SELECT min(handler_id) FROM clerk.handler_runs");
    assert_eq!((scene.queued(), left), (1, kept));
    scene
        .owner
        .run(&format!("SELECT clerk.drop_event_handler({kept})"));
    assert_eq!(scene.queued(), 0);
    let failure = scene
        .owner
        .failure(&format!("SELECT clerk.drop_event_handler({kept})"));
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    scene.owner.run("SELECT clerk.drop_event_handler(NULL)");
}
