//! Random JSON as text, because much that matters is not to be had from a parsed value: repeated names, escapes, numbers
//! that no double holds.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::samples;

/// A number; an odd one is turned into a string before jsonb gets it.
fn number(odd: bool) -> impl Strategy<Value = String> {
    let odd_weight = if odd { 1 } else { 0 };
    let ordinary = vec![
        "-0",
        "0.5",
        "1e300",
        "-1E-300",
        "1744276393626.75",
        "9007199254740993",
        "1e2",
        "2E+3",
    ];
    let odd = vec!["1e401", "-1e400000", "1E+99999999999999999999", "2e-4000"];
    prop_oneof![
        4 => any::<i32>().prop_map(|number| number.to_string()),
        2 => (0_i64..4_000_000_000_000).prop_map(|number| number.to_string()),
        1 => select(ordinary).prop_map(str::to_owned),
        odd_weight => select(odd).prop_map(str::to_owned),
        odd_weight => (401_usize..420).prop_map(|digits| "7".repeat(digits)),
    ]
}

/// What may stand between a string's quotes.
fn characters(odd: bool) -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        "[a-z0-9_ é😀]{0,12}",
        Just("\\\"\\\\\\n\\u0041\\ud83d\\ude00".to_owned())
    ];
    let odd_ones = select(vec![
        "\\u0000",
        "\\ud800",
        "\\udfff",
        "\\ud83d\\ud83d",
        "\\\\u0000",
        "\\uD83D\\uDE00",
    ]);
    let odd_weight = if odd { 1 } else { 0 };
    let part = prop_oneof![
        4 => plain,
        odd_weight => odd_ones.prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..3).prop_map(|parts| parts.concat())
}

/// Names that mean something somewhere in Clerk's objects.
const NAMES: &[&str] = &[
    "id",
    "object",
    "type",
    "data",
    "timestamp",
    "instance_id",
    "event_attributes",
    "user_id",
    "organization_id",
    "updated_at",
    "created_at",
    "public_user_data",
    "organization",
    "user",
    "payer",
    "items",
    "subscription_items",
    "subscription_id",
    "permissions",
    "key",
    "email_addresses",
    "phone_numbers",
    "verification",
    "status",
    "organization_memberships",
    "private_metadata",
    "public_metadata",
    "scim",
    "plan",
    "totals",
    "grand_total",
    "amount",
    "invitation",
    "url",
    "backup_codes",
    "primary_email_address_id",
    "email_address",
    "name",
    "slug",
    "members_count",
    "first\\u005fname",
    "first_name",
    "deleted",
];

fn name(odd: bool) -> impl Strategy<Value = String> {
    prop_oneof![3 => select(NAMES).prop_map(str::to_owned), 1 => characters(odd)]
}

fn tree(odd: bool) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        2 => number(odd),
        4 => characters(odd).prop_map(|characters| format!("\"{characters}\"")),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let member = (name(odd), inner.clone()).prop_map(|(name, value)| format!("\"{name}\" : {value}"));
        prop_oneof![
            1 => prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(" ,"))),
            2 => prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// Any JSON.
pub fn json() -> impl Strategy<Value = String> {
    tree(true)
}

/// JSON that jsonb takes as it is.
pub fn ordinary_json() -> impl Strategy<Value = String> {
    tree(false)
}

/// A sample of every kind of event, with its type.
pub fn all_events() -> Vec<(&'static str, Value)> {
    let embedding = samples::with(
        samples::user("user_1"),
        serde_json::json!({"organization_memberships": [samples::membership("orgmem_1", "org_1", "user_1")]}),
    );
    vec![
        ("user.created", samples::user("user_1")),
        ("user.updated", embedding),
        ("user.deleted", samples::user("user_1")),
        ("user.banned", samples::user("user_1")),
        ("session.created", samples::session()),
        ("organization.updated", samples::organization("org_1")),
        ("organizationDomain.updated", samples::organization_domain()),
        (
            "organizationMembership.created",
            samples::membership("orgmem_1", "org_1", "user_1"),
        ),
        (
            "organizationMembership.deleted",
            samples::membership("orgmem_1", "org_1", "user_1"),
        ),
        (
            "organizationInvitation.accepted",
            samples::organization_invitation(),
        ),
        ("invitation.created", samples::invitation()),
        ("role.updated", samples::role()),
        (
            "permission.deleted",
            samples::permission("perm_1", "org:reports:read"),
        ),
        ("waitlistEntry.updated", samples::waitlist_entry()),
        ("subscription.updated", samples::subscription()),
        ("subscriptionItem.active", samples::subscription_item("csi_1")),
        ("paymentAttempt.created", samples::payment_attempt()),
        ("email.created", samples::email()),
        ("sms.created", samples::sms()),
        ("thing.created", samples::membership("thing_1", "org_1", "user_1")),
    ]
}

/// An event of any kind with a few of its values, anywhere, replaced by random JSON, or written twice.
pub fn event() -> impl Strategy<Value = String> {
    let change = (any::<Index>(), json(), any::<bool>());
    (select(all_events()), prop::collection::vec(change, 0..5)).prop_map(|((event_type, object), changes)| {
        let mut text = samples::event(event_type, object).to_string();
        for (at, value, twice) in changes {
            // Values of members begin after a colon that follows a quote.
            let places: Vec<usize> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
            let start = places[at.index(places.len())];
            let end = start + value_length(&text[start..]);
            let name_start = text[..start - 2].rfind('"').expect("a name begins with a quote");
            let member = format!("{}{value}", &text[name_start..start]);
            text = match twice {
                true => format!("{},{member}{}", &text[..end], &text[end..]),
                false => format!("{}{value}{}", &text[..start], &text[end..]),
            };
        }
        text
    })
}

/// How long the JSON value is that `text` begins with.
fn value_length(text: &str) -> usize {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&serde_json::value::RawValue>();
    values.next().expect("a value").expect("JSON").get().len()
}

proptest! {
    #[test]
    fn random_events_are_json(event in event()) {
        let parsed = serde_json::from_str::<&serde_json::value::RawValue>(&event);
        prop_assert!(parsed.is_ok(), "{:?} {}", parsed, event);
    }
}
