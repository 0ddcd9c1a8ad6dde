//! What happens while somebody reads.

use clerk_sim::Resource;

use crate::client::Scene;

#[test]
fn requests_are_noted() {
    let scene = Scene::after(20);
    scene.get("/users?limit=3");
    scene.get("/users?limit=0");
    scene.get("/organizations");
    scene.clerk.api_fault(clerk_sim::ApiFault::NotFound);
    scene.get("/organizations");
    let counts = scene.clerk.api_counts();
    assert_eq!(
        (counts["/users"], counts["/organizations"], counts.len()),
        (2, 2, 2)
    );
    let requests = scene.clerk.api_requests();
    let noted: Vec<(&str, &str, u16)> = requests
        .iter()
        .map(|request| (request.path.as_str(), request.query.as_str(), request.status))
        .collect();
    assert_eq!(
        noted,
        [
            ("/users", "limit=3", 200),
            ("/users", "limit=0", 422),
            ("/organizations", "", 200),
            ("/organizations", "", 404)
        ]
    );
    assert_eq!(requests[3].fault, Some(clerk_sim::ApiFault::NotFound));
    assert!(requests.iter().all(|request| request.method == "GET"));
}

#[test]
fn the_world_lives_on_after_every_few_requests() {
    let scene = Scene::after(100);
    scene.clerk.keep_living(2, 3);
    let before = scene.clerk.world().truth();
    scene.get("/users");
    assert_eq!(scene.clerk.world().truth(), before);
    assert!(scene.clerk.take_events().is_empty());
    scene.get("/users");
    let events = scene.clerk.take_events();
    assert!(events.len() >= 3);
    assert_ne!(scene.clerk.world().truth(), before);
    assert!(scene.clerk.take_events().is_empty(), "they are handed out once");
    scene.clerk.keep_living(0, 0);
    scene.get("/users");
    scene.get("/users");
    assert!(scene.clerk.take_events().is_empty());
}

#[test]
fn a_test_can_change_the_world_between_pages() {
    let scene = Scene::after(100);
    let first = scene.ids("/users?limit=1&order_by=created_at").remove(0);
    let wanted = first.clone();
    scene.clerk.after_each_request(move |request, world| {
        assert_eq!(request.status, 200);
        while world.api_object(Resource::Users, &wanted).is_some() {
            world.step();
        }
    });
    // It is listed once more, and gone when that answer has come.
    assert_eq!(
        scene.ids("/users?limit=1&order_by=created_at"),
        std::slice::from_ref(&first)
    );
    assert_ne!(scene.ids("/users?limit=1&order_by=created_at"), [first]);
}

#[test]
fn events_can_be_fetched_while_the_world_is_held() {
    let scene = Scene::after(10);
    let mut world = scene.clerk.world();
    world.step();
    assert!(scene.clerk.take_events().is_empty());
}
