//! Who was there before anybody listened.

use std::collections::BTreeSet;

use clerk_sim::{Adversity, Resource, World, WorldOptions};

fn settled(seed: u64) -> World {
    let mut world = World::new(WorldOptions {
        seed,
        users: 30..=40,
        organizations: 6,
        adversity: Adversity::hostile(),
        ..WorldOptions::default()
    });
    world.settle(30, 5, 50);
    world
}

#[test]
fn the_api_shows_them_and_a_seed_gives_the_same_again() {
    let mut world = settled(1);
    assert_eq!(world.truth(), settled(1).truth());
    assert_ne!(world.truth(), settled(2).truth());
    let now_ms = world.now_ms();
    assert_eq!(
        now_ms - world.options().start_ms,
        30 + 5 + 45,
        "a millisecond each"
    );
    for (resource, count) in [
        (Resource::Users, 30),
        (Resource::Organizations, 5),
        (Resource::OrganizationMemberships, 50),
    ] {
        let page = world.api_page(resource);
        assert_eq!(page.objects.len(), count);
        assert!(
            page.objects
                .iter()
                .all(|object| object["created_at"].as_i64().unwrap() <= now_ms)
        );
    }
    let memberships = world.api_page(Resource::OrganizationMemberships).objects;
    let pairs: BTreeSet<(String, String)> = memberships
        .iter()
        .map(|membership| {
            (
                membership["organization"]["id"].to_string(),
                membership["public_user_data"]["user_id"].to_string(),
            )
        })
        .collect();
    assert_eq!(pairs.len(), 50, "nobody is a member twice");
}

#[test]
fn no_event_tells_of_them_until_something_happens_to_them() {
    let mut world = settled(3);
    let before: BTreeSet<String> = world.facts(Resource::Users).map(|(id, _)| id).collect();
    let events = world.run(400);
    let (mut settlers, mut newcomers) = (0, 0);
    for event in &events {
        let id = event.envelope()["data"]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        match event.event_type.as_str() {
            "user.created" if event.envelope()["instance_id"] != "ins_of_somebody_else" => {
                assert!(!before.contains(&id));
                newcomers += 1;
            }
            "user.updated" | "user.deleted" => settlers += usize::from(before.contains(&id)),
            _ => {}
        }
    }
    assert!(settlers > 10 && newcomers > 2, "{settlers} {newcomers}");
    assert!(
        before
            .iter()
            .all(|id| world.truth().fact(Resource::Users, id).is_some())
    );
}

#[test]
fn facts_are_the_truth_one_by_one() {
    let mut world = settled(4);
    world.run(300);
    let truth = world.truth();
    for resource in Resource::ALL {
        let facts: Vec<_> = world.facts(resource).collect();
        assert_eq!(facts.len(), truth.of(resource).len());
        assert!(
            facts
                .iter()
                .all(|(id, fact)| truth.fact(resource, id) == Some(fact))
        );
    }
}

#[test]
#[should_panic(expected = "more than")]
fn nobody_is_a_member_twice_even_if_asked_for() {
    World::new(WorldOptions::default()).settle(2, 1, 3);
}
