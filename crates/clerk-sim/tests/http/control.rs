//! The simulator's own requests.

use clerk_sim::Simulator;
use serde_json::{Value, json};

use crate::client::{call, token_part};

#[test]
fn tokens_are_minted_on_request() {
    let clerk = Simulator::start();
    let mint = |request: Value| call(&clerk.url(), "POST", "/sim/tokens", &request.to_string());

    let claims = token_part(&mint(json!({})), 1);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("https://clerk.sim.test"), &json!("user_sim"))
    );

    let answer = mint(json!({
        "user_id": "user_ada",
        "organization": {
            "id": "org_acme",
            "slug": "acme",
            "role": "admin",
            "permissions": ["org:dashboard:manage", "org:teams:read", "org:dashboard:read"],
        },
        "claims": {"azp": "https://app.test", "sts": null},
        "header": {"cat": null},
        "algorithm": "RS512",
        "key": "stranger",
    }));
    assert_eq!(
        token_part(&answer, 0),
        json!({"alg": "RS512", "kid": "ins_sim", "typ": "JWT"})
    );
    let claims = token_part(&answer, 1);
    assert_eq!(
        (&claims["sub"], &claims["azp"]),
        (&json!("user_ada"), &json!("https://app.test"))
    );
    assert!(claims.get("sts").is_none());
    assert_eq!(claims["fea"], "o:dashboard,o:teams");
    assert_eq!(
        claims["o"],
        json!({"id": "org_acme", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"})
    );

    let claims = token_part(&mint(json!({"class": "session", "expires_in": -10})), 1);
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        60
    );
    for (class, id) in [
        ("session_v1", "user_a"),
        ("template", "user_a"),
        ("m2m", "mch_a"),
        ("oauth", "user_a"),
    ] {
        assert_eq!(
            token_part(&mint(json!({"class": class, "user_id": id})), 1)["sub"],
            id
        );
    }
    assert_eq!(
        token_part(&mint(json!({"class": "id_token"})), 1)["aud"],
        "client_sim"
    );
}

#[test]
fn keys_and_faults_are_driven_over_http() {
    let clerk = Simulator::start();
    let call = |method, path, body| call(&clerk.url(), method, path, body);

    let before = call("GET", "/sim/jwks", "").json();
    assert_eq!(
        call("POST", "/sim/rotate", r#"{"kid": "same"}"#).json(),
        json!({"kid": "ins_sim"})
    );
    let after = call("GET", "/sim/jwks", "").json();
    assert_ne!(before["keys"][0]["n"], after["keys"][0]["n"]);
    call("POST", "/sim/rotate", r#"{"kid": "overlap"}"#);
    assert_eq!(clerk.jwks()["keys"].as_array().unwrap().len(), 2);
    let kid = call("POST", "/sim/rotate", r#"{"kid": "new"}"#).json()["kid"].clone();
    assert_eq!(
        (
            &clerk.jwks()["keys"][0]["kid"],
            clerk.jwks()["keys"].as_array().unwrap().len()
        ),
        (&kid, 1)
    );

    assert_eq!(call("POST", "/sim/fault", r#"{"kind": "down"}"#).status, 204);
    assert_eq!(call("GET", "/.well-known/jwks.json", "").status, 503);
    assert_eq!(
        call("GET", "/sim/jwks", "").json(),
        clerk.jwks(),
        "a fault leaves it alone"
    );
    assert_eq!(call("GET", "/sim/stats", "").json(), json!({"jwks_requests": 1}));
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let clerk = Simulator::start();
    for (path, body, reason) in [
        ("/sim/tokens", "nonsense", "expected"),
        ("/sim/tokens", r#"{"klass": "session"}"#, "klass"),
        (
            "/sim/tokens",
            r#"{"organization": {"id": "o", "role": "r", "permissions": ["read"]}}"#,
            "org:<feature>",
        ),
        ("/sim/rotate", r#"{"kid": "other"}"#, "other"),
        ("/sim/fault", r#"{"kind": "earthquake"}"#, "earthquake"),
    ] {
        let answer = call(&clerk.url(), "POST", path, body);
        assert_eq!(answer.status, 400, "{path} {body}");
        assert!(answer.body.contains(reason), "{}", answer.body);
    }
}
