//! A database that nobody sees to but the launcher, of an instance that keeps changing while one webhook in ten is lost.

use std::sync::atomic::AtomicBool;
use std::thread;

use clerk_sim::{ApiFault, FaultPlan};
use clerk_tests::Sql;
use postgres::Client;
use postgres::types::Json;
use serde_json::Value;

use crate::scene::{Scene, deliver, preloaded, wait_until, world};
use crate::whole::{SetOnDrop, tell};

/// How many reconciles of that kind ended so.
fn reconciles(owner: &mut Client, full_walk: bool, state: &str) -> i64 {
    owner.value_of(
        "SELECT count(*) FROM clerk.sync_runs
         WHERE kind = 'reconcile' AND requested_by = 'maintain' AND full_walk = $1 AND state = $2",
        &[&full_walk, &state],
    )
}

/// Waits until that many more reconciles of each kind were done.
fn wait_for_more(owner: &mut Client, count: i64) {
    for full_walk in [false, true] {
        let before = reconciles(owner, full_walk, "done");
        wait_until("more reconciles were done", || {
            (reconciles(owner, full_walk, "done") >= before + count).then_some(())
        });
    }
}

/// Users who exist, here and at Clerk.
fn users(owner: &mut Client, scene: &Scene) -> (usize, usize) {
    let here: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    let truth = scene.clerk.world().truth();
    let there = truth
        .of(clerk_sim::Resource::Users)
        .values()
        .filter(|fact| fact.exists)
        .count();
    (here as usize, there)
}

#[test]
fn lost_webhooks_of_a_living_instance_are_all_healed() {
    let cluster = preloaded(&[]);
    let mut options = world(95);
    options.users = 60..=150;
    let (scene, history) = Scene::on(&cluster, options, 1_000);
    let mut owner = scene.owner();
    let heard = history.iter().enumerate().filter(|(at, _)| at % 10 != 3);
    deliver(&mut owner, heard.map(|(_, event)| event));
    owner.run(
        "SELECT clerk.configure_mirror(reconcile_every => '1 second', full_reconcile_every => '4 seconds')",
    );

    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = SetOnDrop(&is_over);
        scope.spawn(|| tell(&scene, &is_over));
        scene.clerk.keep_living(2, 3);
        wait_for_more(&mut owner, 2);

        // Meanwhile Clerk says for a while that there is nobody, and then names half of them.
        for fault in [ApiFault::EmptyList, ApiFault::ShortList] {
            let failed = reconciles(&mut owner, true, "failed");
            scene
                .clerk
                .plan_fault(FaultPlan::once(fault.clone()).on("/users").always());
            wait_until("a full reconcile refused to believe it, or asked", || {
                let (here, there) = users(&mut owner, &scene);
                assert!(here * 2 > there, "{fault:?}: {here} of {there} users are left");
                let has_refused = reconciles(&mut owner, true, "failed") > failed;
                (has_refused || fault != ApiFault::EmptyList).then_some(())
            });
            if fault != ApiFault::EmptyList {
                wait_for_more(&mut owner, 1);
                let (here, there) = users(&mut owner, &scene);
                assert!(here * 2 > there, "{fault:?}: {here} of {there} users are left");
            }
            scene.clerk.clear_api_faults();
        }
        wait_for_more(&mut owner, 1);
        scene.clerk.keep_living(0, 0);
    });
    // The world stands still. Whatever is wrong now nobody tells of any more.
    scene.later();
    let last: i64 = owner.value("SELECT max(id) FROM clerk.sync_runs");
    wait_until("everything was compared once more", || {
        let done = "SELECT count(*) FROM clerk.sync_runs WHERE id > $1 AND full_walk AND state = 'done'";
        (owner.value_of::<i64>(done, &[&last]) > 0).then_some(())
    });
    scene.assert_truth("after maintain alone");
    let found: Json<Value> = owner.value(
        "SELECT jsonb_build_object('repaired', sum(repaired), 'missing', sum(missing)) FROM clerk.sync_steps",
    );
    println!("{}", found.0);
    assert!(
        found.0["missing"].as_i64() > Some(0),
        "deletions were among what was lost: {found:?}"
    );
    assert!(
        found.0["repaired"].as_i64() > found.0["missing"].as_i64(),
        "{found:?}"
    );
}
