//! The worker that makes the calls: it comes at once, works alone, ends by itself, and its end loses nothing.

use std::process::Command;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use clerk_tests::{Cluster, Sql};
use postgres::types::Json;
use serde_json::json;

use super::{PROMPT, Scene, failed, succeeded, user_event, wait_until};

/// Far longer than anything here takes that is not held up.
const HELD: &str = "PERFORM pg_sleep(25)";

fn wait_for_worker(scene: &mut Scene) -> i32 {
    wait_until("the worker is at work", || scene.worker().is_some());
    // The handler has begun once its worker is seen to sleep.
    wait_until("the handler is asleep", || {
        let asleep = "SELECT count(*) = 1 FROM pg_stat_activity
             WHERE datname = current_database() AND backend_type = 'clerk_sync worker' AND wait_event = 'PgSleep'";
        scene.owner.value::<bool>(asleep)
    });
    scene.worker().expect("it is asleep")
}

#[test]
fn it_comes_at_once_and_ends() {
    let mut scene = Scene::new();
    let preloaded: String = scene.owner.value(
        "SELECT concat(current_setting('shared_preload_libraries'), current_setting('session_preload_libraries'))",
    );
    assert_eq!(preloaded, "");
    scene.handle("user.*", "note", "NULL");
    let start = Instant::now();
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(1);
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
    // It stays a moment for the next ones.
    for number in 2..5 {
        scene.deliver(
            &format!("msg_{number}"),
            user_event("user.updated", "user_ada", number),
        );
        scene.wait_for_calls(number);
    }
    scene.wait_until_idle();
    // And comes again.
    scene.deliver("msg_9", user_event("user.updated", "user_ada", 9));
    scene.wait_for_calls(5);
}

#[test]
fn it_does_not_come_when_there_is_nothing_to_call() {
    let cluster = Cluster::start(&[("log_min_messages", "debug1")]);
    let mut scene = Scene::on(&cluster);
    scene.handle("organization.*", "note", "NULL");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    assert_eq!(scene.maintain(), succeeded(0));
    sleep(Duration::from_millis(300));
    let registered = |scene: &Scene| {
        let log = scene.db.cluster().log();
        log.matches("registering background worker \"clerk_sync: run handlers\"")
            .count()
    };
    assert_eq!(registered(&scene), 0);
    let organization = json!({
        "object": "event", "type": "organization.created", "timestamp": 1,
        "data": { "object": "organization", "id": "org_a", "name": "A", "created_at": 1, "updated_at": 1 },
    });
    scene.deliver("msg_2", organization);
    scene.wait_for_calls(1);
    assert_eq!(registered(&scene), 1);
}

