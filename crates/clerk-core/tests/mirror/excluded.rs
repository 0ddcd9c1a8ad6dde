//! `exclude_fields`: what is named there is stored nowhere.

use clerk_core::mirror::{Event, Policy, Resource};
use serde_json::{Value, json};

use crate::reading::{columns, data, every_resource, everything, observe_with, payload_with, rows};
use crate::samples::{email, event, membership, organization, session, subscription, user, with};

const MARKER: &str = "planted";

fn excluding(fields: &[&str]) -> Policy {
    Policy {
        exclude_fields: fields.iter().map(|&field| field.to_owned()).collect(),
        ..everything()
    }
}

/// Everything that the policy lets through of a body, as one text.
fn stored(body: &Value, policy: &Policy) -> String {
    format!("{:?} {}", observe_with(body, policy), payload_with(body, policy))
}

/// Every member of a user that may be excluded.
fn fields() -> Vec<String> {
    let user = user("user_1");
    let names = user.as_object().unwrap().keys().cloned();
    names
        .filter(|name| Policy::indispensable(std::slice::from_ref(name)).is_none())
        .collect()
}

#[test]
fn an_excluded_field_is_nowhere() {
    let fields = fields();
    assert!(fields.len() > 40, "{fields:?}");
    for field in &fields {
        let planted = with(user("user_1"), json!({ field: [{ MARKER: 1 }] }));
        let bodies = [
            event("user.updated", planted.clone()),
            event("session.created", with(session(), json!({"user": planted}))),
        ];
        for body in bodies {
            for policy in [excluding(&[field]), excluding(&[&format!("users.{field}")])] {
                assert!(!stored(&body, &policy).contains(MARKER), "{field}");
            }
            let other = excluding(&[&format!("organizations.{field}")]);
            assert!(stored(&body, &other).contains(MARKER), "{field}: another table's");
        }
    }
}

#[test]
fn columns_read_from_an_excluded_field_are_null() {
    let body = event("user.updated", user("user_1"));
    let observations = observe_with(
        &body,
        &excluding(&["users.email_addresses", "public_metadata", "first_name"]),
    );
    let columns = columns(&observations[0]);
    for column in [
        "email_addresses",
        "primary_email_address",
        "primary_email_verified",
        "public_metadata",
        "first_name",
    ] {
        assert_eq!(columns[column], Value::Null, "{column}");
    }
    assert_eq!(columns["primary_email_address_id"], "idn_2");
    assert_eq!(columns["last_name"], "Lovelace");
}

#[test]
fn a_field_may_be_excluded_of_one_table_only() {
    let body = event(
        "organizationMembership.created",
        membership("orgmem_1", "org_1", "user_1"),
    );
    let observations = observe_with(&body, &excluding(&["organizations.public_metadata"]));
    assert_eq!(data(&observations[0])["public_metadata"], json!({"desk": 4}));
    assert_eq!(data(&observations[1]).get("public_metadata"), None);
    let payload = payload_with(&body, &excluding(&["organizations.public_metadata"]));
    assert_eq!(payload["data"]["public_metadata"], json!({"desk": 4}));
    assert_eq!(payload["data"]["organization"].get("public_metadata"), None);
}

#[test]
fn private_metadata_can_be_excluded_though_it_was_asked_for() {
    let body = event("user.updated", user("user_1"));
    let policy = excluding(&["scim", "users.private_metadata"]);
    let told = data(&observe_with(&body, &policy)[0]);
    assert_eq!((told.get("scim"), told.get("private_metadata")), (None, None));
}

#[test]
fn an_excluded_object_shows_no_rows() {
    let memberships = json!({"organization_memberships": [membership("orgmem_1", "org_1", "user_1")]});
    let body = event("user.updated", with(user("user_1"), memberships));
    let observations = observe_with(&body, &excluding(&["organization_memberships"]));
    assert_eq!(rows(&observations), [(Resource::Users, "user_1")]);

    let body = event("subscription.updated", subscription());
    let observations = observe_with(&body, &excluding(&["subscriptions.items"]));
    let items = rows(&observations)
        .into_iter()
        .filter(|row| row.0 == Resource::SubscriptionItems);
    assert_eq!(items.count(), 0);
}

#[test]
fn fields_are_excluded_of_ignored_events_too() {
    let policy = excluding(&["users.first_name", "slug"]);
    let unknown = payload_with(&event("user.banned", user("user_1")), &policy);
    assert_eq!(unknown["data"].get("first_name"), None);
    assert_eq!(unknown["data"]["last_name"], "Lovelace");
    let nested = event(
        "team.created",
        json!({"id": "team_1", "owner": organization("org_1")}),
    );
    assert_eq!(payload_with(&nested, &policy)["data"]["owner"].get("slug"), None);
    assert_eq!(
        payload_with(&event("email.created", email()), &policy)["data"].get("slug"),
        None
    );
}

#[test]
fn what_rows_cannot_do_without_is_told() {
    let fields = |fields: &[&str]| -> Vec<String> { fields.iter().map(|&field| field.to_owned()).collect() };
    assert_eq!(
        Policy::indispensable(&fields(&["first_name", "users.slug"])),
        None
    );
    for field in [
        "id",
        "updated_at",
        "created_at",
        "user_id",
        "organization",
        "public_user_data",
        "payer",
    ] {
        assert_eq!(Policy::indispensable(&fields(&["slug", field])), Some(field));
        let of_table = format!("users.{field}");
        assert_eq!(
            Policy::indispensable(&fields(&[&of_table])),
            Some(of_table.as_str())
        );
    }
}

#[test]
fn tables_that_are_turned_off_get_no_rows() {
    let policy = Policy {
        mirror: vec![Resource::OrganizationMemberships],
        ..every_resource()
    };
    let body = event(
        "organizationMembership.created",
        membership("orgmem_1", "org_1", "user_1"),
    );
    assert_eq!(
        rows(&observe_with(&body, &policy)),
        [(Resource::OrganizationMemberships, "orgmem_1")]
    );
    let body = event("user.created", user("user_1")).to_string();
    assert!(Event::parse(&body, 0).unwrap().observations(&policy).is_empty());
}
