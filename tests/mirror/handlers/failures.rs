//! A call that fails is made again, with a state of its own.

use clerk_tests::Sql;
use serde_json::json;

use super::{Scene, failed, succeeded, user_event, wait_until};

/// Attempts, last error and seconds until the next attempt of the only queued call.
fn state(scene: &mut Scene) -> (i32, String, f64) {
    let row = scene
        .owner
        .query_one(
            "SELECT attempts, last_error, extract(epoch FROM next_attempt_at - clock_timestamp())::float8, quarantined_at IS NULL
             FROM clerk.handler_runs",
            &[],
        )
        .expect("one call is queued");
    assert!(row.get::<_, bool>(3), "it is quarantined");
    (row.get(0), row.get(1), row.get(2))
}

#[test]
fn a_failing_handler_is_retried_alone() {
    let mut scene = Scene::new();
    scene.handle("user.*", "works", "NULL");
    let id = scene.handle("user.*", "raises", "RAISE 'out of order' USING ERRCODE = '22012'");
    scene.handle("user.*", "works_too", "NULL");
    assert_eq!(
        scene.deliver("msg_1", user_event("user.created", "user_ada", 1)),
        "applied"
    );
    scene.wait_for_calls(2);
    scene.wait_until_tried();
    // What the failing one wrote is gone, the others' is not.
    assert_eq!(
        scene.calls(),
        [("works", "msg_1"), ("works_too", "msg_1")].map(|(name, id)| (name.to_owned(), id.to_owned()))
    );
    assert_eq!(
        scene
            .owner
            .value::<i64>("SELECT handler_id FROM clerk.handler_runs"),
        id
    );
    let (attempts, error, seconds) = state(&mut scene);
    assert_eq!((attempts, error.as_str()), (1, "22012: out of order"));
    // 5 s ± 20 %, and a little of it has passed.
    assert!((0.0..=6.0).contains(&seconds), "{seconds}");
    assert_eq!(scene.maintain(), succeeded(0));
    assert_eq!(state(&mut scene).0, 1);

    for (attempt, least, most) in [(2, 8.0, 12.0), (3, 16.0, 24.0), (4, 32.0, 48.0)] {
        scene.make_due();
        assert_eq!(scene.maintain(), failed(1));
        let (attempts, _, seconds) = state(&mut scene);
        assert_eq!(attempts, attempt);
        assert!((least - 2.0..=most).contains(&seconds), "{attempt}: {seconds}");
    }
    // The ledger knows nothing of that.
    let event = "SELECT state = 'applied' AND attempts = 1 AND last_error IS NULL FROM clerk.webhook_events";
    assert!(scene.owner.value::<bool>(event));

    scene.define(
        "raises",
        "INSERT INTO app.calls (handler, event) VALUES ('mended', event)",
    );
    scene.make_due();
    assert_eq!(scene.maintain(), succeeded(1));
    assert_eq!(scene.queued(), 0);
    assert_eq!(
        scene.calls().pop(),
        Some(("mended".to_owned(), "msg_1".to_owned()))
    );
}

#[test]
fn the_wait_grows_to_an_hour() {
    let mut scene = Scene::new();
    scene.handle("*", "raises", "RAISE 'no'");
    scene
        .owner
        .run("INSERT INTO clerk.settings (max_attempts) VALUES (1000)");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_tried();
    scene.owner.run("UPDATE clerk.handler_runs SET attempts = 500");
    scene.make_due();
    assert_eq!(scene.maintain(), failed(1));
    let (attempts, _, seconds) = state(&mut scene);
    assert_eq!(attempts, 501);
    assert!((2878.0..=4320.0).contains(&seconds), "{seconds}");
}

