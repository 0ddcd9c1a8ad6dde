//! What the helpers read out of claims, versions 1 and 2.

use clerk_sim::Token;
use clerk_tests::Sql;
use postgres::Client;
use serde_json::{Value, json};

use crate::scene::{Caller, claims, clerk, database, some, with};

/// What `clerk.current_…()` answer.
#[derive(Debug, PartialEq)]
struct Answers {
    user_id: Option<String>,
    session_id: Option<String>,
    org_id: Option<String>,
    org_slug: Option<String>,
    org_role: Option<String>,
    org_permissions: Option<Vec<String>>,
    actor_id: Option<String>,
}

fn answers(client: &mut Client) -> Answers {
    let row = client
        .query_one(
            "SELECT clerk.current_user_id(), clerk.current_session_id(), clerk.current_org_id(), clerk.current_org_slug(),
                    clerk.current_org_role(), clerk.current_org_permissions(), clerk.current_actor_id()",
            &[],
        )
        .expect("somebody is signed in");
    Answers {
        user_id: row.get(0),
        session_id: row.get(1),
        org_id: row.get(2),
        org_slug: row.get(3),
        org_role: row.get(4),
        org_permissions: row.get(5),
        actor_id: row.get(6),
    }
}

fn permissions(keys: &[&str]) -> Option<Vec<String>> {
    Some(keys.iter().map(|key| (*key).to_owned()).collect())
}

