//! `starting_after`, which only people have.

use clerk_sim::{Activity, World, WorldOptions};

use crate::client::{Scene, text};

fn people() -> Scene {
    let scene = Scene::new();
    let mut world = World::new(WorldOptions {
        users: 23..=60,
        activities: vec![Activity::People],
        ..WorldOptions::default()
    });
    (0..200).for_each(|_| drop(world.step()));
    scene.clerk.set_world(world);
    scene
}

/// Walks the list, calling something after each page.
fn walk(scene: &Scene, order: &str, mut between: impl FnMut()) -> Vec<String> {
    let (mut walked, mut after) = (Vec::new(), String::new());
    loop {
        let page = scene.ids(&format!("/users?limit=5{order}{after}"));
        let is_last = page.len() < 5;
        if let Some(last) = page.last() {
            after = format!("&starting_after={last}");
        }
        walked.extend(page);
        if is_last {
            return walked;
        }
        between();
    }
}

#[test]
fn a_cursor_walks_the_whole_list_either_way() {
    let scene = people();
    let newest_first = scene.ids("/users?limit=500");
    assert_eq!(walk(&scene, "", || ()), newest_first);
    assert_eq!(walk(&scene, "&order_by=-created_at", || ()), newest_first);
    let oldest_first: Vec<String> = newest_first.into_iter().rev().collect();
    assert_eq!(walk(&scene, "&order_by=created_at", || ()), oldest_first);
    assert_eq!(walk(&scene, "&order_by=%2Bcreated_at", || ()), oldest_first);
    let banned = scene.ids("/users?limit=500&banned=true&order_by=created_at");
    assert_eq!(walk(&scene, "&banned=true&order_by=created_at", || ()), banned);
}

#[test]
fn a_cursor_misses_nobody_who_stays() {
    let scene = people();
    scene.clerk.change_api(|api| api.follow_deleted_cursor = true);
    let before = scene.ids("/users?limit=500");
    let walked = walk(&scene, "&order_by=created_at", || {
        let mut world = scene.clerk.world();
        (0..6).for_each(|_| drop(world.step()));
    });
    let after = scene.ids("/users?limit=500");
    let stayed: Vec<&String> = before.iter().filter(|id| after.contains(id)).collect();
    assert!(stayed.len() < before.len(), "somebody went");
    assert!(stayed.iter().all(|id| walked.contains(id)));
    let mut once = walked.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), walked.len(), "nobody is seen twice");
}

#[test]
fn what_clerk_refuses_is_refused() {
    let scene = people();
    let id = scene.ids("/users?limit=1").remove(0);
    let refused = (422, "form_param_value_invalid".to_owned());
    for query in [
        "order_by=updated_at",
        "order_by=-updated_at",
        "order_by=first_name",
        "offset=1",
        "offset=10&order_by=created_at",
    ] {
        let answer = scene.get(&format!("/users?starting_after={id}&{query}"));
        assert_eq!(answer.error(), refused, "{query}");
    }
    assert_eq!(
        scene.get(&format!("/users?starting_after={id}&offset=0")).status,
        200
    );
    let nobody = scene.get("/users?starting_after=user_nobody");
    assert_eq!(nobody.error(), (422, "form_resource_not_found".to_owned()));
}

/// Nobody outside Clerk knows what the cursor of a deleted person does, so it can be either.
#[test]
fn the_cursor_of_somebody_deleted_is_refused_or_followed() {
    let scene = people();
    let before = scene.ids("/users?limit=500&order_by=created_at");
    let gone = loop {
        let event = scene.clerk.world().step().remove(0);
        if event.event_type == "user.deleted" {
            break text(&event.envelope()["data"]["id"]);
        }
    };
    let path = format!("/users?limit=500&order_by=created_at&starting_after={gone}");
    assert_eq!(
        scene.get(&path).error(),
        (422, "form_resource_not_found".to_owned())
    );

    scene.clerk.change_api(|api| api.follow_deleted_cursor = true);
    let followed = scene.ids(&path);
    if let Some(at) = before.iter().position(|id| *id == gone) {
        let now = scene.ids("/users?limit=500");
        let expected: Vec<&String> = before[at + 1..].iter().filter(|id| now.contains(id)).collect();
        assert!(expected.iter().all(|id| followed.contains(id)));
        assert!(before[..at].iter().all(|id| !followed.contains(id)));
    }
    let newest_first = scene.ids(&format!("/users?limit=500&starting_after={gone}"));
    let mut both: Vec<String> = followed.into_iter().chain(newest_first).collect();
    both.sort();
    let mut all = scene.ids("/users?limit=500");
    all.sort();
    assert_eq!(both, all, "everybody is on one side of it");
}

#[test]
fn other_lists_have_no_cursor() {
    let scene = Scene::after(300);
    let all = scene.ids("/organizations?limit=500");
    assert_eq!(
        scene.ids(&format!("/organizations?limit=500&starting_after={}", all[0])),
        all
    );
}
