//! What `maintain` does by itself.

use clerk_tests::Sql;
use postgres::types::Json;
use serde_json::Value;

use crate::scene::{Scene, deliver, wait, wait_until, world};

#[test]
fn lost_webhooks_are_healed_by_maintain_alone() {
    let mut options = world(71);
    options.users = 40..=100;
    let (scene, history) = Scene::shared(options, 800);
    let mut owner = scene.owner();
    // One in ten is lost.
    let heard = history
        .iter()
        .enumerate()
        .filter(|(at, _)| at % 10 != 3)
        .map(|(_, event)| event);
    deliver(&mut owner, heard);
    scene.later();
    owner.run("SELECT clerk.maintain()");
    let id: i64 = owner.value("SELECT id FROM clerk.sync_runs WHERE full_walk AND requested_by = 'maintain'");
    assert_eq!(wait(&mut owner, id), "done");
    scene.assert_truth("after maintain");
    // Nothing more is due.
    let Json(report): Json<Value> = owner.value("SELECT clerk.maintain()");
    assert_eq!(report["syncs"]["requested"], serde_json::json!([]), "{report}");
    owner.run("UPDATE clerk.sync_runs SET finished_at = finished_at - interval '61 minutes', requested_at = requested_at - interval '61 minutes'");
    owner.run("SELECT clerk.maintain()");
    let (latest, full_walk): (i64, bool) = latest(&mut owner);
    assert!(
        latest > id && !full_walk,
        "the incremental one is due after an hour"
    );
    assert_eq!(wait(&mut owner, latest), "done");
    owner.run("UPDATE clerk.sync_runs SET finished_at = finished_at - interval '25 hours', requested_at = requested_at - interval '25 hours'");
    owner.run("SELECT clerk.maintain()");
    let (last, full_walk) = self::latest(&mut owner);
    assert!(last > latest && full_walk, "the full one is due after a day");
    assert_eq!(wait(&mut owner, last), "done");
}

fn latest(owner: &mut postgres::Client) -> (i64, bool) {
    let row = owner
        .query_one(
            "SELECT id, full_walk FROM clerk.sync_runs ORDER BY id DESC LIMIT 1",
            &[],
        )
        .expect("there is a run");
    (row.get(0), row.get(1))
}

#[test]
fn nothing_is_read_unless_it_is_to_be() {
    let (scene, _) = Scene::shared(world(72), 20);
    let mut owner = scene.owner();
    owner.run("SELECT clerk.configure_mirror(reconcile_every => '0', full_reconcile_every => '0')");
    owner.run("SELECT clerk.maintain()");
    let runs: i64 = owner.value("SELECT count(*) FROM clerk.sync_runs");
    assert_eq!(runs, 0);
    owner.run("SELECT clerk.configure_mirror(reconcile_every => '1 hour', full_reconcile_every => '1 day')");
    owner.run("SELECT clerk.drop_secret_key()");
    owner.run("SELECT clerk.maintain()");
    let runs: i64 = owner.value("SELECT count(*) FROM clerk.sync_runs");
    assert_eq!(runs, 0);
    for (setting, value) in [
        ("reconcile_every", "'-1 hour'"),
        ("full_reconcile_every", "'-1 day'"),
        ("missing_threshold", "1.5"),
        ("missing_threshold", "-0.1"),
        ("missing_threshold", "'NaN'"),
    ] {
        let failure = owner.failure(&format!("SELECT clerk.configure_mirror({setting} => {value})"));
        assert_eq!(failure.sqlstate, "22023", "{failure:?}");
        assert!(failure.message.contains(setting), "{failure:?}");
    }
}

#[test]
fn a_run_that_failed_is_not_begun_again_at_once() {
    let (scene, _) = Scene::shared(world(73), 20);
    let mut owner = scene.owner();
    scene.clerk.rotate_secret_key();
    owner.run("SELECT clerk.maintain()");
    let id: i64 = owner.value("SELECT id FROM clerk.sync_runs");
    assert_eq!(wait(&mut owner, id), "failed");
    for _ in 0..3 {
        owner.run("SELECT clerk.maintain()");
    }
    let runs: i64 = owner.value("SELECT count(*) FROM clerk.sync_runs");
    assert_eq!(runs, 1);
}

#[test]
fn old_runs_are_forgotten_but_the_last_of_each_kind() {
    let (scene, _) = Scene::shared(world(74), 20);
    let mut owner = scene.owner();
    for _ in 0..3 {
        let id: i64 = owner.value("SELECT clerk.start_backfill()");
        assert_eq!(wait(&mut owner, id), "done");
    }
    owner.run("SELECT clerk.configure_mirror(reconcile_every => '0', full_reconcile_every => '0')");
    owner.run("UPDATE clerk.sync_runs SET finished_at = finished_at - interval '91 days'");
    let Json(report): Json<Value> = owner.value("SELECT clerk.maintain()");
    assert_eq!(report["syncs"]["pruned"], 2, "{report}");
    let left: i64 = wait_until("one is left", || {
        let ids: Vec<i64> = owner.value("SELECT array_agg(id) FROM clerk.sync_runs");
        (ids.len() == 1).then(|| ids[0])
    });
    assert_eq!(left, 3);
}

#[test]
fn a_backfill_joins_the_full_reconcile_that_maintain_began() {
    let (scene, _) = Scene::shared(world(77), 60);
    let mut owner = scene.owner();
    let mut transaction = owner.transaction().expect("there is none yet");
    transaction.run("SELECT clerk.maintain()");
    let begun: i64 = transaction.value("SELECT id FROM clerk.sync_runs WHERE full_walk");
    let joined: i64 = transaction.value("SELECT clerk.start_backfill()");
    assert_eq!(joined, begun, "it reads the same");
    let named: i64 = transaction.value("SELECT clerk.start_backfill(ARRAY['users'])");
    assert_ne!(named, begun, "what is named is read for itself");
    transaction.commit().expect("nothing stands against it");
    for id in [begun, named] {
        assert_eq!(wait(&mut owner, id), "done");
    }
    scene.assert_truth("after both");
}
