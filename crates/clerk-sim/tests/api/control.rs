//! The same over HTTP.

use serde_json::{Value, json};

use crate::client::Scene;

impl Scene {
    /// A request to the simulator itself.
    fn sim(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/sim{path}", self.clerk.url()))
            .body(body.to_string())
            .unwrap();
        let mut response = agent.run(request).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (response.status().as_u16(), body)
    }
}

#[test]
fn settings_are_read_and_changed() {
    let scene = Scene::new();
    let (status, settings) = scene.sim("GET", "/api", &json!({}));
    assert_eq!((status, &settings["rate_limit"]), (200, &Value::Null));
    assert_eq!(settings["secret_key"], scene.clerk.secret_key());
    let change = json!({ "secret_key": "sk_live_x", "rate_limit": { "requests": 1, "window_ms": 60_000 },
        "clock": { "wall": { "ahead_ms": -5 } } });
    let (_, settings) = scene.sim("PATCH", "/api", &change);
    assert_eq!(
        (&settings["secret_key"], &settings["organizations"]),
        (&json!("sk_live_x"), &json!(true))
    );
    assert_eq!(scene.clerk.secret_key(), "sk_live_x");
    assert_eq!(
        [scene.get("/users").status, scene.get("/users").status],
        [200, 429]
    );
    let (status, reason) = scene.sim("PATCH", "/api", &json!({ "colour": "blue" }));
    assert!(status == 400 && reason.to_string().contains("colour"), "{reason}");
    let (_, key) = scene.sim("POST", "/api/rotate", &json!({}));
    assert_eq!(key["secret_key"], scene.clerk.secret_key());
    assert_ne!(key["secret_key"], "sk_live_x");
}

#[test]
fn faults_are_planned_and_cleared() {
    let scene = Scene::after(20);
    let plan = json!({ "fault": { "kind": "server_error" }, "path": "/users", "times": 2, "skip": 1 });
    assert_eq!(scene.sim("POST", "/api/faults", &plan).0, 204);
    let statuses: Vec<u16> = (0..4).map(|_| scene.get("/users").status).collect();
    assert_eq!(statuses, [200, 500, 500, 200]);
    let once = json!({ "fault": { "kind": "too_many_requests", "retry_after": 3 } });
    scene.sim("POST", "/api/faults", &once);
    assert_eq!(
        [scene.get("/users").status, scene.get("/users").status],
        [429, 200]
    );
    let always = json!({ "fault": { "kind": "bad_gateway" }, "times": null });
    scene.sim("POST", "/api/faults", &always);
    assert_eq!(
        [scene.get("/users").status, scene.get("/organizations").status],
        [502, 502]
    );
    assert_eq!(scene.sim("DELETE", "/api/faults", &json!({})).0, 204);
    assert_eq!(scene.get("/users").status, 200);
    let chaos = json!({ "probability": 1.0, "faults": [{ "kind": "forbidden" }] });
    assert_eq!(scene.sim("POST", "/api/chaos", &chaos).0, 204);
    assert_eq!(scene.get("/users").status, 403);
    scene.sim("DELETE", "/api/faults", &json!({}));
    for nonsense in [json!({}), json!({ "fault": { "kind": "earthquake" } })] {
        assert_eq!(scene.sim("POST", "/api/faults", &nonsense).0, 400);
    }
    let (_, requests) = scene.sim("GET", "/api/requests", &json!({}));
    let last = requests.as_array().unwrap().last().unwrap();
    assert_eq!(last["fault"], json!({ "kind": "forbidden" }));
}

#[test]
fn every_fault_has_a_name() {
    let named = |fault: Value| serde_json::from_value::<clerk_sim::ApiFault>(fault).is_ok();
    for kind in [
        "unauthorized",
        "forbidden",
        "not_found",
        "unprocessable",
        "too_many_requests",
        "server_error",
        "bad_gateway",
        "html",
        "wrong_json",
        "wrong_shape",
        "empty_list",
        "short_list",
        "repeated_page",
        "half",
        "stall",
        "reset",
    ] {
        assert!(named(json!({ "kind": kind })), "{kind}");
    }
    for fault in [
        json!({ "kind": "redirect", "location": "https://elsewhere.test" }),
        json!({ "kind": "slow", "ms": 5 }),
        json!({ "kind": "drip", "ms": 5 }),
        json!({ "kind": "huge", "mib": 200 }),
    ] {
        assert!(named(fault.clone()), "{fault}");
    }
}

#[test]
fn the_world_is_settled_and_lives() {
    let scene = Scene::new();
    let settlers = json!({ "users": 12, "organizations": 3, "memberships": 9 });
    let (status, _) = scene.sim("POST", "/world/settle", &settlers);
    assert_eq!(
        (status, scene.get("/users/count").json()["total_count"].clone()),
        (200, json!(12))
    );
    let memberships = scene.get("/organization_memberships").json();
    assert_eq!(memberships["total_count"], 9);
    assert_eq!(
        scene
            .sim("POST", "/world/settle", &json!({ "organizations": 1 }))
            .0,
        400
    );
    let (_, before) = scene.sim("POST", "/world/pass", &json!({ "ms": 0 }));
    let (_, after) = scene.sim("POST", "/world/pass", &json!({ "ms": 5_000 }));
    assert_eq!(
        after["now_ms"].as_i64().unwrap() - before["now_ms"].as_i64().unwrap(),
        5_000
    );
    assert_eq!(
        scene
            .sim("POST", "/api/life", &json!({ "every": 1, "steps": 2 }))
            .0,
        204
    );
    scene.get("/users");
    let (_, events) = scene.sim("GET", "/api/events", &json!({}));
    assert!(events.as_array().unwrap().len() >= 2);
}

#[test]
fn a_crowd_comes_and_goes() {
    let scene = Scene::new();
    let options = json!({ "users": 77, "organizations": 1, "memberships": 3, "drift": 1 });
    assert_eq!(scene.sim("POST", "/api/crowd", &options).0, 204);
    assert_eq!(scene.get("/users/count").json()["total_count"], 77);
    assert_eq!(scene.sim("DELETE", "/api/crowd", &json!({})).0, 204);
    assert_eq!(scene.get("/users/count").json()["total_count"], 0);
}
