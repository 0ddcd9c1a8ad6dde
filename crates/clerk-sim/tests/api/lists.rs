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
                *object,
                told(resource, &truth.fact(resource, &id).unwrap().object),
                "{id}"
            );
        }
    }
}

/// What the API shows of what an event shows.
fn told(resource: Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if resource == Resource::Users {
        object.as_object_mut().unwrap().remove("scim");
    }
    object
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
    let is_free = |item: &Value| item["plan"]["amount"] == 0;
    let expected: Vec<&Value> = all.iter().filter(|item| !is_free(item)).collect();
    assert_eq!(paid["data"], json!(expected));
    assert!(expected.len() < all.len() && !expected.is_empty());
    assert!(all.is_sorted_by(|a, b| a["created_at"].as_i64() >= b["created_at"].as_i64()));

    let active = scene.page("/billing/subscription_items?include_free=true&status=active&limit=500");
    assert!(!active.is_empty() && active.iter().all(|item| item["status"] == "active"));
    let of_organizations =
        scene.page("/billing/subscription_items?include_free=true&payer_type=org&limit=500");
    assert!(
        !of_organizations.is_empty() && of_organizations.iter().all(|item| item["payer"]["user_id"] == "")
    );

    let payer = text(&of_organizations[0]["payer"]["organization_id"]);
    let answer = scene.get(&format!("/organizations/{payer}/billing/subscription"));
    match scene.get(&format!("/organizations/{payer}")).status {
        200 => assert_eq!(answer.json()["payer"]["organization_id"], *payer),
        _ => assert_eq!(answer.status, 404),
    }
    let mut statuses = BTreeSet::new();
    for user in scene.ids("/users?limit=500") {
        let answer = scene.get(&format!("/users/{user}/billing/subscription"));
        match answer.status {
            200 => assert_eq!(answer.json()["payer"]["user_id"], *user),
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
