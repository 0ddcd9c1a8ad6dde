//! Rows that somebody else holds do not hold up deliveries.

use std::time::{Duration, Instant};

use clerk_sim::{World, WorldOptions};
use clerk_tests::{Cluster, Sql};
use postgres::types::Json;
use serde_json::Value;

use crate::scene::Scene;

/// PostgREST gives anon this long.
const ANON: &str = "SET statement_timeout = '3s'";

#[test]
fn a_locked_user_delays_and_does_not_lose() {
    let scene = Scene::on(Cluster::shared());
    let mut world = World::new(WorldOptions::default());
    let created = world.step().remove(0);
    let user_id = created.envelope()["data"]["id"]
        .as_str()
        .expect("a user")
        .to_owned();
    let mut client = scene.db.superuser();
    client.run(ANON);
    assert_eq!(scene.deliver(&mut client, &created)["status"], "applied");
    let updated = world.plant_marker(&user_id, "changed").remove(0);

    let mut holder = scene.db.superuser();
    let mut transaction = holder.transaction().expect("a transaction can begin");
    transaction
        .execute("SELECT FROM clerk.users WHERE id = $1 FOR UPDATE", &[&user_id])
        .expect("the row can be locked");
    let started = Instant::now();
    let answer = scene.deliver(&mut client, &updated);
    assert_eq!(answer["status"], "failed", "{answer}");
    assert_eq!(answer["http_status"], 200, "{answer}");
    assert_eq!(answer["reason"], "55P03", "{answer}");
    assert!(started.elapsed() < Duration::from_secs(3), "answered in time");
    let before: String = client.value_of("SELECT first_name FROM clerk.users WHERE id = $1", &[&user_id]);
    assert!(!before.contains("changed"));
    transaction.rollback().expect("the lock is released");

    client.run("UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE state = 'failed'");
    let Json(report): Json<Value> = client.value("SELECT clerk.maintain()");
    assert_eq!(report["retried"]["applied"], 1, "{report}");
    let after: String = client.value_of("SELECT first_name FROM clerk.users WHERE id = $1", &[&user_id]);
    assert!(after.contains("changed"), "{after}");
}

#[test]
fn a_twin_of_an_uncommitted_delivery_is_told_to_come_again() {
    let scene = Scene::on(Cluster::shared());
    let event = World::new(WorldOptions::default()).step().remove(0);
    let mut first = scene.db.superuser();
    let mut transaction = first.transaction().expect("a transaction can begin");
    let Json(answer): Json<Value> = transaction.value_of(
        "SELECT clerk.receive_webhook($1, $2)",
        &[&event.body, &Json(scene.headers(&event))],
    );
    assert_eq!(answer["status"], "applied", "{answer}");

    let mut second = scene.db.superuser();
    second.run(ANON);
    let answer = scene.deliver(&mut second, &event);
    assert_eq!(
        (&answer["status"], &answer["http_status"]),
        (&"busy".into(), &503.into()),
        "{answer}"
    );
    assert_eq!(answer["reason"], "delivery-in-progress", "{answer}");

    transaction.commit().expect("the first one ends");
    let answer = scene.deliver(&mut second, &event);
    assert_eq!(
        (&answer["status"], &answer["state"]),
        (&"duplicate".into(), &"applied".into()),
        "{answer}"
    );
}

