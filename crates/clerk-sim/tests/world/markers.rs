//! A marker is wherever its person is, and nowhere else.

use clerk_sim::{Resource, Truth, World};
use serde_json::Value;

use crate::life::hostile;

const MARKER: &str = "MARKER7f3a";

fn existing(truth: &Truth) -> Option<&String> {
    truth
        .of(Resource::Users)
        .iter()
        .find(|(_, fact)| fact.exists)
        .map(|(id, _)| id)
}

#[test]
fn every_personal_field_has_it() {
    let mut world = World::new(hostile(6));
    world.run(20);
    let user_id = existing(&world.truth()).unwrap().clone();
    let events = world.plant_marker(&user_id, MARKER);
    assert_eq!((events.len(), events[0].event_type.as_str()), (1, "user.updated"));
    let envelope = events[0].envelope();
    let user = &envelope["data"];
    assert_eq!(user["id"], *user_id);
    let marked = |value: &Value| value.to_string().contains(MARKER);
    for field in [
        "first_name",
        "last_name",
        "username",
        "external_id",
        "image_url",
        "public_metadata",
        "private_metadata",
        "unsafe_metadata",
    ] {
        assert!(marked(&user[field]), "{field}");
    }
    for (list, field) in [
        ("email_addresses", "email_address"),
        ("phone_numbers", "phone_number"),
        ("external_accounts", "first_name"),
    ] {
        let elements = user[list].as_array().unwrap();
        assert!(
            !elements.is_empty() && elements.iter().all(|element| marked(&element[field])),
            "{list}"
        );
    }
    assert!(world.plant_marker("user_nobody", MARKER).is_empty());
}

#[test]
fn it_goes_with_its_person_until_the_end() {
    let (mut places, mut deleted) = (std::collections::BTreeSet::new(), 0);
    for seed in 0..40 {
        let mut world = World::new(hostile(seed));
        world.run(10);
        let Some(user_id) = existing(&world.truth()).cloned() else {
            continue;
        };
        let mut events = world.plant_marker(&user_id, MARKER);
        events.append(&mut world.run(150));
        for event in &events {
            let data = &event.envelope()["data"];
            let about = |person: &Value, id: &str| person[id] == *user_id;
            let named = about(data, "id") && event.event_type == "user.updated";
            if named {
                for field in [
                    "first_name",
                    "last_name",
                    "username",
                    "public_metadata",
                    "private_metadata",
                ] {
                    assert!(data[field].to_string().contains(MARKER), "{field}");
                }
            }
            for (place, id) in [
                ("public_user_data", "user_id"),
                ("public_inviter_data", "user_id"),
                ("user", "id"),
                ("payer", "user_id"),
            ] {
                if about(&data[place], id) {
                    assert!(data[place].to_string().contains(MARKER), "{place}");
                    places.insert(place);
                }
            }
            if data["latest_activity"].is_object() && about(data, "user_id") {
                assert!(data["latest_activity"]["city"].to_string().contains(MARKER));
                places.insert("latest_activity");
            }
            if event.event_type == "email.created" || event.event_type == "sms.created" {
                assert_eq!(event.body.contains(MARKER), about(data, "user_id"));
                places.insert("message");
            }
            deleted += usize::from(event.event_type == "user.deleted" && about(data, "id"));
        }
        let truth = world.truth();
        let other = truth
            .of(Resource::Users)
            .iter()
            .find(|(id, fact)| **id != user_id && fact.object.to_string().contains(MARKER));
        assert_eq!(other, None);
    }
    assert_eq!(places.len(), 6, "{places:?}");
    assert!(deleted > 5, "{deleted}");
}
