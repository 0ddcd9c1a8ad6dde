//! `has()` for role, permission, feature and plan.

use clerk_core::SessionClaims;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::signer::session_with;

fn session(changes: Value) -> SessionClaims {
    SessionClaims::new(&session_with(changes))
}

fn member() -> SessionClaims {
    session(json!({
        "fea": "o:friends,u:avatars,uo:projects,x:strange", "pla": "u:pro,o:team",
        "o": {"id": "org_1", "rol": "admin", "per": "read,add", "fpm": "3,3,1,3"}
    }))
}

#[test]
fn roles_are_equal_up_to_their_prefix() {
    for same in ["admin", "org:admin", "org:org:admin"] {
        assert!(member().has_role(same), "{same}");
        let other = session(json!({"o": {"id": "org_1", "rol": same}}));
        assert_eq!(other.org.as_ref().unwrap().role.as_deref(), Some("org:admin"));
        assert!(other.has_role("admin"));
    }
    for other in [
        "",
        "org:",
        "member",
        "Admin",
        "admin ",
        "org:admins",
        "user:admin",
        ":admin",
    ] {
        assert!(!member().has_role(other), "{other}");
    }
}

#[test]
fn a_role_needs_an_organization() {
    assert!(!session(json!({})).has_role("admin"));
    assert!(!session(json!({"o": {"rol": "admin"}})).has_role("admin"));
    assert!(!session(json!({"o": {"id": "", "rol": "admin"}})).has_role("admin"));
    assert!(!session(json!({"o": {"id": "org_1", "rol": ""}})).has_role(""));
    assert!(!session(json!({"o": {"id": "org_1", "rol": "org:"}})).has_role("org:"));
}

#[test]
fn permissions_are_looked_up_literally() {
    for held in [
        "org:friends:add",
        "friends:add",
        "org:org:friends:add",
        "projects:read",
    ] {
        assert!(member().has_permission(held), "{held}");
    }
    for lacking in [
        "",
        "org:",
        "org:friends",
        "friends",
        "org:projects:add",
        "org:avatars:read",
        "friends:add:x",
        "strange:add",
        "add",
    ] {
        assert!(!member().has_permission(lacking), "{lacking}");
    }
    let homeless = session(json!({"fea": "o:friends", "o": {"per": "add", "fpm": "1"}}));
    assert!(!homeless.has_permission("friends:add"));
}

#[test]
fn features_and_plans_by_scope() {
    let member = member();
    for held in [
        "friends",
        "avatars",
        "projects",
        "o:friends",
        "org:friends",
        "organization:friends",
        "u:avatars",
        "user:avatars",
        "u:projects",
        "o:projects",
        "o:friends:ignored",
    ] {
        assert!(member.has_feature(held), "{held}");
    }
    for lacking in [
        "",
        ":",
        "o:",
        "u:friends",
        "o:avatars",
        "x:strange",
        "strange",
        "ou:projects",
        "friend",
        "Friends",
        ":friends",
        "users:avatars",
    ] {
        assert!(!member.has_feature(lacking), "{lacking}");
    }
    assert!(member.has_plan("pro") && member.has_plan("user:pro") && member.has_plan("org:team"));
    assert!(!member.has_plan("org:pro") && !member.has_plan("friends") && !member.has_plan(""));
}

#[test]
fn an_entry_without_a_slug_is_nothing_that_can_be_had() {
    let odd = session(json!({"fea": "o:,u:", "pla": "ou:"}));
    for asked in ["", "o:", "user:", ":"] {
        assert!(!odd.has_feature(asked) && !odd.has_plan(asked), "{asked}");
    }
}

#[test]
fn a_malformed_list_denies_all_of_it() {
    for bad in ["o:friends,nonsense", "", ",", "friends", "o:friends,"] {
        assert!(
            !session(json!({"fea": bad, "pla": bad})).has_feature("friends"),
            "{bad}"
        );
        assert!(
            !session(json!({"fea": bad, "pla": bad})).has_plan("friends"),
            "{bad}"
        );
    }
    for bad in [json!(["o:friends"]), json!(1), json!({"o": "friends"})] {
        assert!(
            !session(json!({"fea": bad, "pla": bad})).has_feature("friends"),
            "{bad}"
        );
    }
}

proptest! {
    #[test]
    fn nobody_without_claims_has_anything(asked: String) {
        let nobody = session(json!({}));
        prop_assert!(!nobody.has_role(&asked) && !nobody.has_permission(&asked));
        prop_assert!(!nobody.has_feature(&asked) && !nobody.has_plan(&asked));
    }

    #[test]
    fn nothing_is_had_that_is_not_listed(asked in "[a-z:]{0,16}") {
        let member = member();
        let slug = asked.split(':').take(2).last().unwrap_or_default();
        if member.has_feature(&asked) {
            prop_assert!(["friends", "avatars", "projects"].contains(&slug));
        }
        if member.has_permission(&asked) {
            prop_assert!(asked.ends_with("friends:read") || asked.ends_with("friends:add") || asked.ends_with("projects:read"));
        }
    }

    #[test]
    fn a_feature_is_had_exactly_in_its_scope(
        slug in "[a-z]{1,8}", organization: bool, user: bool,
    ) {
        let scope = match (organization, user) {
            (true, true) => "ou",
            (true, false) => "o",
            (false, true) => "u",
            (false, false) => "z",
        };
        let holder = session(json!({"fea": format!("{scope}:{slug}")}));
        prop_assert_eq!(holder.has_feature(&slug), organization || user);
        prop_assert_eq!(holder.has_feature(&format!("org:{slug}")), organization);
        prop_assert_eq!(holder.has_feature(&format!("user:{slug}")), user);
    }
}
