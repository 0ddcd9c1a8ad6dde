//! Every list shows what exists, in the form that Clerk's specification gives it.

use std::collections::BTreeSet;

use clerk_sim::Resource;
use serde_json::{Value, json};

use crate::client::{Scene, text};

/// Path, what it lists, and whether it is an array without a count.
const LISTS: [(&str, Resource, bool); 9] = [
    ("/users", Resource::Users, true),
    ("/organizations", Resource::Organizations, false),
    (
        "/organization_memberships",
        Resource::OrganizationMemberships,
        false,
    ),
    (
        "/organization_invitations",
        Resource::OrganizationInvitations,
        false,
    ),
    ("/organization_domains", Resource::OrganizationDomains, false),
    ("/organization_roles", Resource::Roles, false),
    ("/organization_permissions", Resource::Permissions, false),
    ("/waitlist_entries", Resource::WaitlistEntries, false),
    ("/invitations", Resource::Invitations, true),
];

#[test]
fn lists_show_what_exists_in_their_form() {
    let scene = Scene::after(1_500);
    for (path, resource, is_bare) in LISTS {
        let answer = scene.get(&format!("{path}?limit=500"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/json");
        let body = answer.json();
        let objects = if is_bare { &body } else { &body["data"] };
        let objects = objects.as_array().unwrap_or_else(|| panic!("{path}: {body}"));

        let truth = scene.clerk.world().truth();
        let existing: BTreeSet<&String> = truth
            .of(resource)
            .iter()
            .filter(|(_, fact)| fact.exists)
            .map(|(id, _)| id)
            .collect();
        assert!(existing.len() > 2, "{path}");
        if !is_bare {
            assert_eq!(body["total_count"], existing.len(), "{path}");
            assert_eq!(body.as_object().unwrap().len(), 2, "{path}");
        }
        let listed: Vec<String> = objects.iter().map(|object| text(&object["id"])).collect();
        assert_eq!(listed.len(), existing.len(), "{path}: nothing twice");
        assert!(listed.iter().all(|id| existing.contains(id)), "{path}");
        for object in objects {
            let id = text(&object["id"]);
            assert_eq!(
                Some(object),
                scene.clerk.world().api_object(resource, &id).as_ref(),
                "{id}"
            );
        }
    }
}

#[test]
fn invitations_are_counted_when_asked() {
    let scene = Scene::after(1_500);
    let bare = scene.page("/invitations?limit=500");
    let counted = scene.get("/invitations?limit=2&paginated=true").json();
    assert_eq!(counted["total_count"], bare.len());
    assert_eq!(counted["data"].as_array().unwrap()[..], bare[..2]);
    assert_eq!(scene.get("/invitations?paginated=false").json()[0], bare[0]);
}

#[test]
fn people_are_counted() {
    let scene = Scene::after(700);
    let people = scene.page("/users?limit=500");
    let count = scene.get("/users/count").json();
    assert_eq!(
        count,
        json!({ "object": "total_count", "total_count": people.len() })
    );
    let banned = people.iter().filter(|user| user["banned"] == true).count();
    assert!(banned > 0);
    assert_eq!(
        scene.get("/users/count?banned=true").json()["total_count"],
        banned
    );
    assert_eq!(scene.page("/users?banned=true&limit=500").len(), banned);
}

#[test]
fn one_thing_is_found_by_its_id() {
    let scene = Scene::after(700);
    for (path, kind) in [
        ("/users", "user"),
        ("/organizations", "organization"),
        ("/organization_roles", "role"),
        ("/organization_permissions", "permission"),
    ] {
        let object = scene.page(&format!("{path}?limit=1")).remove(0);
        assert_eq!(object["object"], kind);
        let id = text(&object["id"]);
        assert_eq!(scene.get(&format!("{path}/{id}")).json(), object);
        let missing = scene.get(&format!("{path}/{kind}_nobody"));
        assert_eq!(missing.error(), (404, "resource_not_found".to_owned()), "{path}");
    }
    let deleted = {
        let truth = scene.clerk.world().truth();
        let gone = truth.of(Resource::Users).iter().find(|(_, fact)| !fact.exists);
        gone.unwrap().0.clone()
    };
    assert_eq!(scene.get(&format!("/users/{deleted}")).status, 404);
}

#[test]
fn memberships_of_one_side_are_those_of_the_whole_list() {
    let scene = Scene::after(1_000);
    let all = scene.page("/organization_memberships?limit=500&order_by=created_at");
    let of = |field: &str, id_field: &str, id: &str| -> Vec<Value> {
        let its = all.iter().filter(|membership| membership[field][id_field] == id);
        its.cloned().collect()
    };
    let mut several = 0;
    for id in scene.ids("/organizations?limit=500") {
        let path = format!("/organizations/{id}/memberships?limit=500&order_by=created_at");
        let answer = scene.get(&path).json();
        let expected = of("organization", "id", &id);
        several += usize::from(expected.len() > 1);
        assert_eq!(answer["total_count"], expected.len());
        assert_eq!(answer["data"], json!(expected));
    }
    assert!(several > 0);
    for id in scene.ids("/users?limit=500") {
        let path = format!("/users/{id}/organization_memberships?limit=500");
        let mut expected = of("public_user_data", "user_id", &id);
        expected.reverse();
        assert_eq!(scene.page(&path), expected, "newest first");
    }
    for path in [
        "/organizations/org_nobody/memberships",
        "/organizations/org_nobody/invitations",
        "/users/user_nobody/organization_memberships",
    ] {
        assert_eq!(scene.get(path).error(), (404, "resource_not_found".to_owned()));
    }
}

#[test]
fn items_leave_out_what_is_free_and_payers_have_their_newest_subscription() {
    let scene = Scene::after(1_500);
    let all = scene.page("/billing/subscription_items?include_free=true&limit=500");
    let paid = scene.get("/billing/subscription_items?limit=500").json();
    assert_eq!(paid["total_count"], paid["data"].as_array().unwrap().len());
    let is_free = |item: &Value| item["plan"]["fee"]["amount"] == 0;
    let expected: Vec<&Value> = all.iter().filter(|item| !is_free(item)).collect();
    assert_eq!(paid["data"], json!(expected));
    assert!(expected.len() < all.len() && !expected.is_empty());
    assert!(all.is_sorted_by(|a, b| a["created_at"].as_i64() >= b["created_at"].as_i64()));

    let active = scene.page("/billing/subscription_items?include_free=true&status=active&limit=500");
    assert!(!active.is_empty() && active.iter().all(|item| item["status"] == "active"));
    let of_organizations =
        scene.page("/billing/subscription_items?include_free=true&payer_type=org&limit=500");
    assert!(
        !of_organizations.is_empty()
            && of_organizations
                .iter()
                .all(|item| item["payer"].get("user_id").is_none())
    );

    let item = of_organizations
        .iter()
        .find(|item| item["payer"].is_object())
        .unwrap();
    let payer = text(&item["payer"]["organization_id"]);
    let answer = scene.get(&format!("/organizations/{payer}/billing/subscription"));
    match scene.get(&format!("/organizations/{payer}")).status {
        200 => assert_eq!(answer.json()["payer_id"], item["payer_id"]),
        _ => assert_eq!(answer.status, 404),
    }
    let mut statuses = BTreeSet::new();
    for user in scene.ids("/users?limit=500") {
        let answer = scene.get(&format!("/users/{user}/billing/subscription"));
        match answer.status {
            200 => assert!(text(&answer.json()["payer_id"]).starts_with("cpayer_")),
            _ => assert_eq!(answer.error(), (404, "subscription_not_found".to_owned())),
        }
        statuses.insert(answer.status);
    }
    assert_eq!(statuses, BTreeSet::from([200, 404]));
}

#[test]
fn a_path_that_clerk_has_not_is_not_found() {
    let scene = Scene::new();
    for path in ["/user", "/users/a/b", "/billing", "/"] {
        assert_eq!(
            scene.get(path).error(),
            (404, "resource_not_found".to_owned()),
            "{path}"
        );
    }
    assert_eq!(scene.post("/users").status, 404, "nothing is written here");
}

#[test]
fn organizations_count_their_members_if_that_is_asked_for() {
    let scene = Scene::after(1_500);
    let plain = scene.page("/organizations?limit=500");
    assert!(
        plain
            .iter()
            .all(|organization| organization.get("members_count").is_none())
    );
    let counting = scene.page("/organizations?limit=500&include_members_count=true");
    let memberships = scene.page("/organization_memberships?limit=500");
    let mut counts = BTreeSet::new();
    for organization in counting {
        let of_it = memberships
            .iter()
            .filter(|one| one["organization"]["id"] == organization["id"])
            .count();
        assert_eq!(organization["members_count"], of_it, "{organization}");
        let one = scene.get(&format!(
            "/organizations/{}?include_members_count=true",
            text(&organization["id"])
        ));
        assert_eq!(one.json(), organization);
        counts.insert(of_it);
    }
    assert!(counts.len() > 1, "{counts:?}");
}

#[test]
fn attempts_to_pay_are_listed_by_their_statements() {
    let scene = Scene::after(1_500);
    let statements = scene.page("/billing/statements?paginated=true&limit=500");
    assert!(statements.is_sorted_by(|a, b| a["timestamp"].as_i64() >= b["timestamp"].as_i64()));
    let mut listed = BTreeSet::new();
    for statement in &statements {
        assert!(statement["payer"]["id"].is_string(), "{statement}");
        let id = text(&statement["id"]);
        for attempt in scene.page(&format!(
            "/billing/statements/{id}/payment_attempts?paginated=true&limit=500"
        )) {
            assert_eq!(attempt["statement_id"], *id);
            assert!(
                attempt["amount"]["currency"].is_string() && attempt.get("invoice_id").is_none(),
                "{attempt}"
            );
            assert!(listed.insert(text(&attempt["id"])));
        }
    }
    let truth = scene.clerk.world().truth();
    let attempts: BTreeSet<String> = truth.of(Resource::PaymentAttempts).keys().cloned().collect();
    assert!(listed.len() > 5 && listed == attempts, "{listed:?}");
    assert_eq!(
        scene
            .get("/billing/statements/cstmt_none/payment_attempts")
            .status,
        404
    );
}

#[test]
fn sessions_are_listed_by_their_person() {
    let scene = Scene::after(1_500);
    assert_eq!(scene.get("/sessions").status, 422);
    let mut seen = 0;
    for user in scene.ids("/users?limit=500") {
        let answer = scene.get(&format!("/sessions?user_id={user}&limit=500")).json();
        for session in answer.as_array().unwrap() {
            assert!(
                session["user_id"] == *user && session.get("user").is_none(),
                "{session}"
            );
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn ties_change_places_and_nothing_else_does() {
    let scene = Scene::new();
    let mut world = clerk_sim::World::new(clerk_sim::WorldOptions::default());
    world.settle_in_ties(5, 60, 3, 60);
    scene.clerk.set_world(world);
    scene.clerk.change_api(|api| api.shuffle_ties = true);
    let list = || scene.page("/users?limit=500&order_by=%2Bcreated_at");
    let ids = |list: &[Value]| -> Vec<String> { list.iter().map(|user| text(&user["id"])).collect() };
    let (one, other) = (list(), list());
    assert_ne!(ids(&one), ids(&other));
    assert_eq!(
        ids(&one).into_iter().collect::<BTreeSet<_>>(),
        ids(&other).into_iter().collect()
    );
    assert!(
        one.iter()
            .zip(&other)
            .all(|(a, b)| a["created_at"] == b["created_at"])
    );
    // A page without the others is torn out of such a list.
    let first = scene.ids("/users?limit=7&order_by=%2Bcreated_at");
    let rest = scene.ids(&format!(
        "/users?limit=500&order_by=%2Bcreated_at&starting_after={}",
        first[6]
    ));
    assert!(
        first.len() + rest.len() <= 60 + 4,
        "{} {}",
        first.len(),
        rest.len()
    );
}
