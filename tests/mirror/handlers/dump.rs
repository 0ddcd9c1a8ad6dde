//! A dump takes handlers along, by name, and the calls that are still to be made.

use clerk_tests::{Cluster, Sql};

use super::{Scene, user_event, wait_until};

#[test]
fn a_restored_database_makes_the_calls_that_were_queued() {
    let cluster = Cluster::start(&[]);
    let mut scene = Scene::on(&cluster);
    let id = scene.handle("user.*", "note", "RAISE 'not in the old database'");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_tried();
    scene.owner.run(
        "UPDATE clerk.handler_runs SET next_attempt_at = 'infinity';
         INSERT INTO clerk.handler_runs (handler_id, event, next_attempt_at)
         VALUES (1, '{\"repair\": true, \"svix_id\": \"none\"}', 'infinity')",
    );
    let state = "SELECT concat_ws(E'\\n',
        (SELECT string_agg(h::text, E'\\n' ORDER BY id) FROM clerk.event_handlers AS h),
        (SELECT string_agg(r::text, E'\\n' ORDER BY id) FROM clerk.handler_runs AS r))";
    let before: String = scene.owner.value(state);

    let file = cluster.directory().join("dump");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = cluster.pg_binary(program);
        let output = command.args(arguments).arg(&file).output();
        let output = output.expect("the program can be run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
    };
    run("pg_dump", &["--format=custom", scene.db.name(), "--file"]);
    scene.owner.run("CREATE DATABASE restored");
    run("pg_restore", &["--exit-on-error", "--dbname=restored"]);

    let mut restored = cluster.connect_to("restored", "postgres");
    assert_eq!(restored.value::<String>(state), before);
    let mut registrant = cluster.connect_to("restored", &scene.role);
    registrant.run(
        "CREATE OR REPLACE FUNCTION app.note(event jsonb) RETURNS void LANGUAGE sql
             AS $$ INSERT INTO app.calls (handler, event) VALUES ('restored', event) $$",
    );
    restored
        .run("UPDATE clerk.handler_runs SET next_attempt_at = clock_timestamp(); SELECT clerk.maintain()");
    // New events reach it too, and new handlers have new numbers.
    restored
        .query(
            "SELECT clerk.apply_event($1, 'msg_2')",
            &[&postgres::types::Json(user_event("user.updated", "user_ada", 2))],
        )
        .expect("it is applied");
    let calls =
        "SELECT string_agg(event->>'svix_id', ' ' ORDER BY number) FROM app.calls WHERE handler = 'restored'";
    wait_until("every call was made", || {
        restored.value::<Option<String>>(calls).as_deref() == Some("msg_1 none msg_2")
    });
    let next: i64 = registrant.value("SELECT clerk.on_event('session.*', 'app.note')");
    assert!(next > id);
    cluster.assert_no_crash();
}
