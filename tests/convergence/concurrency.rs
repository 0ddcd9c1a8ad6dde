//! Eight sessions deliver the same events at the same time.

use std::thread;

use clerk_sim::{Adversity, World, WorldOptions};
use clerk_tests::{Cluster, Dice, Sql};

use crate::scene::Scene;
use clerk_tests::expected::{assert_ledger, assert_truth};

const SESSIONS: u64 = 8;
const EVENTS: usize = 20_000;

#[test]
fn eight_sessions_with_all_events_each_end_in_the_truth() {
    let cluster = Cluster::start(&[]);
    let scene = Scene::on(&cluster);
    let mut world = World::new(WorldOptions {
        seed: 8,
        users: 40..=400,
        organizations: 60,
        adversity: Adversity::hostile(),
        ..WorldOptions::default()
    });
    let events = world.run(EVENTS);
    thread::scope(|scope| {
        for session in 0..SESSIONS {
            let (scene, events) = (&scene, &events);
            scope.spawn(move || {
                let mut client = scene.db.superuser();
                // Nearly the same order for all, so that they meet at the same rows all the time.
                let mut order: Vec<usize> = (0..events.len()).collect();
                let mut dice = Dice::new(session);
                for stretch in order.chunks_mut(64) {
                    dice.shuffle(stretch);
                }
                for at in order {
                    let answer = scene.deliver(&mut client, &events[at]);
                    let status = answer["status"].as_str().unwrap_or_default();
                    assert!(
                        matches!(status, "applied" | "stale" | "ignored" | "duplicate"),
                        "session {session}: {answer}"
                    );
                }
            });
        }
    });
    let mut owner = scene.db.superuser();
    assert_ledger(&mut owner, events.len());
    assert_truth(&mut owner, &world.truth(), "after all sessions");
    let log = cluster.log();
    assert!(!log.contains("deadlock detected"), "the server's log:\n{log}");
    let deadlocks: i64 =
        owner.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    assert_eq!(deadlocks, 0, "deadlocks");
}