#[test]
fn version_2() {
    let db = database();
    let mut app = db.connect("app");
    // Clerk's documented example: 3 is both permissions, 2 the second alone.
    let organization = json!({
        "o": {"id": "org_acme", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"},
        "fea": "o:dashboard,o:teams", "pla": "o:free_org",
        "act": {"iss": "https://dashboard.clerk.com", "sid": "sess_2", "sub": "user_support"},
    });
    for version in [json!(2), json!("2")] {
        let all = with(
            with(claims("user_ada"), organization.clone()),
            json!({"v": version}),
        );
        app.set_claims(&all.to_string());
        let expected = Answers {
            user_id: some("user_ada"),
            session_id: some("sess_1"),
            org_id: some("org_acme"),
            org_slug: some("acme"),
            org_role: some("org:admin"),
            org_permissions: permissions(&["org:dashboard:manage", "org:dashboard:read", "org:teams:read"]),
            actor_id: some("user_support"),
        };
        assert_eq!(answers(&mut app), expected, "v {version}");
    }
}

#[test]
fn version_1() {
    let db = database();
    let mut app = db.connect("app");
    // Old tokens carry the role without its prefix.
    for role in ["admin", "org:admin"] {
        let all = with(
            claims("user_ada"),
            json!({
                "v": null, "org_id": "org_acme", "org_slug": "acme", "org_role": role,
                "org_permissions": ["org:teams:read", "org:teams:manage"],
            }),
        );
        app.set_claims(&all.to_string());
        let expected = Answers {
            user_id: some("user_ada"),
            session_id: some("sess_1"),
            org_id: some("org_acme"),
            org_slug: some("acme"),
            org_role: some("org:admin"),
            org_permissions: permissions(&["org:teams:read", "org:teams:manage"]),
            actor_id: None,
        };
        assert_eq!(answers(&mut app), expected, "{role}");
    }
}

#[test]
fn without_an_organization() {
    let db = database();
    let mut app = db.connect("app");
    let nobody_elses = Answers {
        user_id: some("user_ada"),
        session_id: some("sess_1"),
        org_id: None,
        org_slug: None,
        org_role: None,
        org_permissions: None,
        actor_id: None,
    };
    for changes in [
        json!({}),
        // Claims of version 1 mean nothing in version 2, and the other way round.
        json!({"org_id": "org_victim", "org_role": "org:admin", "org_permissions": ["org:a:b"]}),
        json!({"v": null, "o": {"id": "org_victim", "rol": "admin"}}),
        // A version that is not known yet is not guessed at.
        json!({"v": 3, "o": {"id": "org_victim", "rol": "admin"}, "org_id": "org_victim"}),
    ] {
        app.set_claims(&with(claims("user_ada"), changes.clone()).to_string());
        assert_eq!(answers(&mut app), nobody_elses, "{changes}");
    }
}

#[test]
fn both_sources_give_the_same() {
    let db = database();
    let mut app = db.connect("app");
    for mint in [Token::session, Token::session_v1] {
        let features: &[(&str, &[&str])] = &[("posts", &["read", "manage"]), ("teams", &["read"])];
        let token = mint(clerk().issuer(), "user_ada").organization("org_acme", None, "member", features);
        app.set_claims("");
        app.set_token(&clerk().mint(token));
        let by_token = answers(&mut app);
        assert_eq!(by_token.org_id, some("org_acme"));
        assert_eq!(by_token.org_slug, None);
        assert_eq!(by_token.org_role, some("org:member"));
        let mut keys = by_token.org_permissions.clone().expect("there are some");
        keys.sort();
        assert_eq!(keys, ["org:posts:manage", "org:posts:read", "org:teams:read"]);
        let payload: String = app.value("SELECT clerk.current_claims()::text");
        app.set_claims(&payload);
        assert_eq!(answers(&mut app), by_token);
    }
}

#[test]
fn all_claims_as_jsonb() {
    let db = database();
    let mut app = db.connect("app");
    let all = with(
        claims("user_ada"),
        json!({"metadata": {"plan": "pro", "seats": 5, "tags": ["a", "b"]}, "name": "Ada \u{1F980} \"Lovelace\"", "none": {}}),
    );
    app.set_claims(&all.to_string());
    let equal: bool = app.value_of(
        "SELECT clerk.current_claims() = $1::text::jsonb",
        &[&all.to_string()],
    );
    assert!(equal);
    // jsonb cannot hold a NUL.
    app.set_claims(&with(claims("user_ada"), json!({"odd": "a\0b"})).to_string());
    assert_eq!(
        app.value::<String>("SELECT clerk.current_claims()->>'odd'"),
        "a\u{FFFD}b"
    );
}

#[test]
fn one_claim_by_its_path() {
    let db = database();
    let mut app = db.connect("app");
    let all = with(
        claims("user_ada"),
        json!({
            "metadata": {"plan": "pro", "seats": 5, "tags": ["a", "b"], "nothing": null, "a.b": 1},
            "https://app.example/roles": "editor",
        }),
    );
    app.set_claims(&all.to_string());
    let cases: &[(&str, Option<&str>)] = &[
        ("clerk.claim('sub')", Some("user_ada")),
        ("clerk.claim('metadata', 'plan')", Some("pro")),
        ("clerk.claim('metadata', 'seats')", Some("5")),
        ("clerk.claim('metadata', 'tags')", Some("[\"a\", \"b\"]")),
        ("clerk.claim('metadata', 'tags', '1')", Some("b")),
        ("clerk.claim('metadata', 'nothing')", None),
        ("clerk.claim('metadata', 'plan', 'deeper')", None),
        ("clerk.claim('missing')", None),
        ("clerk.claim('')", None),
        ("clerk.claim('https://app.example/roles')", Some("editor")),
        ("clerk.claim(NULL)", None),
        ("clerk.claim('metadata', NULL)", None),
        ("clerk.claim(VARIADIC ARRAY['metadata', 'plan'])", Some("pro")),
        ("clerk.claim(VARIADIC NULL)", None),
        ("clerk.claim(VARIADIC NULL::text[])", None),
    ];
    for (call, expected) in cases {
        let found: Option<String> = app.value(&format!("SELECT {call}"));
        assert_eq!(found.as_deref(), *expected, "{call}");
    }
    let whole: Value =
        serde_json::from_str(&app.value::<String>("SELECT clerk.claim(VARIADIC '{}')")).unwrap();
    assert_eq!(whole, all, "the empty path leads to the whole");
}

#[test]
fn a_dotted_path_is_refused_with_the_right_spelling() {
    let db = database();
    let mut app = db.connect("app");
    app.set_claims(&claims("user_ada").to_string());
    for (call, spelling) in [
        ("clerk.claim('o.id')", "clerk.claim('o', 'id')"),
        ("clerk.claim('metadata.a.b')", "clerk.claim('metadata', 'a', 'b')"),
    ] {
        let failure = app.failure(&format!("SELECT {call}"));
        assert_eq!(failure.sqlstate, "22023");
        assert!(
            failure.hint.as_ref().is_some_and(|hint| hint.contains(spelling)),
            "{failure:?}"
        );
    }
    app.set_claims("");
    assert_eq!(
        app.failure("SELECT clerk.claim('o.id')").sqlstate,
        "22023",
        "the policy's mistake shows for everybody"
    );
}
