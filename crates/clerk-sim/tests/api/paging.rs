//! Limits, offsets and orders.

use std::collections::BTreeSet;

use clerk_sim::{Activity, World, WorldOptions};

use crate::client::{Scene, text};

/// A world of people only, so many at least.
fn people(users: usize, steps: usize) -> Scene {
    let scene = Scene::new();
    let mut world = World::new(WorldOptions {
        users: users..=users * 2,
        activities: vec![Activity::People],
        ..WorldOptions::default()
    });
    (0..steps).for_each(|_| drop(world.step()));
    scene.clerk.set_world(world);
    scene
}

#[test]
fn ten_are_shown_unless_more_are_asked_for_and_never_more_than_500() {
    let scene = people(510, 510);
    assert_eq!(scene.page("/users").len(), 10);
    assert_eq!(scene.page("/users?limit=1").len(), 1);
    assert_eq!(scene.page("/users?limit=500").len(), 500);
    let refused = (422, "form_param_value_invalid".to_owned());
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "limit=",
        "offset=-1",
        "offset=x",
    ] {
        for path in ["/users", "/organization_memberships"] {
            let answer = scene.get(&format!("{path}?{query}"));
            assert_eq!(answer.error(), refused, "{path} {query}");
            let name = query.split('=').next().unwrap();
            assert_eq!(answer.json()["errors"][0]["meta"]["param_name"], name);
        }
    }
    assert!(scene.page("/users?offset=510").is_empty());
    assert!(scene.page("/users?offset=18446744073709551615").is_empty());
}

#[test]
fn offsets_and_orders_cut_one_list() {
    let scene = people(60, 300);
    let newest_first = scene.ids("/users?limit=500");
    assert!(newest_first.len() >= 60);
    let mut oldest_first = newest_first.clone();
    oldest_first.reverse();
    for (query, expected) in [
        ("", &newest_first),
        ("&order_by=-created_at", &newest_first),
        ("&order_by=created_at", &oldest_first),
        ("&order_by=%2Bcreated_at", &oldest_first),
    ] {
        let mut walked = Vec::new();
        loop {
            let offset = walked.len();
            let mut page = scene.ids(&format!("/users?limit=7&offset={offset}{query}"));
            let is_last = page.len() < 7;
            walked.append(&mut page);
            if is_last {
                break;
            }
        }
        assert_eq!(walked, *expected, "{query}");
    }
    let created: Vec<i64> = scene
        .page("/users?limit=500&order_by=created_at")
        .iter()
        .map(|user| user["created_at"].as_i64().unwrap())
        .collect();
    assert!(created.is_sorted());
}

/// What is incremental about a reconciliation stands on this order.
#[test]
fn people_are_ordered_by_their_last_change() {
    let scene = people(40, 400);
    let users = scene.page("/users?limit=500&order_by=-updated_at");
    let updated = |user: &serde_json::Value| user["updated_at"].as_i64().unwrap();
    assert!(users.is_sorted_by(|a, b| updated(a) >= updated(b)));
    let created: Vec<String> = scene.ids("/users?limit=500");
    assert_ne!(
        users.iter().map(|user| text(&user["id"])).collect::<Vec<_>>(),
        created
    );
    assert_eq!(
        scene.page("/users?limit=5&offset=3&order_by=-updated_at"),
        users[3..8]
    );
    let mut ascending = scene.page("/users?limit=500&order_by=updated_at");
    ascending.reverse();
    assert_eq!(ascending, users);

    // Whoever changes now comes first.
    let event = scene.clerk.world().step().pop().unwrap();
    if event.event_type != "user.deleted" {
        let first = scene.ids("/users?limit=1&order_by=-updated_at").remove(0);
        assert_eq!(event.envelope()["data"]["id"], *first);
    }
}

#[test]
fn other_orders_are_by_text_or_time() {
    let scene = Scene::after(1_500);
    for (path, order, field) in [
        ("/users", "first_name", "first_name"),
        ("/users", "last_sign_in_at", "last_sign_in_at"),
        ("/organizations", "name", "name"),
        ("/organization_roles", "key", "key"),
        ("/organization_domains", "name", "name"),
        ("/invitations", "email_address", "email_address"),
    ] {
        let objects = scene.page(&format!("{path}?limit=500&order_by={order}"));
        let keys: Vec<(bool, i64, String)> = objects
            .iter()
            .map(|object| {
                let value = &object[field];
                (
                    value.is_null(),
                    value.as_i64().unwrap_or(0),
                    value.as_str().unwrap_or("").to_owned(),
                )
            })
            .collect();
        assert!(keys.len() > 2 && keys.is_sorted(), "{path} {order}");
    }
}

#[test]
fn an_order_that_clerk_has_not_is_refused() {
    let scene = people(2, 2);
    let refused = (422, "form_param_value_invalid".to_owned());
    for (path, order) in [
        ("/users", "name"),
        // In a URL, a plus is a space.
        ("/users", "+created_at"),
        ("/users", "--created_at"),
        ("/users", ""),
        ("/organizations", "updated_at"),
        ("/organization_memberships", "updated_at"),
        ("/organization_roles", "updated_at"),
    ] {
        let answer = scene.get(&format!("{path}?order_by={order}"));
        assert_eq!(answer.error(), refused, "{path} {order}");
    }
    // What Clerk can and the simulator cannot is not passed over.
    assert_eq!(scene.get("/organizations?order_by=members_count").status, 501);
    assert_eq!(scene.get("/users?query=ada").status, 501);
}

/// Whoever walks by offset while somebody earlier goes does not see everybody.
#[test]
fn a_deletion_lets_an_offset_walk_skip_a_row() {
    let scene = people(30, 30);
    let before: BTreeSet<String> = scene.ids("/users?limit=500").into_iter().collect();
    let first = scene.ids("/users?limit=10&order_by=created_at");
    let mut gone = BTreeSet::new();
    while gone.is_disjoint(&first.iter().cloned().collect()) {
        for event in scene.clerk.world().step() {
            if event.event_type == "user.deleted" {
                gone.insert(text(&event.envelope()["data"]["id"]));
            }
        }
    }
    let rest = scene.ids("/users?limit=500&offset=10&order_by=created_at");
    let seen: BTreeSet<String> = first.iter().chain(&rest).cloned().collect();
    let missed = before.difference(&seen).filter(|id| !gone.contains(*id)).count();
    let shifted = gone.iter().filter(|id| first.contains(id)).count();
    assert_eq!(missed, shifted, "a row for each that went from the page before");
}
