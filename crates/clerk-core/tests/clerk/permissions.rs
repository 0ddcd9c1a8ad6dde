//! Permissions out of `fea`, `o.per` and `o.fpm`.

use clerk_core::SessionClaims;
use proptest::prelude::*;
use serde_json::json;

use crate::signer::session_with;

fn permissions(fea: &str, per: &str, fpm: &str) -> Vec<String> {
    let claims = session_with(json!({"fea": fea, "o": {"id": "org_1", "per": per, "fpm": fpm}}));
    SessionClaims::new(&claims).org.unwrap().permissions
}

#[track_caller]
fn check(fea: &str, per: &str, fpm: &str, expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|key| format!("org:{key}")).collect();
    assert_eq!(permissions(fea, per, fpm), expected);
}

#[test]
fn clerks_documented_example() {
    check(
        "o:dashboard,o:teams",
        "manage,read",
        "3,2",
        &["dashboard:manage", "dashboard:read", "teams:read"],
    );
}

/// A live token of Clerk's integration tests.
#[test]
fn clerks_live_example() {
    check(
        "o:billing,o:impersonation,o:magic_links,o:posts",
        "create,delete,manage,read",
        "12,12,9,14",
        &[
            "billing:manage",
            "billing:read",
            "impersonation:manage",
            "impersonation:read",
            "magic_links:create",
            "magic_links:read",
            "posts:delete",
            "posts:manage",
            "posts:read",
        ],
    );
    check("o:magic_links", "read", "1", &["magic_links:read"]);
    check(
        "o:impersonation,o:magic_links",
        "create,read",
        "2,1",
        &["impersonation:read", "magic_links:create"],
    );
}

#[test]
fn scopes_of_user_and_both() {
    check(
        "o:repositories,uo:projects,u:goldprofileborder",
        "read,create,update,delete,revoke",
        "7,21,0",
        &[
            "repositories:read",
            "repositories:create",
            "repositories:update",
            "projects:read",
            "projects:update",
            "projects:revoke",
        ],
    );
    check("u:mine", "read", "1", &[]);
    check("x:strange,o:posts", "read", "1,1", &["posts:read"]);
}

#[test]
fn masks_count_against_every_feature_when_there_is_one_for_each() {
    check("u:a,o:b", "read,write", "0,3", &["b:read", "b:write"]);
}

#[test]
fn else_masks_count_against_the_organizations_features() {
    check(
        "o:one,u:two,o:three,o:four",
        "read,write",
        "2,3",
        &["one:write", "three:read", "three:write"],
    );
    check("u:a,o:b", "read,write", "3", &["b:read", "b:write"]);
    check("o:a", "read", "1,1,1", &["a:read"]);
}

#[test]
fn masks_wider_than_any_integer() {
    let names: Vec<String> = (0..54).map(|i| format!("p{i}")).collect();
    check("o:f", &names.join(","), "9007199254740993", &["f:p0", "f:p53"]);
    let names: Vec<String> = (0..130).map(|i| format!("p{i}")).collect();
    // 2^128 + 2^64 + 1
    check(
        "o:f",
        &names.join(","),
        "340282366920938463481821351505477763073",
        &["f:p0", "f:p64", "f:p128"],
    );
}

#[test]
fn bits_beyond_the_names_are_ignored() {
    check("o:f", "read", "4294967295", &["f:read"]);
    check("o:f", "read", "4294967294", &[]);
    check("o:f", "read", "00001", &["f:read"]);
}

#[test]
fn a_malformed_mask_gives_its_feature_nothing() {
    for bad in ["-1", "1.5", "1invalid", "0x1", "1e0", "1 1", "", "+1", "١"] {
        check("o:a,o:b", "read", &format!("{bad},1"), &["b:read"]);
    }
    check("o:a,o:b", "read", &format!("{},1", "1".repeat(1025)), &["b:read"]);
}

#[test]
fn what_is_missing_or_malformed_gives_nothing() {
    check("", "read", "1", &[]);
    check("o:a", "", "1", &[]);
    check("o:a", "read", "", &[]);
    check("o:a,b", "read", "1,1", &[]);
    check("o:a,", "read", "1,1", &[]);
    check("o:", "read", "1", &[]);
    check("o:a", ",read", "3", &["a:read"]);
    let none = session_with(json!({"fea": "o:a", "o": {"id": "org_1", "per": ["read"], "fpm": 1}}));
    assert_eq!(SessionClaims::new(&none).org.unwrap().permissions, [""; 0]);
}

