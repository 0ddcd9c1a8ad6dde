//! The server is killed in the middle of a stream, again and again. What it had acknowledged is there afterwards.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clerk_sim::{Adversity, Event, World, WorldOptions};
use clerk_tests::{Cluster, Dice};
use postgres::NoTls;
use postgres::types::Json;
use serde_json::Value;

use crate::scene::Scene;
use clerk_tests::expected::{assert_ledger, assert_truth};

const ROUNDS: u64 = 25;
const SESSIONS: usize = 4;
const EVENTS_A_ROUND: usize = 300;

#[test]
fn nothing_acknowledged_is_lost() {
    let cluster = Cluster::start(&[
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
    ]);
    let scene = Scene::on(&cluster);
    let mut world = World::new(WorldOptions {
        seed: 25,
        users: 20..=80,
        adversity: Adversity::hostile(),
        ..WorldOptions::default()
    });
    let mut events: Vec<Event> = Vec::new();
    let acknowledged = Mutex::new(HashSet::new());
    let mut dice = Dice::new(25);
    for round in 0..ROUNDS {
        let mut fresh = world.run(EVENTS_A_ROUND);
        dice.shuffle(&mut fresh);
        events.extend(fresh);
        let is_over = AtomicBool::new(false);
        let moment = Duration::from_millis(30 + dice.below(120) as u64);
        thread::scope(|scope| {
            for session in 0..SESSIONS {
                let (scene, events, acknowledged, is_over) = (&scene, &events, &acknowledged, &is_over);
                scope.spawn(move || deliver_all(scene, events, session, acknowledged, is_over));
            }
            thread::sleep(moment);
            cluster.kill_hard();
            is_over.store(true, Ordering::Relaxed);
        });
        cluster.restart();
        assert_all_stored(&scene, &acknowledged, round);
    }
    // Svix goes on until everything is acknowledged.
    deliver_all(&scene, &events, 0, &acknowledged, &AtomicBool::new(false));
    assert_eq!(acknowledged.lock().expect("no holder panics").len(), events.len());
    let mut owner = scene.db.superuser();
    assert_ledger(&mut owner, events.len());
    assert_truth(&mut owner, &world.truth(), "after the last crash");
}

/// Delivers what is not acknowledged, until the server is gone.
fn deliver_all(
    scene: &Scene,
    events: &[Event],
    session: usize,
    acknowledged: &Mutex<HashSet<String>>,
    is_over: &AtomicBool,
) {
    let Ok(mut client) = scene
        .db
        .cluster()
        .session(scene.db.name(), "postgres")
        .connect(NoTls)
    else {
        return;
    };
    for event in events
        .iter()
        .cycle()
        .skip(session * events.len() / SESSIONS)
        .take(events.len())
    {
        let is_known = acknowledged
            .lock()
            .expect("no holder panics")
            .contains(&event.svix_id);
        if is_known || is_over.load(Ordering::Relaxed) {
            continue;
        }
        let headers = Json(scene.headers(event));
        let Ok(row) = client.query_one("SELECT clerk.receive_webhook($1, $2)", &[&event.body, &headers])
        else {
            return;
        };
        let Json(answer): Json<Value> = row.get(0);
        if answer["http_status"] == 200 {
            acknowledged
                .lock()
                .expect("no holder panics")
                .insert(event.svix_id.clone());
        }
    }
}

fn assert_all_stored(scene: &Scene, acknowledged: &Mutex<HashSet<String>>, round: u64) {
    let rows = scene
        .db
        .superuser()
        .query("SELECT svix_id FROM clerk.webhook_events", &[])
        .expect("the ledger can be read");
    let stored: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let acknowledged = acknowledged.lock().expect("no holder panics");
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
}
