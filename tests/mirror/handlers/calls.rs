//! What a handler is called with, and when.

use std::time::{Duration, Instant};

use clerk_tests::Sql;
use postgres::types::Json;
use serde_json::{Value, json};

use super::{Scene, succeeded, user_event};

#[test]
fn a_handler_is_called_with_the_event_of_the_ledger() {
    let mut scene = Scene::new();
    scene.handle("user.*", "note", "NULL");
    let mut event = user_event("user.created", "user_ada", 1);
    event["data"]["private_metadata"] = json!({ "secret": true });
    event["svix_id"] = json!("msg_of_somebody_else");
    event["data"]["numbers"] = json!([1, 2.5]);
    assert_eq!(scene.deliver("msg_1", event.clone()), "applied");
    scene.wait_for_calls(1);

    let Json(called_with): Json<Value> = scene.owner.value("SELECT event FROM app.calls");
    let mut expected = event;
    expected["svix_id"] = json!("msg_1");
    expected["data"]
        .as_object_mut()
        .expect("data is an object")
        .remove("private_metadata");
    assert_eq!(called_with, expected);
    let role: String = scene.owner.value("SELECT role FROM app.calls");
    assert_eq!(role, scene.role);
    scene.wait_until_done();
}

#[test]
fn each_handler_is_called_once_for_each_event_of_its_types() {
    let mut scene = Scene::new();
    scene.owner.run(
        "INSERT INTO clerk.instances (issuer, environment, instance_id) VALUES ('https://clerk.sim.test', 'production', 'ins_own')",
    );
    for (pattern, name) in [
        ("user.created", "created"),
        ("user.*", "user"),
        ("*", "all"),
        ("username.*", "other"),
    ] {
        scene.handle(pattern, name, "NULL");
    }
    let mut foreign = user_event("user.created", "user_eve", 1);
    foreign["instance_id"] = json!("ins_foreign");
    let deliveries = [
        ("msg_1", user_event("user.created", "user_ada", 1), "applied"),
        ("msg_1", user_event("user.created", "user_ada", 1), "duplicate"),
        ("msg_2", user_event("user.updated", "user_ada", 0), "stale"),
        ("msg_3", user_event("user.deleted", "user_ada", 9), "applied"),
        ("msg_4", user_event("email.created", "ema_1", 1), "ignored"),
        ("msg_5", user_event("unheard.of", "x_1", 1), "ignored"),
        ("msg_6", foreign, "ignored"),
    ];
    for (svix_id, event, status) in deliveries {
        assert_eq!(scene.deliver(svix_id, event), status, "{svix_id}");
    }
    scene.wait_until_done();
    let mut calls = scene.calls();
    calls.sort();
    let expected = [
        ("all", "msg_1"),
        ("all", "msg_2"),
        ("all", "msg_3"),
        ("all", "msg_4"),
        ("all", "msg_5"),
        ("created", "msg_1"),
        ("user", "msg_1"),
        ("user", "msg_2"),
        ("user", "msg_3"),
    ];
    assert_eq!(calls, expected.map(|(name, id)| (name.to_owned(), id.to_owned())));
}

#[test]
fn calls_of_a_batch_come_in_its_order() {
    let mut scene = Scene::new();
    scene.handle("user.*", "note", "NULL");
    let events: Vec<_> = (0..20)
        .map(|number| json!({ "svix_id": format!("msg_{number:02}"), "event": user_event("user.updated", "user_ada", number) }))
        .collect();
    let Json(counts): Json<Value> = scene
        .service
        .value_of("SELECT clerk.apply_events($1)", &[&Json(json!(events))]);
    assert_eq!(counts["received"], 20);
    scene.wait_for_calls(20);
    let ids: Vec<_> = scene.calls().into_iter().map(|(_, id)| id).collect();
    let expected: Vec<_> = (0..20).map(|number| format!("msg_{number:02}")).collect();
    assert_eq!(ids, expected);
}

#[test]
fn an_event_that_is_rolled_back_calls_nothing() {
    let mut scene = Scene::new();
    scene.handle("*", "note", "NULL");
    let apply = "SELECT clerk.apply_event($1, 'msg_1')";
    let event = Json(user_event("user.created", "user_ada", 1));
    let mut transaction = scene.service.transaction().expect("a transaction can be started");
    transaction.query(apply, &[&event]).expect("it is applied");
    // Long enough for a worker to come and find nothing.
    std::thread::sleep(Duration::from_millis(300));
    transaction.rollback().expect("it can be rolled back");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        (scene.queued(), scene.worker(), scene.calls().len()),
        (0, None, 0)
    );

    let mut transaction = scene.service.transaction().expect("a transaction can be started");
    transaction.query(apply, &[&event]).expect("it is applied");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(scene.owner.value::<i64>("SELECT count(*) FROM app.calls"), 0);
    transaction.commit().expect("it can be committed");
    scene.wait_for_calls(1);
}

#[test]
fn a_handler_that_sleeps_and_one_that_raises_hold_up_no_delivery() {
    let mut scene = Scene::new();
    scene.handle("user.*", "sleeps", "PERFORM pg_sleep(10)");
    scene.handle("user.*", "raises", "RAISE 'no'");
    scene.handle("user.*", "works", "NULL");
    let start = Instant::now();
    for number in 0..20 {
        let id = format!("user_{number}");
        let status = scene.deliver(&format!("msg_{number}"), user_event("user.created", &id, 1));
        assert_eq!(status, "applied");
    }
    assert!(
        start.elapsed() < Duration::from_secs(9),
        "20 deliveries took {:?}",
        start.elapsed()
    );
    let stored: i64 = scene
        .owner
        .value("SELECT count(*) FROM clerk.webhook_events WHERE state = 'applied'");
    assert_eq!(stored, 20);
    assert_eq!(scene.owner.value::<i64>("SELECT count(*) FROM clerk.users"), 20);
    // Only the first sleeper has had its turn, if that.
    assert!(scene.queued() >= 58, "{}", scene.queued());
    // Nobody needs to wait for the others.
    let worker = scene.worker().expect("it is asleep");
    scene.owner.run(&format!("SELECT pg_terminate_backend({worker})"));
    scene.wait_until_idle();
}

#[test]
fn a_payload_that_is_gone_leaves_type_time_and_id() {
    let mut scene = Scene::new();
    scene
        .owner
        .run("INSERT INTO clerk.settings (deleted_users) VALUES ('remove')");
    scene.handle("user.deleted", "note", "RAISE 'not yet'");
    let event = json!({
        "object": "event", "type": "user.deleted", "timestamp": 1_700_000_000_123_i64,
        "data": { "object": "user", "id": "user_ada", "deleted": true },
    });
    scene.deliver("msg_1", event);
    scene.wait_until_tried();
    scene.maintain();
    let is_gone = "SELECT payload IS NULL FROM clerk.webhook_events";
    assert!(scene.owner.value::<bool>(is_gone));

    scene.handle("user.deleted", "note", "NULL");
    scene.make_due();
    assert_eq!(scene.maintain(), succeeded(1));
    let Json(event): Json<Value> = scene.owner.value("SELECT event FROM app.calls");
    let expected = json!({
        "object": "event", "type": "user.deleted", "timestamp": 1_700_000_000_123_i64, "instance_id": null,
        "data": { "id": "user_ada" }, "svix_id": "msg_1",
    });
    assert_eq!(event, expected);
}