/// With an event that cannot be applied for as long as the trigger is there.
fn slow_scene() -> (Scene<'static>, clerk_sim::Event, postgres::Client) {
    let scene = Scene::on(Cluster::shared());
    let event = World::new(WorldOptions::default()).step().remove(0);
    let mut owner = scene.db.superuser();
    owner.run(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';
         CREATE TRIGGER slow BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    (scene, event, owner)
}

#[test]
fn what_cannot_be_applied_in_the_time_of_the_statement_is_stored_as_failed() {
    let (scene, event, mut owner) = slow_scene();
    let envelope = event.envelope();
    let batch = Value::Array(
        (1..=5)
            .map(|number| serde_json::json!({"svix_id": format!("msg_batch_{number}"), "event": envelope}))
            .collect(),
    );
    let failed = |answer: &Value| answer["status"] == "failed" && answer["reason"] == "57000";
    // As short as it may be, and as it is where the statement has used up most of its time before.
    for (number, (timeout, before)) in [("100ms", 0.0), ("1s", 0.0), ("2s", 1.5)].into_iter().enumerate() {
        owner.run(&format!("SET statement_timeout = '{timeout}'"));
        let svix_id = format!("msg_timeout_{number}");
        let Json(answer): Json<Value> = owner.value_of(
            "SELECT clerk.apply_event($1, $2) FROM (SELECT pg_sleep($3) OFFSET 0) AS used_up_before",
            &[&Json(&envelope), &svix_id, &before],
        );
        assert!(failed(&answer), "{timeout}, {before} s: {answer}");
    }
    owner.run("SET statement_timeout = '1s'");
    let answer = scene.deliver(&mut owner, &event);
    assert!(failed(&answer), "{answer}");
    let Json(answer): Json<Value> = owner.value_of("SELECT clerk.apply_events($1)", &[&Json(&batch)]);
    assert_eq!(answer["failed"], 5, "{answer}");
    let Json(answer): Json<Value> = owner.value("SELECT clerk.replay_event('msg_batch_1')");
    assert!(failed(&answer), "{answer}");
    // A round of retries notes the one that took the time, and leaves the others to the next.
    owner.run("UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE state = 'failed'");
    let Json(answer): Json<Value> = owner.value("SELECT clerk.retry_failed()");
    assert_eq!(answer["failed"], 1, "{answer}");
    let states: Vec<String> = owner.value("SELECT array_agg(DISTINCT state) FROM clerk.webhook_events");
    assert_eq!(states, ["failed"]);
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.webhook_events"), 9);

    owner.run("SET statement_timeout = 0; DROP TRIGGER slow ON clerk.users");
    let Json(answer): Json<Value> = owner.value("SELECT clerk.replay_event('msg_batch_1')");
    assert_eq!(answer["status"], "applied", "{answer}");
}

/// By pg_cancel_backend and by the client, with a deadline and without one.
#[test]
fn a_cancelled_delivery_is_cancelled() {
    let (scene, event, mut owner) = slow_scene();
    for timeout in ["0", "1h"] {
        for by_client in [false, true] {
            owner.run(&format!("SET statement_timeout = '{timeout}'"));
            let pid: i32 = owner.value("SELECT pg_backend_pid()");
            let (cancel, mut other) = (owner.cancel_token(), scene.db.superuser());
            let canceller = std::thread::spawn(move || {
                let sleeps =
                    "SELECT coalesce(wait_event = 'PgSleep', false) FROM pg_stat_activity WHERE pid = $1";
                while !other.value_of::<bool>(sleeps, &[&pid]) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                if by_client {
                    cancel.cancel_query(postgres::NoTls).expect("it can be asked for");
                } else {
                    assert!(other.value_of::<bool>("SELECT pg_cancel_backend($1)", &[&pid]));
                }
            });
            let failure = owner.failure_of(
                "SELECT clerk.receive_webhook($1, $2)",
                &[&event.body, &Json(scene.headers(&event))],
            );
            canceller.join().expect("it was cancelled");
            assert_eq!(
                failure.sqlstate, "57014",
                "a cancel is never taken for a failure of the event"
            );
        }
    }
    owner.run("SET statement_timeout = 0; DROP TRIGGER slow ON clerk.users");
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.webhook_events"), 0);
    assert_eq!(
        scene.deliver(&mut owner, &event)["status"],
        "applied",
        "Svix sends it again"
    );
}

#[test]
fn an_event_that_cannot_be_applied_is_quarantined_and_can_be_replayed() {
    let scene = Scene::on(Cluster::shared());
    let event = World::new(WorldOptions::default()).step().remove(0);
    let mut owner = scene.db.superuser();
    owner.run(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END';
         CREATE TRIGGER broken BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION broken();
         SELECT clerk.configure_mirror(max_attempts => 3)",
    );
    assert_eq!(scene.deliver(&mut owner, &event)["status"], "failed");
    for attempt in 2..=3 {
        let wait: f64 = owner.value(
            "SELECT extract(epoch FROM next_attempt_at - clock_timestamp())::float8 FROM clerk.webhook_events",
        );
        let longest = 5.0 * 1.2 * f64::from(1 << (attempt - 2));
        assert!(
            wait > 0.0 && wait <= longest,
            "attempt {attempt} is due in {wait} s"
        );
        let Json(report): Json<Value> = owner.value("SELECT clerk.retry_failed()");
        assert_eq!(report["failed"], 0, "nothing is due yet: {report}");
        owner.run("UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE state = 'failed'");
        owner.run("SELECT clerk.retry_failed()");
    }
    let (state, attempts): (String, i32) = {
        let row = owner
            .query_one("SELECT state, attempts FROM clerk.webhook_events", &[])
            .expect("one event");
        (row.get(0), row.get(1))
    };
    assert_eq!((state.as_str(), attempts), ("quarantined", 3));
    let warned = scene.db.cluster().log();
    assert!(
        warned.contains("is quarantined after 3 attempts"),
        "the server's log tells"
    );
    owner.run("DROP TRIGGER broken ON clerk.users");
    let Json(answer): Json<Value> = owner.value_of("SELECT clerk.replay_event($1)", &[&event.svix_id]);
    assert_eq!(answer["status"], "applied", "{answer}");
    let users: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    assert_eq!(users, 1);
}
