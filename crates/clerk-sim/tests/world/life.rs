//! What holds of every life.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clerk_sim::{Activity, Adversity, Event, Resource, World, WorldOptions};
use serde_json::Value;

use crate::model::Model;

pub fn hostile(seed: u64) -> WorldOptions {
    WorldOptions {
        seed,
        users: 1..=6,
        organizations: 3,
        adversity: Adversity::hostile(),
        ..WorldOptions::default()
    }
}

#[test]
fn a_seed_gives_one_life_and_another_seed_another() {
    let live = |seed| {
        let mut world = World::new(hostile(seed));
        (world.run(300), world.truth())
    };
    assert_eq!(live(3), live(3));
    assert_ne!(live(3).0, live(4).0);
}

#[test]
fn whoever_hears_every_event_in_order_knows_the_truth() {
    let mut compared = 0;
    for seed in 0..300 {
        let mut world = World::new(hostile(seed));
        let events = world.run(1 + seed as usize);
        compared += Model::replay(&events).agrees_with(&world.truth());
    }
    let mut calm = World::new(WorldOptions::default());
    let events = calm.run(3_000);
    compared += Model::replay(&events).agrees_with(&calm.truth());
    assert!(compared > 5_000, "{compared}");
}

#[test]
fn time_never_goes_back() {
    let mut world = World::new(hostile(1));
    let events = world.run(3_000);
    assert!(events.is_sorted_by_key(|event| event.timestamp_ms));
    assert!(events.last().unwrap().timestamp_ms <= world.now_ms());
    let mut versions: HashMap<String, i64> = HashMap::new();
    for event in &events {
        let envelope = event.envelope();
        let timestamp = envelope["timestamp"].as_i64().unwrap();
        let data = &envelope["data"];
        if let (Some(id), Some(updated_at)) = (data["id"].as_str(), data["updated_at"].as_i64()) {
            assert!(updated_at <= event.timestamp_ms);
            let before = versions.insert(id.to_owned(), updated_at);
            assert!(before.is_none_or(|before| before <= updated_at), "{id}");
        }
        if timestamp < 100_000_000_000 {
            assert_eq!(timestamp * 1000, event.timestamp_ms, "nothing is lost in seconds");
        } else {
            assert_eq!(timestamp, event.timestamp_ms);
        }
    }
}

#[test]
fn without_adversity_nothing_is_ambiguous_or_silent() {
    let mut world = World::new(WorldOptions::default());
    world.run(3_000);
    let truth = world.truth();
    assert!(
        truth
            .resources
            .values()
            .flat_map(BTreeMap::values)
            .all(|fact| !fact.ambiguous)
    );
    let ended = truth.of(Resource::OrganizationMemberships).values();
    assert!(
        ended
            .filter(|fact| !fact.exists)
            .all(|fact| fact.deleted_at_ms.is_some())
    );
}

/// A thing is ambiguous exactly if two of its states were shown with its last `updated_at` and event time.
#[test]
fn ambiguous_is_what_two_events_tell_with_equal_times() {
    let mut world = World::new(WorldOptions {
        activities: vec![Activity::Organizations],
        ..hostile(9)
    });
    let events = world.run(6_000);
    let mut last: HashMap<String, (i64, i64, BTreeSet<String>)> = HashMap::new();
    let mut hear = |organization: &Value, at_ms: i64| {
        let id = organization["id"].as_str().unwrap().to_owned();
        let updated_at = organization["updated_at"].as_i64().unwrap();
        let states = last.entry(id).or_default();
        if (updated_at, at_ms) > (states.0, states.1) {
            *states = (updated_at, at_ms, BTreeSet::new());
        }
        states.2.insert(organization.to_string());
    };
    for event in &events {
        let data = &event.envelope()["data"];
        match event.event_type.as_str() {
            "organization.created" | "organization.updated" => hear(data, event.timestamp_ms),
            name if name.starts_with("organizationMembership.") => {
                hear(&data["organization"], event.timestamp_ms);
            }
            _ => {}
        }
    }
    let truth = world.truth();
    let mut ambiguous = 0;
    for (id, fact) in truth.of(Resource::Organizations) {
        assert_eq!(fact.ambiguous, last[id].2.len() > 1, "{id}");
        ambiguous += usize::from(fact.ambiguous);
    }
    assert!(ambiguous > 5, "{ambiguous}");
}

/// The histories that make a mirror stumble occur, and often.
#[test]
fn hard_histories_are_common() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..200 {
        let mut world = World::new(hostile(seed));
        let events = world.run(30);
        let truth = world.truth();
        let mut count = |what, condition: bool| *seen.entry(what).or_default() += usize::from(condition);
        count(
            "ambiguous",
            truth
                .resources
                .values()
                .flat_map(BTreeMap::values)
                .any(|fact| fact.ambiguous),
        );
        count(
            "silent end",
            truth
                .of(Resource::OrganizationMemberships)
                .values()
                .any(|fact| !fact.exists && fact.deleted_at_ms.is_none()),
        );
        count("rejoin", rejoins(&events));
        count(
            "deleted in the millisecond of its update",
            truth
                .of(Resource::Users)
                .values()
                .any(|fact| fact.deleted_at_ms == Some(fact.updated_at_ms)),
        );
        count("still updated_at", still(&events));
        count(
            "one millisecond",
            events
                .windows(2)
                .any(|pair| pair[0].timestamp_ms == pair[1].timestamp_ms),
        );
        for (what, text) in [
            ("escapes", "\\ud83d"),
            ("nameless", r#"{"deleted":true,"object""#),
            ("comet", "comet"),
        ] {
            count(what, events.iter().any(|event| event.body.contains(text)));
        }
    }
    for (what, times) in &seen {
        assert!(*times >= 4, "{what}: {times} of 200");
    }
    assert_eq!(seen.len(), 9);
}

