//! Who is let in.

use serde_json::json;

use crate::client::Scene;

#[test]
fn a_key_is_needed_everywhere() {
    let scene = Scene::new();
    for path in [
        "/users",
        "/users/count",
        "/jwks",
        "/organizations/org_x",
        "/nowhere",
    ] {
        let none = scene.request(path, &[]).unwrap();
        assert_eq!(
            none.error(),
            (401, "authorization_header_format_invalid".to_owned()),
            "{path}"
        );
        let basic = scene.request(path, &[("authorization", "Basic c2s6")]).unwrap();
        assert_eq!(basic.status, 401);
        let wrong = scene
            .request(path, &[("authorization", "Bearer sk_test_wrong")])
            .unwrap();
        assert_eq!(wrong.error(), (401, "clerk_key_invalid".to_owned()), "{path}");
    }
    assert_eq!(scene.get("/users").status, 200);
}

#[test]
fn a_rotated_key_is_revoked() {
    let scene = Scene::new();
    let old = format!("Bearer {}", scene.clerk.secret_key());
    assert!(old.starts_with("Bearer sk_test_"));
    let new = scene.clerk.rotate_secret_key();
    assert_eq!(new, scene.clerk.secret_key());
    let answer = scene.request("/users", &[("authorization", &old)]).unwrap();
    assert_eq!(answer.error(), (401, "clerk_key_invalid".to_owned()));
    assert_eq!(scene.get("/users").status, 200);
}

#[test]
fn a_version_is_known_and_said_once() {
    let scene = Scene::new();
    let bearer = format!("Bearer {}", scene.clerk.secret_key());
    let ask = |path: &str, version: Option<&str>| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(version.map(|version| ("clerk-api-version", version)));
        scene.request(path, &headers).unwrap()
    };
    for version in [
        "2021-02-05",
        "2024-10-01",
        "2025-04-10",
        "2025-11-10",
        "2026-05-12",
    ] {
        assert_eq!(ask("/users", Some(version)).status, 200, "{version}");
        let path = format!("/users?__clerk_api_version={version}");
        assert_eq!(ask(&path, None).status, 200, "{version}");
    }
    let refused = (400, "api_version_invalid".to_owned());
    assert_eq!(ask("/users", Some("2025-03-13")).error(), refused);
    assert_eq!(ask("/users?__clerk_api_version=1", None).error(), refused);
    let both = ask("/users?__clerk_api_version=2026-05-12", Some("2026-05-12"));
    assert_eq!(both.error(), refused);
}

#[test]
fn the_instance_tells_who_it_is() {
    let scene = Scene::new();
    let instance = scene.get("/instance").json();
    assert_eq!(
        (
            &instance["object"],
            &instance["id"],
            &instance["environment_type"]
        ),
        (&json!("instance"), &json!("ins_sim"), &json!("development"))
    );
    scene
        .clerk
        .change_api(|api| api.secret_key = "sk_live_abc".to_owned());
    assert_eq!(scene.get("/instance").json()["environment_type"], "production");
}

#[test]
fn keys_are_there_too_and_rotate() {
    let scene = Scene::new();
    assert_eq!(scene.get("/jwks").json(), scene.clerk.jwks());
    scene.clerk.rotate(clerk_sim::Rotation::Overlap);
    let keys = scene.get("/jwks").json();
    assert_eq!(keys, scene.clerk.jwks());
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn the_delivery_log_has_an_address() {
    let scene = Scene::new();
    let answer = scene.post("/webhooks/svix_url");
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert!(answer["svix_url"].as_str().unwrap().starts_with("https://"));
    assert_eq!(answer.as_object().unwrap().len(), 1);
    assert_eq!(scene.get("/webhooks/svix_url").status, 404, "it is a POST");
    scene.clerk.change_api(|api| api.webhooks = false);
    let none = scene.post("/webhooks/svix_url");
    assert_eq!(none.error(), (400, "svix_app_missing".to_owned()));
}

#[test]
fn what_an_instance_has_not_is_refused() {
    let scene = Scene::after(300);
    let user = scene.ids("/users?limit=1").remove(0);
    let organization = scene.ids("/organizations?limit=1").remove(0);
    let billing = (403, "billing_not_enabled".to_owned());
    let of_user = format!("/users/{user}/billing/subscription");
    let of_organization = format!("/organizations/{organization}/billing/subscription");

    scene.clerk.change_api(|api| api.organization_billing = false);
    assert_eq!(scene.get(&of_organization).error(), billing);
    assert_ne!(scene.get(&of_user).status, 403);
    let items = scene.page("/billing/subscription_items?include_free=true&limit=500");
    assert!(
        !items.is_empty()
            && items
                .iter()
                .all(|item| item["payer"]["organization_id"].is_null())
    );

    scene.clerk.change_api(|api| api.user_billing = false);
    assert_eq!(scene.get(&of_user).error(), billing);
    assert_eq!(scene.get("/billing/subscription_items").error(), billing);

    scene.clerk.change_api(|api| api.organizations = false);
    for path in [
        "/organizations",
        "/organization_memberships",
        "/organization_roles",
        &format!("/organizations/{organization}"),
        &format!("/users/{user}/organization_memberships"),
    ] {
        let refused = (403, "organization_not_enabled_in_instance".to_owned());
        assert_eq!(scene.get(path).error(), refused, "{path}");
    }
    assert_eq!(scene.get("/users").status, 200);
}
