//! What must not be stored, wherever Clerk puts it: a marker is planted there and must not come out.

use clerk_core::mirror::{Event, Policy};
use serde_json::{Value, json};

use crate::reading::{data, every_resource, everything, observe_with, payload, payload_with};
use crate::samples::{
    email, event, invitation, membership, organization, organization_domain, organization_invitation,
    payment_attempt, role, session, sms, subscription, subscription_item, user, waitlist_entry, with,
};

pub const MARKER: &str = "planted";

/// Plants the marker at the end of a path. Numbers are places in lists.
fn plant(object: &Value, path: &str) -> Value {
    let mut planted = object.clone();
    let mut place = &mut planted;
    for step in path.split('.') {
        place = match step.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[step],
        };
    }
    *place = json!({"id": format!("not-{MARKER}"), "deep": [MARKER]});
    assert!(planted.to_string().contains(MARKER));
    planted
}

/// Everything that is stored of a body: rows and ledger.
fn stored(body: &Value, policy: &Policy) -> String {
    let text = body.to_string();
    let event = Event::parse(&text, 0).unwrap();
    format!("{:?} {}", event.observations(policy), event.payload(policy))
}

pub fn assert_cut(event_type: &str, object: &Value, paths: &[&str]) {
    for path in paths {
        let body = event(event_type, plant(object, path));
        let stored = stored(&body, &every_resource());
        assert!(
            !stored.contains(&format!("\"{MARKER}\"")),
            "{event_type} {path}: {stored}"
        );
        assert!(
            !stored.contains(&format!("\\\"{MARKER}\\\"")),
            "{event_type} {path}: {stored}"
        );
    }
}

#[test]
fn the_marker_would_be_seen_where_it_is_not_cut() {
    for (event_type, object, path) in [
        ("user.created", user("user_1"), "public_metadata"),
        (
            "organizationMembership.created",
            membership("m", "o", "u"),
            "organization.public_metadata",
        ),
        ("team.created", json!({"id": "team_1"}), "colour"),
    ] {
        let body = event(event_type, plant(&object, path));
        assert!(stored(&body, &every_resource()).contains(MARKER), "{event_type}");
    }
}

#[test]
fn people() {
    let with_membership = with(
        user("user_1"),
        json!({"organization_memberships": [membership("orgmem_1", "org_1", "user_1")]}),
    );
    for verb in ["created", "updated", "deleted", "banned"] {
        assert_cut(
            &format!("user.{verb}"),
            &with_membership,
            &[
                "private_metadata",
                "phone_numbers.0.backup_codes",
                "phone_numbers.1.backup_codes",
                "organization_memberships.0.private_metadata",
                "organization_memberships.0.public_user_data.first_name",
                "organization_memberships.0.public_user_data.identifier",
                "organization_memberships.0.organization.private_metadata",
            ],
        );
    }
    for verb in ["created", "pending", "ended", "removed", "revoked", "touched"] {
        assert_cut(
            &format!("session.{verb}"),
            &session(),
            &[
                "latest_activity",
                "latest_activity.ip_address",
                "last_active_token",
                "public_user_data",
                "user.private_metadata",
                "user.phone_numbers.0.backup_codes",
            ],
        );
    }
}

/// The members of `public_user_data` that are personal.
const PERSONAL: [&str; 8] = [
    "first_name",
    "last_name",
    "image_url",
    "profile_image_url",
    "identifier",
    "username",
    "has_image",
    "nickname",
];

pub fn under(parent: &str) -> Vec<String> {
    PERSONAL.iter().map(|name| format!("{parent}.{name}")).collect()
}