fn rejoins(events: &[Event]) -> bool {
    let mut members = BTreeSet::new();
    events
        .iter()
        .filter(|event| event.event_type == "organizationMembership.created")
        .map(|event| event.envelope()["data"].take())
        .any(|data| {
            let of = |field: &str, id: &str| data[field][id].as_str().unwrap().to_owned();
            !members.insert((of("organization", "id"), of("public_user_data", "user_id")))
        })
}

fn still(events: &[Event]) -> bool {
    let mut last: HashMap<String, Value> = HashMap::new();
    events
        .iter()
        .filter(|event| event.event_type == "user.updated")
        .map(|event| event.envelope()["data"].take())
        .any(|user| {
            let before = last.insert(user["id"].to_string(), user.clone());
            before.is_some_and(|before| before["updated_at"] == user["updated_at"] && before != user)
        })
}

/// Members that the API shows in another form than events.
const OF_ANOTHER_SHAPE: &[&str] = &["object", "plan", "payer"];

fn ids(list: &Value) -> Vec<&Value> {
    list.as_array().unwrap().iter().map(|part| &part["id"]).collect()
}

/// The API shows what events show, apart from what only one of them carries, at a moment between events.
#[test]
fn the_api_agrees_with_events() {
    let mut world = World::new(hostile(2));
    for _ in 0..50 {
        let before = world.run(20).last().unwrap().timestamp_ms;
        for resource in Resource::ALL {
            let page = world.api_page(resource);
            let truth = world.truth();
            let existing: Vec<_> = truth.of(resource).values().filter(|fact| fact.exists).collect();
            assert_eq!(page.objects.len(), existing.len());
            assert!(page.observed_at_ms > before && page.observed_at_ms < world.now_ms());
            for object in &page.objects {
                let id = object["id"].as_str().unwrap();
                assert_eq!(world.api_object(resource, id).as_ref(), Some(object));
                let told = &truth.fact(resource, id).unwrap().object;
                let shown = object.as_object().unwrap();
                let both = shown.iter().filter(|(name, _)| told.get(name.as_str()).is_some());
                for (name, value) in both.filter(|(name, _)| !OF_ANOTHER_SHAPE.contains(&name.as_str())) {
                    assert_eq!(&told[name], value, "{resource} {name}");
                }
                let says = |member: &str, same: &str| assert_eq!(object[member], told[same], "{id}");
                match resource {
                    Resource::Subscriptions => {
                        assert_eq!(ids(&object["subscription_items"]), ids(&told["items"]));
                    }
                    Resource::SubscriptionItems => {
                        says("plan_period", "interval");
                        assert_eq!(object["payer_id"], told["payer"]["id"]);
                    }
                    Resource::PaymentAttempts => {
                        assert_eq!(object["payer_id"], told["payer"]["id"]);
                        assert_eq!(object["amount"], told["totals"]["grand_total"]);
                    }
                    _ => {}
                }
            }
        }
    }
    assert_eq!(world.api_object(Resource::Users, "user_nobody"), None);
}

#[test]
fn a_truth_survives_its_journey_as_json() {
    let mut world = World::new(hostile(5));
    world.run(200);
    let truth = world.truth();
    let json = serde_json::to_string(&truth).unwrap();
    assert!(json.starts_with(r#"{"users":{"user_"#));
    assert_eq!(serde_json::from_str::<clerk_sim::Truth>(&json).unwrap(), truth);
}

/// What is there is what was not deleted, and neither was whom it belongs to.
#[test]
fn nothing_outlives_its_person_or_organization() {
    let mut silent = BTreeMap::new();
    for seed in 0..60 {
        let mut world = World::new(hostile(seed));
        world.run(200);
        let truth = world.truth();
        let exists = |resource, id: &Value| truth.fact(resource, id.as_str().unwrap()).unwrap().exists;
        for resource in Resource::ALL {
            for (id, fact) in truth.of(resource) {
                let object = &fact.object;
                let owners_exist = match resource {
                    Resource::OrganizationMemberships => {
                        exists(Resource::Users, &object["public_user_data"]["user_id"])
                            && exists(Resource::Organizations, &object["organization"]["id"])
                    }
                    Resource::Sessions => exists(Resource::Users, &object["user_id"]),
                    Resource::OrganizationInvitations | Resource::OrganizationDomains => {
                        exists(Resource::Organizations, &object["organization_id"])
                    }
                    _ => true,
                };
                assert_eq!(
                    fact.exists,
                    fact.deleted_at_ms.is_none() && owners_exist,
                    "{resource} {id}"
                );
                if fact.deleted_at_ms.is_none() && !owners_exist {
                    *silent.entry(resource).or_insert(0) += 1;
                }
            }
        }
    }
    assert!(
        silent.len() == 4 && silent.values().all(|times| *times > 10),
        "{silent:?}"
    );
}
