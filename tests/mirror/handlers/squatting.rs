//! A handler is kept by name, and a name may come to mean somebody else's code.

use clerk_tests::Sql;

use super::{Scene, failed, user_event};

/// A role with a function in the schema `common`, in which everybody may create.
fn stranger(scene: &mut Scene) -> postgres::Client {
    let stranger = format!("stranger_{}", scene.db.name());
    scene.owner.run(&format!(
        "CREATE ROLE {stranger} LOGIN;
         CREATE SCHEMA common;
         GRANT ALL ON SCHEMA common TO PUBLIC;
         GRANT ALL ON SCHEMA app TO {stranger};
         GRANT ALL ON app.calls TO {stranger};
         GRANT USAGE ON SEQUENCE app.calls_number_seq TO {stranger}"
    ));
    scene.db.connect(&stranger)
}

const NOTE: &str = "CREATE FUNCTION common.note(event jsonb) RETURNS void LANGUAGE sql
    AS $$ INSERT INTO app.calls (handler, event) VALUES ('note', event) $$";

#[test]
fn a_strangers_function_runs_with_nobody_elses_rights() {
    let mut scene = Scene::new();
    let mut stranger = stranger(&mut scene);
    stranger.run(NOTE);
    for session in [&mut scene.registrant, &mut scene.owner] {
        let failure = session.failure("SELECT clerk.on_event('*', 'common.note')");
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("SECURITY DEFINER")));
    }
}

#[test]
fn a_dropped_functions_name_is_no_way_in() {
    let mut scene = Scene::new();
    let mut stranger = stranger(&mut scene);
    scene.registrant.run(NOTE);
    scene.registrant.run("SELECT clerk.on_event('*', 'common.note')");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(1);

    scene.registrant.run("DROP FUNCTION common.note");
    stranger.run(NOTE);
    scene.deliver("msg_2", user_event("user.updated", "user_ada", 2));
    scene.wait_until_tried();
    let error: String = scene.owner.value("SELECT last_error FROM clerk.handler_runs");
    assert!(
        error.starts_with("42501: function common.note(jsonb) belongs to"),
        "{error}"
    );
    scene.make_due();
    assert_eq!(scene.maintain(), failed(1));
    assert_eq!(scene.calls().len(), 1);
}

#[test]
fn what_stands_in_the_table_is_a_name_and_no_sql() {
    let mut scene = Scene::new();
    scene.define(
        "note",
        "INSERT INTO app.calls (handler, event) VALUES ('note', event)",
    );
    let role = scene.role.clone();
    for handler in [
        "app.note(jsonb), app.note",
        "app.note(''{}''); DELETE FROM app.calls; SELECT app.note",
        "note",
        "a.b.app.note",
        "",
    ] {
        scene.owner.run(&format!(
            "INSERT INTO clerk.event_handlers (pattern, handler, registered_by, include_repairs)
             VALUES ('*', '{handler}', '{role}', false)"
        ));
    }
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_tried();
    assert_eq!((scene.queued(), scene.calls().len()), (5, 0));
}