#[test]
fn names_and_masks_may_be_spaced() {
    check(" o:a , o:b", "read , write", "2 , 1", &["a:write", "b:read"]);
}

/// The decimal number with these bits, least significant first, by doubling digit by digit.
fn decimal(bits: &[bool]) -> String {
    let mut digits = vec![0u8];
    for &bit in bits.iter().rev() {
        let mut carry = u8::from(bit);
        for digit in digits.iter_mut().rev() {
            let doubled = *digit * 2 + carry;
            *digit = doubled % 10;
            carry = doubled / 10;
        }
        if carry > 0 {
            digits.insert(0, carry);
        }
    }
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// The bits of a decimal number, least significant first, by halving digit by digit.
fn bits(decimal: &str, count: usize) -> Vec<bool> {
    let mut digits: Vec<u8> = decimal.bytes().map(|byte| byte - b'0').collect();
    let mut halve = || {
        let mut rest = 0;
        for digit in &mut digits {
            let value = rest * 10 + *digit;
            *digit = value / 2;
            rest = value % 2;
        }
        rest == 1
    };
    (0..count).map(|_| halve()).collect()
}

#[test]
fn the_models_agree() {
    assert_eq!(decimal(&[true, false, true, true]), "13");
    assert_eq!(bits("13", 5), [true, false, true, true, false]);
}

proptest! {
    #[test]
    fn encoded_permissions_come_back(
        (scopes, masks) in (1usize..8, 1usize..150).prop_flat_map(|(features, names)| (
            prop::collection::vec(prop::sample::select(vec!["o", "u", "ou", "uo", "x"]), features),
            prop::collection::vec(prop::collection::vec(any::<bool>(), names), features),
        )),
    ) {
        let names: Vec<String> = (0..masks[0].len()).map(|i| format!("p{i}")).collect();
        let fea: Vec<String> = scopes.iter().enumerate().map(|(i, scope)| format!("{scope}:f{i}")).collect();
        let fpm: Vec<String> = masks.iter().map(|mask| decimal(mask)).collect();
        let mut expected = Vec::new();
        for (i, mask) in masks.iter().enumerate().filter(|(i, _)| scopes[*i].contains('o')) {
            expected.extend(
                mask.iter().zip(&names).filter(|(set, _)| **set).map(|(_, name)| format!("org:f{i}:{name}")),
            );
        }
        prop_assert_eq!(permissions(&fea.join(","), &names.join(","), &fpm.join(",")), expected);
    }

    #[test]
    fn any_decimal_number_is_its_bits(mask in "[0-9]{1,300}", count in 1usize..200) {
        let names: Vec<String> = (0..count).map(|i| format!("p{i}")).collect();
        let expected: Vec<String> = bits(&mask, count)
            .iter()
            .zip(&names)
            .filter(|(set, _)| **set)
            .map(|(_, name)| format!("org:f:{name}"))
            .collect();
        prop_assert_eq!(permissions("o:f", &names.join(","), &mask), expected);
    }

    #[test]
    fn whatever_comes_is_a_feature_of_the_organization(
        fea in "[oux]{0,2}:?[a-c]{0,2}(,[oux]{0,2}:?[a-c]{0,2}){0,4}", per in "[a-c, ]{0,8}", fpm in "[0-9,.-]{0,12}",
    ) {
        let well_formed = fea.split(',').all(|element| element.contains(':'));
        for key in permissions(&fea, &per, &fpm) {
            prop_assert!(well_formed);
            let [org, feature, name] = key.split(':').collect::<Vec<_>>()[..] else { panic!("{key}") };
            prop_assert_eq!(org, "org");
            let organizations = ["o", "ou", "uo"].map(|scope| [scope, feature].join(":"));
            prop_assert!(fea.split(',').any(|element| organizations.iter().any(|own| own == element)));
            prop_assert!(!name.is_empty() && per.split(',').any(|listed| listed.trim() == name));
        }
    }
}
