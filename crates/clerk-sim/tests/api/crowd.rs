//! A crowd in place of the world.

use std::collections::BTreeSet;

use clerk_sim::{Crowd, CrowdOptions, World, WorldOptions};
use serde_json::Value;

use crate::client::{Scene, text};

fn crowd(drift: u64) -> Scene {
    let scene = Scene::new();
    scene.clerk.set_crowd(Some(Crowd::new(CrowdOptions {
        users: 1_203,
        organizations: 7,
        memberships: 2_000,
        drift,
        ..CrowdOptions::default()
    })));
    scene
}

fn fields(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_cursor_and_an_offset_walk_the_same_crowd() {
    let scene = crowd(0);
    for order in ["created_at", "-created_at"] {
        let (mut by_cursor, mut by_offset, mut after) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = scene.ids(&format!("/users?limit=500&order_by={order}{after}"));
            let offset = by_offset.len();
            by_offset.extend(scene.ids(&format!("/users?limit=500&order_by={order}&offset={offset}")));
            let is_last = page.len() < 500;
            after = format!("&starting_after={}", page.last().unwrap());
            by_cursor.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(by_cursor, by_offset);
        let different: BTreeSet<&String> = by_cursor.iter().collect();
        assert_eq!((by_cursor.len(), different.len()), (1_203, 1_203));
    }
    assert_eq!(scene.get("/users/count").json()["total_count"], 1_203);
    assert_eq!(scene.get("/users?starting_after=user_nobody").status, 422);
    assert_eq!(scene.get("/users?limit=501").status, 422);
}

#[test]
fn its_objects_are_like_the_worlds() {
    let scene = crowd(0);
    let mut world = World::new(WorldOptions::default());
    let mut all_fields = BTreeSet::new();
    for event in world.run(400) {
        if event.event_type == "user.created" {
            let mut user = event.envelope()["data"].take();
            user.as_object_mut().unwrap().remove("scim");
            all_fields = fields(&user);
        }
    }
    let users = scene.page("/users?limit=500&order_by=created_at");
    let size: usize = users.iter().map(|user| user.to_string().len()).sum();
    assert!(
        (2_500..=3_500).contains(&(size / users.len())),
        "{} bytes each",
        size / users.len()
    );
    let mut addresses = BTreeSet::new();
    for user in &users {
        assert_eq!(fields(user), all_fields);
        let primary = &user["primary_email_address_id"];
        let own = user["email_addresses"].as_array().unwrap();
        assert!(own.iter().any(|address| address["id"] == *primary));
        addresses.extend(own.iter().map(|address| text(&address["email_address"])));
        assert!(user["updated_at"].as_i64() >= user["created_at"].as_i64());
        assert!(!user.to_string().contains('<'), "everything is filled in: {user}");
    }
    assert!(addresses.len() >= 1_000, "everybody's are their own");
    let times: Vec<i64> = users
        .iter()
        .map(|user| user["created_at"].as_i64().unwrap())
        .collect();
    assert!(times.is_sorted() && times[0] != times[1]);
    let id = text(&users[9]["id"]);
    assert_eq!(scene.get(&format!("/users/{id}")).json(), users[9]);
    assert_eq!(
        scene.page(&format!("/users?user_id={id}&user_id=user_x")),
        users[9..10]
    );
}

#[test]
fn memberships_are_of_its_people_and_organizations() {
    let scene = crowd(0);
    let organizations: BTreeSet<String> = scene.ids("/organizations?limit=500").into_iter().collect();
    assert_eq!(organizations.len(), 7);
    let mut pairs = BTreeSet::new();
    for offset in (0..2_000).step_by(500) {
        let page = scene.get(&format!(
            "/organization_memberships?limit=500&order_by=created_at&offset={offset}"
        ));
        let page = page.json();
        assert_eq!(page["total_count"], 2_000);
        for membership in page["data"].as_array().unwrap() {
            let organization = text(&membership["organization"]["id"]);
            assert!(organizations.contains(&organization));
            pairs.insert((organization, text(&membership["public_user_data"]["user_id"])));
        }
    }
    assert_eq!(pairs.len(), 2_000, "nobody is a member twice");
    let (organization, user) = pairs.first().unwrap();
    let member = scene.get(&format!("/users/{user}")).json();
    let of_user = scene.page(&format!("/users/{user}/organization_memberships"));
    assert!(
        of_user
            .iter()
            .any(|membership| membership["organization"]["id"] == **organization)
    );
    assert_eq!(of_user[0]["public_user_data"]["first_name"], member["first_name"]);
    assert!(scene.page("/organization_invitations").is_empty());
    assert_eq!(
        scene
            .get(&format!("/organizations/{organization}/memberships"))
            .status,
        501
    );
}

#[test]
fn some_change_while_it_drifts() {
    let still = crowd(0);
    assert_eq!(
        still.get("/users?limit=500").body,
        still.get("/users?limit=500").body
    );

    let scene = crowd(3);
    let before = scene.page("/users?limit=500&order_by=created_at");
    let after = scene.page("/users?limit=500&order_by=created_at");
    let changed = before.iter().zip(&after).filter(|(old, new)| old != new);
    assert!(changed.count() <= 3);
    let latest = scene.page("/users?limit=20&order_by=-updated_at");
    let updated: Vec<i64> = latest
        .iter()
        .map(|user| user["updated_at"].as_i64().unwrap())
        .collect();
    assert!(updated.iter().rev().is_sorted());
    let revised = latest
        .iter()
        .filter(|user| user["unsafe_metadata"]["revision"] != 0)
        .count();
    assert!(
        (7..=12).contains(&revised),
        "three for each of four looks: {revised}"
    );
    let mut all = BTreeSet::new();
    for offset in (0..1_203).step_by(401) {
        all.extend(scene.ids(&format!("/users?limit=401&order_by=created_at&offset={offset}")));
    }
    assert_eq!(all.len(), 1_203);
}

#[test]
fn whoever_changes_twice_is_listed_once() {
    let scene = Scene::new();
    scene.clerk.set_crowd(Some(Crowd::new(CrowdOptions {
        users: 12,
        drift: 6,
        ..CrowdOptions::default()
    })));
    for order in ["-updated_at", "updated_at", "created_at"].repeat(4) {
        let ids: BTreeSet<String> = scene
            .ids(&format!("/users?limit=500&order_by={order}"))
            .into_iter()
            .collect();
        assert_eq!(ids.len(), 12, "{order}");
        assert_eq!(
            scene.ids(&format!("/users?limit=500&order_by={order}")).len(),
            12,
            "{order}"
        );
    }
}

#[test]
fn the_world_comes_back() {
    let scene = Scene::after(50);
    let world = scene.ids("/users");
    scene.clerk.set_crowd(Some(Crowd::new(CrowdOptions::default())));
    assert_eq!(scene.get("/users/count").json()["total_count"], 1_000_000);
    let last = scene.ids("/users?limit=2&order_by=created_at&offset=999999");
    assert_eq!(last.len(), 1, "the far end is as near as the beginning");
    scene.clerk.set_crowd(None);
    assert_eq!(scene.ids("/users"), world);
}

#[test]
fn its_organizations_count_their_members() {
    let scene = crowd(0);
    let mut members = std::collections::BTreeMap::<String, u64>::new();
    for offset in (0..2_000).step_by(500) {
        for one in scene.page(&format!("/organization_memberships?limit=500&offset={offset}")) {
            *members.entry(text(&one["organization"]["id"])).or_default() += 1;
        }
    }
    let organizations = scene.page("/organizations?limit=500&include_members_count=true");
    let counted = organizations
        .iter()
        .map(|one| (text(&one["id"]), one["members_count"].as_u64().unwrap()));
    assert_eq!(counted.collect::<std::collections::BTreeMap<_, _>>(), members);
}
