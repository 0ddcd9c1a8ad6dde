//! All of it at once: a large instance that keeps changing while it is read, faults, lost webhooks, clocks that disagree, and a
//! server that is killed.
//!
//! `CLERK_SYNC_SHARE` is the share of 100,000 users, 5,000 organizations and 150,000 memberships that the world has: 1 for all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clerk_sim::{Activity, Adversity, ApiFault, Chaos, Event, FaultPlan, World, WorldOptions};
use clerk_tests::{Cluster, Sql};
use postgres::types::Json;
use postgres::{Client, NoTls};
use serde_json::{Value, json};

use crate::scene::{Scene, told, wait, wait_until, world};

const DEFAULT_SHARE: f64 = 0.05;
/// The server is killed while a request to each of these hangs, after so many others.
const STALLS: [(&str, u64); 3] = [
    ("/users", 2),
    ("/organizations", 0),
    ("/organization_memberships", 2),
];
/// Of so many webhooks one is lost.
const LOST: usize = 10;

fn share() -> f64 {
    let share = std::env::var("CLERK_SYNC_SHARE")
        .ok()
        .and_then(|share| share.parse().ok());
    share.unwrap_or(DEFAULT_SHARE)
}

#[test]
fn a_large_instance_ends_up_right() {
    let share = share();
    let scaled = |full: f64| (full * share).ceil() as usize;
    let (users, organizations, memberships) = (scaled(100_000.0), scaled(5_000.0), scaled(150_000.0));
    let cluster = Cluster::start(&[("shared_buffers", "256MB"), ("max_wal_size", "4GB")]);
    let options = WorldOptions {
        users: users..=users + users / 10,
        organizations: organizations + organizations / 50,
        activities: vec![
            Activity::People,
            Activity::Organizations,
            Activity::Memberships,
            Activity::OrganizationInvitations,
            Activity::Roles,
        ],
        adversity: Adversity::hostile(),
        ..world(100)
    };
    // What is settled takes time.
    let start_ms = options.start_ms - (users + organizations + memberships) as i64;
    let options = WorldOptions { start_ms, ..options };
    let (scene, _) = Scene::on(&cluster, options.clone(), 0);
    let mut grown = World::new(options);
    grown.settle(users, organizations, memberships);
    scene.clerk.set_world(grown);
    scene.clerk.set_chaos(Chaos {
        seed: 100,
        probability: 0.05,
        ..Chaos::default()
    });
    for (path, others) in STALLS {
        scene
            .clerk
            .plan_fault(FaultPlan::once(ApiFault::Stall).on(path).after(others));
    }
    // The world's clock runs with its life, and must not run away by a day.
    scene.clerk.keep_living(1, 3);

    let mut owner = scene.owner();
    let id: i64 = owner.value("SELECT clerk.start_backfill()");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = SetOnDrop(&is_over);
        scope.spawn(|| tell(&scene, &is_over));
        for kill in 1..=STALLS.len() {
            wait_until("a request hangs", || {
                let requests = scene.clerk.api_requests();
                let hanging = requests
                    .iter()
                    .filter(|request| request.fault == Some(ApiFault::Stall));
                (hanging.count() >= kill).then_some(())
            });
            assert_eq!(crate::scene::state(&mut owner, id), "running");
            cluster.kill_hard();
            cluster.restart();
            owner = scene.owner();
            owner.run("SELECT clerk.maintain()");
        }
        assert_eq!(
            wait_patiently(&mut owner, id),
            "done",
            "{:#}",
            told(&mut owner, id)
        );
        scene.clerk.keep_living(0, 0);
    });
    scene.later();
    let full: i64 = owner.value("SELECT clerk.start_reconcile(full => true)");
    assert_eq!(
        wait_patiently(&mut owner, full),
        "done",
        "{:#}",
        told(&mut owner, full)
    );
    scene.assert_truth("after the last webhook and one full reconcile");
    for run in [id, full] {
        let steps: Vec<String> = owner
            .query(
                "SELECT format('%s: %s in %s s, %s per second, %s', resource, done, round(extract(epoch FROM finished_at - started_at)),
                        per_second, concat_ws(' ', inserted, changed, missing, failed))
                 FROM clerk.sync_progress WHERE run_id = $1 ORDER BY started_at",
                &[&run],
            )
            .expect("progress can be read")
            .iter()
            .map(|row| row.get(0))
            .collect();
        println!("run {run}:\n  {}", steps.join("\n  "));
    }
}

/// Also when the test fails: whoever waits for it must not wait for ever.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Delivers the webhooks of what happens, but some, as Svix does: until they are acknowledged.
pub fn tell(scene: &Scene, is_over: &AtomicBool) {
    let mut client: Option<Client> = None;
    let mut waiting: Vec<Event> = Vec::new();
    let mut heard = 0_usize;
    loop {
        // Looked at first, so that what happened before is told.
        let is_last = is_over.load(Ordering::Relaxed);
        for event in scene.clerk.take_events() {
            heard += 1;
            if !heard.is_multiple_of(LOST) {
                waiting.push(event);
            }
        }
        if waiting.is_empty() {
            if is_last {
                return;
            }
            thread::sleep(Duration::from_millis(20));
            continue;
        }
        let some = waiting.len().min(200);
        let list: Vec<Value> = waiting[..some]
            .iter()
            .rev()
            .map(|event| json!({ "svix_id": event.svix_id, "event": event.envelope() }))
            .collect();
        let session = scene.db.cluster().session(scene.db.name(), "postgres");
        let Some(open) = client.take().or_else(|| session.connect(NoTls).ok()) else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let mut open = open;
        if open
            .query_one("SELECT clerk.apply_events($1)", &[&Json(list)])
            .is_ok()
        {
            waiting.drain(..some);
            client = Some(open);
        } else if is_last {
            panic!("webhooks cannot be delivered any more");
        }
    }
}

/// As `wait`, for runs that take long.
fn wait_patiently(owner: &mut Client, id: i64) -> String {
    let mut before = -1;
    loop {
        let row = told(owner, id);
        if !matches!(row["state"].as_str(), Some("queued" | "running")) {
            return wait(owner, id);
        }
        let done = crate::scene::sum(&row, "done") + crate::scene::sum(&row, "pages");
        if done == before {
            thread::sleep(Duration::from_secs(1));
        }
        before = done;
        // What was put off for longer is for maintain.
        if row["state"] == "queued" {
            owner.run("SELECT clerk.maintain()");
        }
        thread::sleep(Duration::from_millis(200));
    }
}
