//! Reading payloads.

use clerk_core::{Claim, Claims, Reason, SessionClaims};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::{ISSUER, claims, merge, session, session_with, strings};

fn refused(json: &str) -> String {
    let refusal = Claims::parse(json).unwrap_err();
    assert_eq!(refusal.reason, Reason::TokenInvalid);
    refusal.message
}

fn nested(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn only_strict_objects_are_read() {
    for (json, why) in [
        ("", "not a JSON object"),
        ("null", "not a JSON object"),
        ("[{}]", "not a JSON object"),
        ("\u{feff}{}", "not a JSON object"),
        ("{", "EOF"),
        ("{} {}", "trailing"),
        ("{'a':1}", "key must be a string"),
        (r#"{"a":1,}"#, "trailing comma"),
        (r#"{"a":01}"#, "invalid number"),
        (r#"{"a":NaN}"#, "expected value"),
        (r#"{"sub":"a","sub":"b"}"#, "\"sub\" comes twice"),
        (r#"{"sub":"a","\u0073ub":"b"}"#, "\"sub\" comes twice"),
        (r#"{"custom":1,"x":2,"custom":1}"#, "\"custom\" comes twice"),
        (r#"{"o":{"id":"org_1","id":"org_2"}}"#, "\"id\" comes twice"),
        (r#"{"sub":"\ud800"}"#, "surrogate"),
        (r#"{"custom":"\ud800"}"#, "surrogate"),
        (r#"{"custom":["\udc00"]}"#, "surrogate"),
        (r#"{"exp":1e400}"#, "number out of range"),
        (r#"{"custom":{"x":-1e400}}"#, "number out of range"),
        ("{\"a\":\"\n\"}", "control character"),
    ] {
        let message = refused(json);
        assert!(
            message.contains(why) || why == "surrogate" && message.contains("hex escape"),
            "{json}: {message}"
        );
    }
}

#[test]
fn nesting_ends_at_64_levels_wherever_it_is() {
    for name in ["act", "o", "custom", "exp"] {
        assert!(
            Claims::parse(&format!("{{\"{name}\":{}}}", nested(63))).is_ok(),
            "{name}"
        );
        assert!(
            refused(&format!("{{\"{name}\":{}}}", nested(64))).contains("64 levels"),
            "{name}"
        );
        assert!(
            Claims::parse(&format!("{{\"{name}\":{}}}", nested(8_000))).is_err(),
            "{name}"
        );
    }
    let objects = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
    assert!(refused(&objects).contains("64 levels"));
}

/// Whoever may set `request.jwt.claims` chooses their length, and what is decoded from them grows faster than that.
#[test]
fn claims_longer_than_any_token_are_refused() {
    let claims = |length: usize| {
        let json = r#"{"sub":"user_ada","pad":""}"#;
        json.replace("\"\"", &format!("\"{}\"", "x".repeat(length - json.len())))
    };
    assert_eq!(claims(16 * 1024).len(), 16 * 1024);
    assert!(Claims::parse(&claims(16 * 1024)).is_ok());
    assert!(refused(&claims(16 * 1024 + 1)).contains("too many"));
}

#[test]
fn claims_of_a_wrong_type_do_not_spoil_the_rest() {
    for wrong in [
        json!(1),
        json!(true),
        json!([]),
        json!({}),
        json!([{"a": 1}]),
        json!("a\u{0}b"),
    ] {
        let claims = claims(&json!({
            "iss": wrong, "sid": wrong, "azp": wrong, "aud": wrong, "role": wrong, "act": wrong, "fva": wrong, "v": wrong,
            "o": wrong, "fea": wrong, "exp": "soon", "org_permissions": wrong, "sts": wrong, "sub": "user_1"
        }));
        assert_eq!(claims.sub(), Some("user_1"));
        assert_eq!(
            (claims.iss(), claims.sid(), claims.azp(), claims.role()),
            (None, None, None, None),
            "{wrong}"
        );
        assert_eq!(claims.times().exp, Claim::Malformed("a string"));
        assert!(!claims.is_pending());
    }
}

#[test]
fn pending_is_clerks_word() {
    assert!(session_with(json!({"sts": "pending"})).is_pending());
    assert!(!session_with(json!({"sts": "active"})).is_pending());
    assert!(!session_with(json!({})).is_pending());
}

/// The shape of Clerk's documented version 2 session token with the Supabase role.
#[test]
fn a_version_2_session() {
    let claims = session_with(json!({
        "act": {"sub": "user_admin", "iss": "https://dashboard.clerk.com"},
        "fea": "o:example-feature", "pla": "o:free_org",
        "o": {"fpm": "1", "id": "org_1", "per": "example-perm", "rol": "admin", "slg": "example-org"}
    }));
    assert_eq!(claims.role(), Some("authenticated"));
    let session = SessionClaims::new(&claims);
    assert_eq!(
        (session.user_id.as_str(), session.session_id.as_deref()),
        ("user_1", Some("sess_1"))
    );
    assert_eq!(session.issuer, ISSUER);
    assert_eq!(session.actor_id.as_deref(), Some("user_admin"));
    assert_eq!(session.fva, Some([0.0, -1.0]));
    let org = session.org.unwrap();
    assert_eq!(
        (org.id.as_str(), org.slug.as_deref()),
        ("org_1", Some("example-org"))
    );
    assert_eq!(org.role.as_deref(), Some("org:admin"));
    assert_eq!(org.permissions, ["org:example-feature:example-perm"]);
    assert_eq!(
        session.features.unwrap().organization().collect::<Vec<_>>(),
        ["example-feature"]
    );
    assert_eq!(session.plans.unwrap().user().count(), 0);
}

#[test]
fn a_version_1_session() {
    let v1 = |changes| {
        let organization = json!({
            "v": null, "org_id": "org_1", "org_slug": "acme", "org_role": "org:admin",
            "org_permissions": ["org:posts:read", "posts:write"]
        });
        SessionClaims::new(&claims(&merge(merge(session(), organization), changes)))
    };
    let org = v1(json!({})).org.unwrap();
    assert_eq!(
        (org.id.as_str(), org.slug.as_deref(), org.role.as_deref()),
        ("org_1", Some("acme"), Some("org:admin"))
    );
    assert_eq!(org.permissions, ["org:posts:read", "org:posts:write"]);
    // Old tokens carry the bare role.
    assert_eq!(
        v1(json!({"org_role": "admin"})).org.unwrap().role.as_deref(),
        Some("org:admin")
    );
    assert_eq!(v1(json!({"org_role": ""})).org.unwrap().role, None);
    assert_eq!(
        v1(json!({"org_permissions": "org:posts:read"}))
            .org
            .unwrap()
            .permissions,
        [""; 0]
    );
    assert_eq!(v1(json!({"org_id": null})).org, None);
    assert_eq!(v1(json!({"org_id": ""})).org, None);
}

#[test]
fn each_version_reads_only_its_own_claims() {
    let both = json!({
        "o": {"id": "org_2", "rol": "member"}, "fea": "o:a", "pla": "o:b", "org_id": "org_1", "org_role": "org:admin"
    });
    let read =
        |v: Value| SessionClaims::new(&claims(&merge(merge(session(), both.clone()), json!({ "v": v }))));
    let id = |session: &SessionClaims| session.org.as_ref().map(|org| org.id.clone());
    for v in [json!(2), json!(2.0), json!("2")] {
        assert_eq!(id(&read(v)).as_deref(), Some("org_2"));
    }
    let v1 = read(Value::Null);
    assert_eq!(id(&v1).as_deref(), Some("org_1"));
    for v in [json!(1), json!(1.0), json!("1")] {
        assert_eq!(read(v), v1);
    }
    // Features and plans are read in every version that is understood.
    let slugs = |list: Option<clerk_core::ScopedList>| {
        list.unwrap()
            .organization()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (slugs(v1.features), slugs(v1.plans)),
        (strings(&["a"]), strings(&["b"]))
    );
    for v in [
        json!(3),
        json!(0),
        json!("3"),
        json!("1.0"),
        json!(true),
        json!([2]),
        json!(""),
    ] {
        let unknown = read(v.clone());
        assert_eq!(
            (id(&unknown), unknown.features, unknown.plans),
            (None, None, None),
            "{v}"
        );
        assert_eq!(unknown.user_id, "user_1");
    }
}

/// `actor.type` of Clerk's SDK: `agent`, or a person who impersonates the user.
#[test]
fn an_agent_is_no_impersonator() {
    use clerk_core::ActorType::{Agent, User};
    for (act, id, kind) in [
        (json!({"sub": "user_boss"}), Some("user_boss"), Some(User)),
        (
            json!({"sub": "agent_1", "type": "agent"}),
            Some("agent_1"),
            Some(Agent),
        ),
        (
            json!({"sub": "user_boss", "type": "Agent"}),
            Some("user_boss"),
            Some(User),
        ),
        (
            json!({"sub": "user_boss", "type": ["agent"]}),
            Some("user_boss"),
            Some(User),
        ),
        (json!({"type": "agent"}), None, Some(Agent)),
        // Somebody acts, whoever that is.
        (json!({}), None, Some(User)),
        (json!("agent"), None, Some(User)),
    ] {
        let session = SessionClaims::new(&session_with(json!({ "act": act })));
        assert_eq!(
            (session.actor_id.as_deref(), session.actor_type),
            (id, kind),
            "{act}"
        );
    }
    let nobody = [
        session_with(json!({})),
        Claims::parse(&session().to_string().replacen('{', r#"{"act":null,"#, 1)).unwrap(),
    ];
    for claims in nobody {
        let session = SessionClaims::new(&claims);
        assert_eq!((session.actor_id, session.actor_type), (None, None));
    }
}

#[test]
fn without_a_session_a_token_chooses_no_organization() {
    let template = SessionClaims::new(&session_with(json!({"sid": null, "v": null, "org_id": "org_1"})));
    assert_eq!(
        (template.session_id, template.org, template.fva),
        (None, None, None)
    );
    assert_eq!(template.user_id, "user_1");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        "[oux:,a]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("id|sub|rol|per|fpm|slg|x", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_in_any_claim_is_read_and_nothing_is_granted_by_accident(
        values in prop::collection::vec(any_json(), 12),
    ) {
        let names = ["iss", "sub", "sid", "act", "fva", "fea", "pla", "o", "org_id", "org_role", "org_permissions", "v"];
        let payload = Value::Object(names.iter().map(|name| (*name).to_owned()).zip(values).collect());
        let session = SessionClaims::new(&claims(&payload));
        prop_assert!(!session.has_role("admin"));
        prop_assert!(!session.has_permission("posts:read"));
        prop_assert!(!session.has_feature("feature") && !session.has_plan("plan"));
    }

    #[test]
    fn no_text_panics(text: String, brackets in "[\\[\\]{}\",:0-9a-z\\\\u]{0,80}") {
        let _ = Claims::parse(&text);
        let _ = Claims::parse(&format!("{{{brackets}}}"));
    }

    /// What we read is what any other reader of the same JSON reads.
    #[test]
    fn strings_mean_what_serde_json_says(sub: String, custom: String) {
        let claims = claims(&json!({"custom": custom, "sub": sub}));
        let expected = Some(sub.as_str()).filter(|sub| !sub.contains('\0'));
        prop_assert_eq!(claims.sub(), expected);
    }
}
