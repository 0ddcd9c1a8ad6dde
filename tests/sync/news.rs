//! The incremental reconcile.

use clerk_sim::{Activity, WorldOptions};
use clerk_tests::Sql;

use crate::scene::{Scene, deliver, done, sum, world};

#[test]
fn what_is_new_is_read_and_no_more() {
    let (scene, _) = Scene::shared(
        WorldOptions {
            users: 1_600..=1_700,
            activities: vec![Activity::People, Activity::Organizations, Activity::Memberships],
            ..world(21)
        },
        0,
    );
    // Four pages.
    scene.clerk.world().settle(1_600, 20, 100);
    scene.clerk.world().pass(3_600_000);
    let mut owner = scene.owner();
    done(&mut owner, "SELECT clerk.start_backfill()");
    scene.clerk.world().pass(3_600_000);
    // Nobody tells of this.
    let lost = {
        let mut world = scene.clerk.world();
        (0..20).flat_map(|_| world.step()).collect::<Vec<_>>()
    };
    let before = scene.asked("/users");
    let told = done(&mut owner, "SELECT clerk.start_reconcile()");
    assert_eq!(told["full_walk"], false);
    let pages = scene.asked("/users") - before;
    assert!(
        pages <= 2,
        "only what is new is read, and placeholders asked for: {pages}"
    );
    assert!(sum(&told, "repaired") > 0, "{told:#}");
    let truth = scene.clerk.world().truth();
    for event in lost.iter().filter(|event| event.event_type == "user.updated") {
        let id = event.envelope()["data"]["id"]
            .as_str()
            .expect("a user")
            .to_owned();
        let fact = truth.fact(clerk_sim::Resource::Users, &id).expect("it is known");
        if fact.exists {
            let name: Option<String> =
                owner.value_of("SELECT first_name FROM clerk.users WHERE id = $1", &[&id]);
            assert_eq!(name.as_deref(), fact.object["first_name"].as_str(), "{id}");
        }
    }
    // Nothing has happened since.
    scene.later();
    let told = done(&mut owner, "SELECT clerk.start_reconcile()");
    assert_eq!(sum(&told, "repaired"), 0, "{told:#}");
    deliver(&mut owner, &lost);
    scene.assert_truth("after the webhooks came late");
}

#[test]
fn the_first_time_everything_is_read() {
    let (scene, _) = Scene::shared(world(22), 300);
    let mut owner = scene.owner();
    done(&mut owner, "SELECT clerk.start_reconcile()");
    scene.assert_truth("after the first reconcile");
}
