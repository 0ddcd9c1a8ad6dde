//! Parameters that choose.

use serde_json::Value;

use crate::client::{Scene, text};

#[test]
fn people_are_chosen_by_id_address_and_organization() {
    let scene = Scene::after(900);
    let all = scene.page("/users?limit=500&order_by=created_at");
    let some: Vec<String> = all.iter().step_by(3).map(|user| text(&user["id"])).collect();

    let query: String = some.iter().rev().map(|id| format!("&user_id={id}")).collect();
    let chosen = scene.ids(&format!(
        "/users?limit=500&order_by=created_at{query}&user_id=user_nobody"
    ));
    assert_eq!(chosen, some, "unknown ids are passed over");
    assert_eq!(
        scene.ids(&format!("/users?limit=500&user_id=%2B{}", some[0])),
        some[..1]
    );
    let without = scene.ids(&format!("/users?limit=500&user_id=-{}", some[0]));
    assert!(without.len() == all.len() - 1 && !without.contains(&some[0]));
    let counted = scene.get(&format!("/users/count?user_id={}", some[0])).json();
    assert_eq!(counted["total_count"], 1);

    let user = all
        .iter()
        .find(|user| user["email_addresses"][0].is_object())
        .unwrap();
    let address = text(&user["email_addresses"][0]["email_address"]);
    assert_eq!(
        scene.ids(&format!("/users?email_address={address}")),
        [text(&user["id"])]
    );
    let user = all.iter().find(|user| user["external_id"].is_string()).unwrap();
    let found = scene.ids(&format!("/users?external_id={}", text(&user["external_id"])));
    assert!(found.contains(&text(&user["id"])));

    let membership = scene.page("/organization_memberships?limit=1").remove(0);
    let organization = text(&membership["organization"]["id"]);
    let members = scene.page(&format!("/organizations/{organization}/memberships?limit=500"));
    let mut expected: Vec<String> = members
        .iter()
        .map(|membership| text(&membership["public_user_data"]["user_id"]))
        .collect();
    expected.sort();
    let mut found = scene.ids(&format!("/users?limit=500&organization_id={organization}"));
    found.sort();
    assert_eq!(found, expected);
    let user = text(&membership["public_user_data"]["user_id"]);
    assert!(
        scene
            .ids(&format!("/organizations?limit=500&user_id={user}"))
            .contains(&organization)
    );
    assert_eq!(
        scene.ids(&format!("/organizations?organization_id={organization}")),
        [organization]
    );
}

#[test]
fn a_hundred_values_are_enough() {
    let scene = Scene::after(10);
    let query = |count: usize| "user_id=user_nobody&".repeat(count);
    assert_eq!(scene.get(&format!("/users?{}", query(100))).status, 200);
    let answer = scene.get(&format!("/users?{}", query(101)));
    assert_eq!(answer.error(), (422, "form_param_value_invalid".to_owned()));
}

#[test]
fn times_bound_strictly() {
    let scene = Scene::after(300);
    let all = scene.page("/users?limit=500&order_by=created_at");
    let bound = all[all.len() / 2]["created_at"].as_i64().unwrap();
    let expect = |condition: &dyn Fn(i64) -> bool| -> Vec<Value> {
        let fits = |user: &&Value| condition(user["created_at"].as_i64().unwrap());
        all.iter().filter(fits).cloned().collect()
    };
    let path = "/users?limit=500&order_by=created_at";
    let before = scene.page(&format!("{path}&created_at_before={bound}"));
    assert_eq!(before, expect(&|time| time < bound));
    let after = scene.page(&format!("{path}&created_at_after={bound}"));
    assert_eq!(after, expect(&|time| time > bound));
    assert!(before.len() + after.len() < all.len() && !before.is_empty() && !after.is_empty());
    assert_eq!(scene.get("/users?created_at_after=soon").status, 422);
}

#[test]
fn invitations_are_chosen_by_status() {
    let scene = Scene::after(1_400);
    for path in ["/invitations", "/organization_invitations"] {
        let all = scene.page(&format!("{path}?limit=500"));
        for status in ["pending", "accepted", "revoked"] {
            let expected = all
                .iter()
                .filter(|invitation| invitation["status"] == status)
                .count();
            assert!(expected > 0, "{path} {status}");
            let found = scene.page(&format!("{path}?limit=500&status={status}"));
            assert_eq!(found.len(), expected);
            assert!(found.iter().all(|invitation| invitation["status"] == status));
        }
        assert!(scene.page(&format!("{path}?status=expired")).is_empty());
        assert_eq!(scene.get(&format!("{path}?status=lost")).status, 422);
    }
    let invitation = scene.page("/organization_invitations?limit=1").remove(0);
    let organization = text(&invitation["organization_id"]);
    let address = text(&invitation["email_address"]);
    let path = format!("/organizations/{organization}/invitations?email_address={address}");
    assert_eq!(scene.page(&path), [invitation]);
}
