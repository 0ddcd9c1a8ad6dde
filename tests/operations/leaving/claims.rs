//! Claims of every kind that a request may bring.

use serde_json::{Value, json};

/// Trusted, with an authorized party.
pub const FIRST: &str = "https://first.clerk.test";
/// Another issuer of the first instance.
pub const FIRST_OTHER: &str = "https://old.clerk.test";
/// Trusted; takes pending sessions, template tokens and one audience, and any party.
pub const SECOND: &str = "https://second.clerk.test";
/// The first instance's party.
pub const PARTY: &str = "https://app.test";

/// A session of the first instance with these claims besides; null takes one away.
pub fn session(user: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": FIRST, "sub": user, "sid": "sess_1", "azp": PARTY, "role": "authenticated", "fva": [3, -1], "v": 2,
        "metadata": {"region": "eu"},
    });
    change(&mut claims, changes);
    claims
}

/// The same in a version 2 token, in organization `org_acme`.
pub fn member(user: &str, role: &str, changes: Value) -> Value {
    let mut claims = session(
        user,
        json!({
            "fea": "o:docs,u:beta,ou:chat", "pla": "o:pro,u:free",
            "o": {"id": "org_acme", "slg": "acme", "rol": role, "per": "read,write", "fpm": "3,0,2"},
        }),
    );
    change(&mut claims, changes);
    claims
}

/// A version 1 token in organization `org_acme`.
pub fn member_v1(user: &str, role: &str) -> Value {
    session(
        user,
        json!({"v": null, "org_id": "org_acme", "org_slug": "acme", "org_role": role,
            "org_permissions": ["org:docs:read", "docs:write", "org:org:chat:read", "org:"]}),
    )
}

fn change(claims: &mut Value, changes: Value) {
    let claims = claims.as_object_mut().expect("claims are an object");
    for (name, value) in changes.as_object().expect("changes are an object") {
        match value {
            Value::Null => claims.remove(name),
            value => claims.insert(name.clone(), value.clone()),
        };
    }
}

/// What `request.jwt.claims` may hold, each with a name for messages.
pub fn every_kind() -> Vec<(&'static str, String)> {
    let mut kinds: Vec<(&str, String)> = [
        ("session", session("user_ada", json!({}))),
        ("member", member("user_ada", "admin", json!({}))),
        ("plain member", member("user_bob", "member", json!({}))),
        ("member v1", member_v1("user_ada", "org:admin")),
        ("other issuer", member("user_ada", "admin", json!({"iss": FIRST_OTHER}))),
        ("verified twice", member("user_ada", "admin", json!({"fva": [1, 2]}))),
        ("never verified", member("user_ada", "admin", json!({"fva": [-1, -1]}))),
        ("strange ages", member("user_ada", "admin", json!({"fva": [1, "2"]}))),
        ("impersonated", member("user_ada", "admin", json!({"act": {"sub": "user_staff"}}))),
        ("pending", session("user_ada", json!({"sts": "pending"}))),
        ("pending, allowed", session("user_carl", json!({"iss": SECOND, "sts": "pending", "azp": null}))),
        ("template, allowed", session("user_carl", json!({"iss": SECOND, "sid": null, "org_id": "org_acme", "v": null}))),
        ("template", session("user_ada", json!({"sid": null}))),
        ("audience, allowed", session("user_carl", json!({"iss": SECOND, "aud": ["x", "mine"]}))),
        ("audience", session("user_ada", json!({"aud": "mine"}))),
        ("no audience", session("user_ada", json!({"aud": ""}))),
        ("a list of no audience", session("user_ada", json!({"aud": [null, ""]}))),
        ("a list with an audience and nothing", session("user_carl", json!({"iss": SECOND, "aud": ["mine", null]}))),
        ("strange audience", session("user_carl", json!({"iss": SECOND, "aud": ["mine", 1]}))),
        ("oauth", session("user_ada", json!({"client_id": "client_1"}))),
        ("machine", session("mch_1", json!({}))),
        ("nobody", session("user_", json!({}))),
        ("empty subject", session("", json!({}))),
        ("number as subject", session("user_ada", json!({"sub": 7}))),
        ("party", session("user_ada", json!({"azp": "https://evil.test"}))),
        ("no party", session("user_ada", json!({"azp": null}))),
        ("empty session id", session("user_ada", json!({"sid": ""}))),
        ("foreign issuer", session("user_ada", json!({"iss": "https://evil.clerk.test"}))),
        ("issuer with slash", session("user_ada", json!({"iss": format!("{FIRST}/")}))),
        ("no issuer", session("user_ada", json!({"iss": null}))),
        ("number as issuer", session("user_ada", json!({"iss": 1}))),
        ("version as text", member("user_ada", "admin", json!({"v": "2"}))),
        ("version 1 in words", session("user_ada", json!({"v": 1, "org_id": "org_acme", "org_role": "admin", "fea": "o:docs", "pla": "o:pro"}))),
        ("version 1 with features", session("user_ada", json!({"v": null, "org_id": "org_acme", "fea": "o:docs", "pla": "u:free"}))),
        ("an agent", member("user_ada", "admin", json!({"act": {"sub": "agent_1", "type": "agent"}}))),
        ("version 3", member("user_ada", "admin", json!({"v": 3}))),
        ("organization as list", member("user_ada", "admin", json!({"o": ["org_acme"]}))),
        ("organization without id", member("user_ada", "admin", json!({"o": {"rol": "admin", "id": ""}}))),
        ("masks of the organization only", member("user_ada", "admin", json!({"o": {"id": "org_acme", "per": "read,write", "fpm": "1,2"}}))),
        ("strange masks", member("user_ada", "admin", json!({"o": {"id": "org_acme", "per": " read ,,write", "fpm": "7,x,-1"}}))),
        ("a mask of many digits", member("user_ada", "admin", json!({"o": {"id": "org_acme", "per": "read,write", "fpm": "340282366920938463463374607431768211457,0,2"}}))),
        ("a feature without scope", member("user_ada", "admin", json!({"fea": "o:docs,beta", "pla": "pro"}))),
        ("anon key", json!({"role": "anon", "iss": "supabase"})),
        ("service key", json!({"role": "service_role", "iss": "supabase"})),
        ("anon without a token", json!({"role": "anon"})),
    ]
    .into_iter()
    .map(|(name, claims)| (name, claims.to_string()))
    .collect();
    let texts = [
        ("nothing", String::new()),
        ("not JSON", "{".to_owned()),
        ("an array", "[]".to_owned()),
        ("null", "null".to_owned()),
        ("a string", "\"user_ada\"".to_owned()),
        ("a lone surrogate", r#"{"iss": "\ud800"}"#.to_owned()),
        (
            "a subject twice",
            session("user_ada", json!({}))
                .to_string()
                .replacen('{', r#"{"sub":"user_bob","#, 1),
        ),
        (
            "an id twice",
            session("user_ada", json!({"o": {"id": "org_acme"}}))
                .to_string()
                .replace(r#""id""#, r#""id":"org_globex","id""#),
        ),
        (
            "17 kB",
            session("user_ada", json!({"pad": "x".repeat(17_000)})).to_string(),
        ),
    ];
    kinds.extend(texts);
    kinds
}