#[test]
fn after_too_many_attempts_it_is_quarantined_until_replayed() {
    let mut scene = Scene::new();
    scene
        .owner
        .run("INSERT INTO clerk.settings (max_attempts) VALUES (2)");
    scene.handle("*", "raises", "RAISE 'still no'");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_tried();
    scene.make_due();
    assert_eq!(
        scene.maintain(),
        json!({ "succeeded": 0, "failed": 0, "quarantined": 1 })
    );
    scene.make_due();
    assert_eq!(scene.maintain(), succeeded(0));
    let row = scene
        .owner
        .query_one(
            "SELECT attempts, last_error, quarantined_at IS NOT NULL FROM clerk.handler_runs",
            &[],
        )
        .expect("the call is kept");
    assert_eq!(
        (row.get::<_, i32>(0), row.get::<_, &str>(1), row.get::<_, bool>(2)),
        (2, "P0001: still no", true)
    );
    let log = scene.db.cluster().log();
    let warning = log.lines().find(|line| {
        line.contains("WARNING")
            && line.contains("(app.raises)")
            && line.contains("is quarantined after 2 attempts")
    });
    assert!(
        warning.is_some_and(|line| line.contains("msg_1") && line.contains("still no")),
        "{log}"
    );

    scene.handle("*", "raises", "NULL");
    scene.owner.run("SELECT clerk.replay_event('msg_1')");
    scene.maintain();
    scene.wait_for_calls(1);
    scene.wait_until_done();
}

#[test]
fn a_handler_that_takes_too_long_has_failed() {
    let mut scene = Scene::new();
    scene.set("clerk.handler_timeout", "300ms");
    scene.handle("*", "sleeps", "PERFORM pg_sleep(60)");
    scene.handle("*", "loops", "LOOP PERFORM 1; END LOOP");
    // To catch the cancel does not help.
    scene.handle(
        "*",
        "clings",
        "BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END",
    );
    scene.handle("*", "works", "PERFORM pg_sleep(0.1)");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(1);
    assert_eq!(scene.calls(), [("works".to_owned(), "msg_1".to_owned())]);
    scene.wait_until_tried();
    let failures = "SELECT count(*) FROM clerk.handler_runs WHERE attempts = 1
         AND last_error = '57000: the handler took longer than clerk.handler_timeout allows, 300 ms'";
    assert_eq!((scene.queued(), scene.owner.value::<i64>(failures)), (3, 3));
}

#[test]
fn a_handler_may_wait_for_a_lock_as_long_as_it_may_take() {
    let mut scene = Scene::new();
    scene
        .registrant
        .run("CREATE TABLE app.counter AS SELECT 0 AS count");
    scene.handle("*", "counts", "UPDATE app.counter SET count = count + 1");
    let mut other = scene.db.superuser();
    let mut transaction = other.transaction().expect("a transaction can be started");
    transaction.run("UPDATE app.counter SET count = 10");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    // Longer than the worker itself would wait.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    transaction.commit().expect("it can be committed");
    scene.wait_until_done();
    assert_eq!(scene.owner.value::<i32>("SELECT count FROM app.counter"), 11);
}

#[test]
fn a_function_that_is_gone_is_a_failure_until_it_is_back() {
    let mut scene = Scene::new();
    scene.handle("*", "note", "NULL");
    scene.registrant.run("DROP FUNCTION app.note");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    wait_until("the call has failed", || {
        scene
            .owner
            .value::<i64>("SELECT count(*) FROM clerk.handler_runs WHERE attempts = 1")
            == 1
    });
    let (_, error, _) = state(&mut scene);
    assert_eq!(error, "42883: function app.note(jsonb) does not exist");

    scene.handle("*", "note", "NULL");
    scene.make_due();
    scene.maintain();
    scene.wait_for_calls(1);
}

#[test]
fn an_event_that_somebody_deleted_is_a_failure() {
    let mut scene = Scene::new();
    scene.handle("*", "note", "RAISE 'not yet'");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_tried();
    scene.owner.run("DELETE FROM clerk.webhook_events");
    scene.make_due();
    assert_eq!(scene.maintain(), failed(1));
    assert!(state(&mut scene).1.starts_with("42704: event \"msg_1\""));
}

#[test]
fn a_call_whose_handler_is_gone_is_forgotten() {
    let mut scene = Scene::new();
    let id = scene.handle("*", "note", "NULL");
    scene.owner.run(&format!(
        "INSERT INTO clerk.handler_runs (handler_id, svix_id) VALUES ({}, 'msg_1')",
        id + 1
    ));
    scene.maintain();
    assert_eq!(scene.queued(), 0);
    assert_eq!(scene.calls(), []);
}