fn assert_cut_under(event_type: &str, object: &Value, parent: &str) {
    let paths = under(parent);
    assert_cut(
        event_type,
        object,
        &paths.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn organizations() {
    for verb in ["created", "updated", "deleted", "archived"] {
        assert_cut(
            &format!("organization.{verb}"),
            &organization("org_1"),
            &["private_metadata"],
        );
        let event_type = format!("organizationMembership.{verb}");
        let membership = membership("orgmem_1", "org_1", "user_1");
        assert_cut(
            &event_type,
            &membership,
            &["private_metadata", "organization.private_metadata"],
        );
        assert_cut_under(&event_type, &membership, "public_user_data");
        assert_cut(
            &format!("organizationDomain.{verb}"),
            &organization_domain(),
            &[
                "public_organization_data.name",
                "private_metadata",
                "public_user_data",
            ],
        );
    }
    for verb in ["created", "accepted", "revoked", "expired"] {
        let event_type = format!("organizationInvitation.{verb}");
        assert_cut(
            &event_type,
            &organization_invitation(),
            &["url", "private_metadata"],
        );
        assert_cut_under(&event_type, &organization_invitation(), "public_inviter_data");
    }
}

#[test]
fn invitations_and_the_waitlist() {
    for verb in ["created", "accepted", "revoked"] {
        assert_cut(
            &format!("invitation.{verb}"),
            &invitation(),
            &["url", "private_metadata"],
        );
    }
    for verb in ["created", "updated", "deleted"] {
        let paths = ["invitation.url", "invitation.private_metadata"];
        assert_cut(&format!("waitlistEntry.{verb}"), &waitlist_entry(), &paths);
    }
}

#[test]
fn payers_and_their_cards() {
    let names = [
        "first_name",
        "last_name",
        "email",
        "organization_name",
        "image_url",
    ];
    for (event_type, object) in [
        ("subscription.updated", subscription()),
        ("subscription.paused", subscription()),
        ("subscriptionItem.active", subscription_item("csi_1")),
        ("paymentAttempt.created", payment_attempt()),
        ("paymentAttempt.refunded", payment_attempt()),
    ] {
        for name in names {
            assert_cut(event_type, &object, &[&format!("payer.{name}")]);
        }
        assert_cut(event_type, &object, &["payment_source", "payment_method"]);
    }
    assert_cut(
        "paymentAttempt.updated",
        &payment_attempt(),
        &["payment_source.last4"],
    );
    assert_cut(
        "paymentAttempt.updated",
        &payment_attempt(),
        &[
            "subscription_items.0.payer.email",
            "subscription_items.0.payment_source",
        ],
    );
    assert_cut(
        "subscription.updated",
        &subscription(),
        &["items.0.payment_source"],
    );
    let item = with(subscription(), json!({"items": [subscription_item("csi_1")]}));
    assert_cut("subscription.updated", &item, &["items.0.payer.first_name"]);
    let listed = with(
        subscription(),
        json!({"subscription_items": [subscription_item("csi_1")]}),
    );
    assert_cut(
        "subscription.updated",
        &listed,
        &["subscription_items.0.payer.first_name"],
    );
}

#[test]
fn roles_show_no_private_metadata() {
    assert_cut(
        "role.updated",
        &role(),
        &["private_metadata", "permissions.0.private_metadata"],
    );
}

#[test]
fn of_messages_only_ids_and_states_are_kept() {
    for (event_type, message) in [
        ("email.created", email()),
        ("email.delivered", email()),
        ("sms.created", sms()),
        ("sms.failed", sms()),
    ] {
        let payload = payload(&event(event_type, message.clone()));
        let kept = payload["data"].as_object().unwrap();
        for (name, value) in kept {
            let allowed = [
                "id",
                "object",
                "slug",
                "status",
                "user_id",
                "email_address_id",
                "phone_number_id",
                "delivered_by_clerk",
                "created_at_ms",
            ];
            assert!(allowed.contains(&name.as_str()), "{event_type} {name}");
            assert_eq!(value, &message[name]);
        }
        assert!(kept.contains_key("slug") && kept.contains_key("status"));
        let names = message.as_object().unwrap().keys();
        for name in names.filter(|name| !kept.contains_key(*name)) {
            assert_cut(event_type, &message, &[name]);
        }
    }
}

#[test]
fn private_metadata_is_in_the_payload_only_on_request() {
    for (event_type, object) in [
        ("user.created", user("user_1")),
        ("organization.created", organization("org_1")),
        ("organizationInvitation.created", organization_invitation()),
    ] {
        let body = event(event_type, object.clone());
        assert_eq!(payload(&body)["data"].get("private_metadata"), None);
        let kept = payload_with(&body, &everything());
        assert_eq!(
            kept["data"]["private_metadata"], object["private_metadata"],
            "{event_type}"
        );
        let told = |policy: &Policy| {
            data(&observe_with(&body, policy)[0])
                .get("private_metadata")
                .cloned()
        };
        assert_eq!(told(&every_resource()), None, "{event_type}");
        assert_eq!(
            told(&everything()).as_ref(),
            object.get("private_metadata"),
            "{event_type}"
        );
    }
}

#[test]
fn a_resource_without_private_metadata_never_stores_it() {
    for (event_type, object) in [("role.created", role()), ("invitation.created", invitation())] {
        let body = event(event_type, plant(&object, "private_metadata"));
        let rows = format!("{:?}", observe_with(&body, &everything()));
        assert!(!rows.contains(MARKER), "{event_type}");
    }
}

#[test]
fn event_attributes_are_kept_only_on_request() {
    let body = event("user.created", user("user_1"));
    assert_eq!(payload(&body).get("event_attributes"), None);
    assert_eq!(
        payload_with(&body, &everything())["event_attributes"],
        body["event_attributes"]
    );
}