#[test]
fn one_worker_at_a_time_makes_every_call_once() {
    const SESSIONS: i64 = 8;
    const EVENTS: i64 = 50;
    let mut scene = Scene::new();
    // It fails if another one runs in the same moment.
    scene.handle(
        "*",
        "alone",
        "IF NOT pg_try_advisory_xact_lock(1) THEN RAISE 'not alone'; END IF; PERFORM pg_sleep(0.002)",
    );
    let senders: Vec<_> = (0..SESSIONS)
        .map(|number| {
            let mut session = scene.db.connect("service_role");
            thread::spawn(move || {
                for event in 0..EVENTS {
                    let id = format!("user_{number}_{event}");
                    session
                        .query(
                            "SELECT clerk.apply_event($1, $2)",
                            &[&Json(user_event("user.created", &id, 1)), &format!("msg_{id}")],
                        )
                        .expect("it is applied");
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().expect("the thread ends well");
    }
    scene.wait_until_done();
    scene.wait_for_calls(SESSIONS * EVENTS);
    let distinct: i64 = scene
        .owner
        .value("SELECT count(DISTINCT event->>'svix_id') FROM app.calls");
    assert_eq!(distinct, SESSIONS * EVENTS);
}

#[test]
fn no_call_is_overlooked_when_it_comes_while_the_worker_leaves() {
    let mut scene = Scene::new();
    scene.handle("*", "note", "NULL");
    // The worker leaves about a second after its last call.
    for number in 0..20 {
        scene.deliver(
            &format!("msg_{number}"),
            user_event("user.updated", "user_ada", number),
        );
        scene.wait_for_calls(number + 1);
        sleep(Duration::from_millis(960 + 10 * number as u64));
    }
}

#[test]
fn its_death_loses_nothing() {
    let cluster = Cluster::start(&[("synchronous_commit", "on")]);
    let mut scene = Scene::on(&cluster);
    scene.handle("*", "sleeps", HELD);
    scene.handle("*", "works", "NULL");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    let worker = wait_for_worker(&mut scene);
    let killed = Command::new("kill").arg("-9").arg(worker.to_string()).status();
    assert!(killed.expect("kill can be run").success());
    // The server takes that for a crash, ends every session and recovers. Until it has noticed, it lets new ones in.
    wait_until("the sessions are ended", || {
        scene.owner.simple_query("SELECT 1").is_err()
    });
    wait_until("the server is back", || {
        let session = cluster.session(scene.db.name(), "postgres");
        session
            .connect(postgres::NoTls)
            .is_ok_and(|mut session| session.simple_query("SELECT 1").is_ok())
    });
    scene.owner = scene.db.superuser();
    scene.registrant = scene.db.connect(&scene.role);
    let attempts: i64 = scene
        .owner
        .value("SELECT count(*) FROM clerk.handler_runs WHERE attempts = 0");
    assert_eq!(attempts, 2);
    scene.define(
        "sleeps",
        "INSERT INTO app.calls (handler, event) VALUES ('sleeps', event)",
    );
    assert_eq!(scene.maintain(), succeeded(2));
    assert_eq!(scene.calls().len(), 2);
    // It would look for a crash, and there was one.
    std::mem::forget(scene.db);
}

#[test]
fn it_ends_when_told_to_and_leaves_the_call_queued() {
    let mut scene = Scene::new();
    scene.handle("*", "sleeps", HELD);
    for (number, end) in ["pg_terminate_backend", "pg_cancel_backend"].iter().enumerate() {
        let number = number as i64;
        // A session that has just started a worker does not expect it to be gone.
        scene.service = scene.db.connect("service_role");
        scene.deliver(
            &format!("msg_{number}"),
            user_event("user.updated", "user_ada", number),
        );
        let worker = wait_for_worker(&mut scene);
        let start = Instant::now();
        scene.owner.run(&format!("SELECT {end}({worker})"));
        scene.wait_until_idle();
        assert!(start.elapsed() < PROMPT, "{end}: {:?}", start.elapsed());
        // That was no fault of the handler's.
        let untouched =
            "SELECT count(*) FROM clerk.handler_runs WHERE attempts = 0 AND quarantined_at IS NULL";
        assert_eq!(scene.owner.value::<i64>(untouched), number + 1, "{end}");
    }
    assert_eq!(scene.calls(), []);
}

#[test]
fn it_is_in_nobodys_way() {
    let mut scene = Scene::new();
    scene.handle("*", "sleeps", HELD);
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    let worker = wait_for_worker(&mut scene);
    let activity = "SELECT query FROM pg_stat_activity WHERE pid = $1";
    let activity: String = scene.owner.value_of(activity, &[&worker]);
    assert_eq!(activity, "app.sleeps(jsonb), event msg_1");
    // Another database can be dropped, and so can this one by force.
    let mut elsewhere = scene.db.cluster().superuser();
    let name = scene.db.name().to_owned();
    let start = Instant::now();
    elsewhere.run(&format!("CREATE DATABASE {name}_other"));
    elsewhere.run(&format!("DROP DATABASE {name}_other"));
    // Dropping a handler does not wait for the call that is being made.
    let id: i64 = scene.owner.value("SELECT id FROM clerk.event_handlers");
    scene
        .registrant
        .run(&format!("SELECT clerk.drop_event_handler({id})"));
    elsewhere.run(&format!("DROP DATABASE {name} WITH (FORCE)"));
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
}

#[test]
fn a_lingering_worker_does_not_stop_a_database_from_being_dropped() {
    let mut scene = Scene::new();
    scene.handle("*", "note", "NULL");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_for_calls(1);
    assert!(scene.worker().is_some(), "it lingers");
    let cluster = scene.db.cluster();
    let name = scene.db.name().to_owned();
    drop(scene);
    cluster.superuser().run(&format!("DROP DATABASE {name}"));
}

#[test]
fn without_a_free_slot_deliveries_go_on_and_maintain_says_why_nothing_is_called() {
    let cluster = Cluster::start(&[("max_worker_processes", "0")]);
    let mut scene = Scene::on(&cluster);
    scene.handle("*", "note", "NULL");
    assert_eq!(
        scene.deliver("msg_1", user_event("user.created", "user_ada", 1)),
        "applied"
    );
    let (mut owner, notices) = scene.db.connect_with_notices("postgres");
    let Json(report): Json<serde_json::Value> = owner.value("SELECT clerk.maintain()");
    let error = report["handlers"]["error"].as_str().unwrap_or_default();
    assert!(
        error.starts_with("53400: no background worker is free"),
        "{report}"
    );
    assert!(report["pruned"].is_object(), "the other parts are done: {report}");
    assert_eq!(notices.take().len(), 1);
    assert_eq!(scene.queued(), 1);
}

#[test]
fn maintain_waits_for_the_calls() {
    let mut scene = Scene::new();
    scene.handle("*", "note", "RAISE 'not yet'");
    let database = scene.db.name().to_owned();
    // Whatever the sessions of the database do by default.
    scene.owner.run(&format!(
        "ALTER DATABASE {database} SET default_transaction_isolation = 'serializable';
         ALTER DATABASE {database} SET default_transaction_read_only = on"
    ));
    for number in 0..3 {
        scene.deliver(
            &format!("msg_{number}"),
            user_event("user.updated", "user_ada", number),
        );
    }
    scene.wait_until_tried();
    scene.make_due();
    assert_eq!(scene.maintain(), failed(3));
    scene.handle("*", "note", "PERFORM pg_sleep(0.2)");
    scene.make_due();
    assert_eq!(scene.maintain(), succeeded(3));
    assert_eq!(scene.calls().len(), 3);
}

#[test]
fn maintain_can_be_cancelled_and_the_worker_goes_on() {
    let mut scene = Scene::new();
    scene.handle("*", "sleeps", "PERFORM pg_sleep(3)");
    scene.owner.run("SET statement_timeout = '500ms'");
    let begin = "BEGIN; SET LOCAL statement_timeout = 0";
    scene.owner.run(begin);
    scene
        .owner
        .run("INSERT INTO clerk.webhook_events (svix_id, event_type, event_at, state, payload) VALUES ('msg_1', 'user.created', now(), 'applied', '{}')");
    scene
        .owner
        .run("INSERT INTO clerk.handler_runs (handler_id, svix_id) VALUES (1, 'msg_1'); COMMIT");
    let start = Instant::now();
    let failure = scene.owner.failure("SELECT clerk.maintain()");
    assert_eq!(failure.sqlstate, "57014", "{failure:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    scene.wait_for_calls(1);
    scene.wait_until_done();
}
