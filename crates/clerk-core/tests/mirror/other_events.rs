//! Invitations into the application, the waitlist, messages, and types that we do not know.

use clerk_core::mirror::Resource::{Invitations, WaitlistEntries};
use clerk_core::mirror::{Event, Ignored, Policy};
use serde_json::{Value, json};

use crate::reading::{assert_alive, columns, data, every_resource, micros, observe, rows};
use crate::samples::{AT, email, event, invitation, sms, user, waitlist_entry, with, without};

#[test]
fn an_invitation_event_fills_its_row() {
    for (event_type, status) in [
        ("invitation.created", "pending"),
        ("invitation.accepted", "accepted"),
        ("invitation.revoked", "revoked"),
    ] {
        let observations = observe(&event(event_type, with(invitation(), json!({"status": status}))));
        assert_eq!(rows(&observations), [(Invitations, "inv_1")], "{event_type}");
        assert_alive(&observations[0]);
        let expected = json!({
            "email_address": "guest@example.com", "status": status, "expires_at": 1_746_868_393_626_i64,
            "public_metadata": {"ref": "x"},
        });
        assert_eq!(columns(&observations[0]), expected);
        assert_eq!(
            data(&observations[0]),
            with(without(invitation(), "url"), json!({"status": status}))
        );
    }
}

#[test]
fn a_waitlist_event_fills_its_row() {
    for event_type in ["waitlistEntry.created", "waitlistEntry.updated"] {
        let observations = observe(&event(event_type, waitlist_entry()));
        assert_eq!(
            rows(&observations),
            [(WaitlistEntries, "wle_1"), (Invitations, "inv_1")],
            "{event_type}"
        );
        assert_alive(&observations[0]);
        let own = observe(&event("invitation.created", invitation()));
        assert_eq!(
            observations[1], own[0],
            "the invitation is told of as by its own event"
        );
        let expected = json!({
            "email_address": "queue@example.com", "status": "invited", "is_locked": false,
            "invitation_id": "inv_1",
        });
        assert_eq!(columns(&observations[0]), expected);
        assert_eq!(
            data(&observations[0]),
            with(waitlist_entry(), json!({"invitation": {"id": "inv_1"}}))
        );
    }
    let early = with(
        without(waitlist_entry(), "invitation"),
        json!({"status": "pending"}),
    );
    let observations = observe(&event("waitlistEntry.created", early));
    assert_eq!(columns(&observations[0])["invitation_id"], Value::Null);
}

#[test]
fn messages_touch_no_row() {
    for (event_type, message) in [("email.created", email()), ("sms.created", sms())] {
        let body = event(event_type, message).to_string();
        let event = Event::parse(&body, 0).unwrap();
        let ignored = event.ignored(&every_resource(), &["ins_1"], micros(AT));
        assert_eq!(ignored, Some(Ignored::NotMirrored), "{event_type}");
        assert_eq!(event.observations(&every_resource()), []);
        assert_eq!(event.user_id().as_deref(), Some("user_1"));
    }
}

#[test]
fn unknown_types_touch_no_row() {
    for event_type in [
        "user.banned",
        "user",
        "user.created.twice",
        "User.created",
        "passkey.created",
        ".",
        "é",
    ] {
        let body = event(event_type, user("user_1")).to_string();
        let event = Event::parse(&body, 0).unwrap();
        let ignored = event.ignored(&every_resource(), &["ins_1"], micros(AT));
        assert_eq!(ignored, Some(Ignored::UnknownType), "{event_type}");
        assert_eq!(event.observations(&every_resource()), []);
        assert_eq!(event.event_type, event_type);
        assert_eq!(event.subject_id.as_deref(), Some("user_1"));
    }
}

#[test]
fn the_ledger_knows_whose_data_a_payload_may_hold() {
    let of = |event_type: &str, data: Value| {
        let body = event(event_type, data).to_string();
        Event::parse(&body, 0).unwrap().user_id()
    };
    let ada = Some("user_1".to_owned());
    assert_eq!(of("user.created", user("user_1")), ada);
    assert_eq!(of("user.deleted", json!({"id": "user_1", "deleted": true})), ada);
    assert_eq!(
        of("user.banned", user("user_1")),
        ada,
        "a type that we do not know"
    );
    assert_eq!(of("", user("user_1")), ada, "no type at all");
    assert_eq!(of("session.created", crate::samples::session()), ada);
    assert_eq!(
        of(
            "organizationMembership.created",
            crate::samples::membership("orgmem_1", "org_1", "user_1")
        ),
        ada
    );
    assert_eq!(
        of("passkey.created", json!({"id": "pk_1", "user_id": "user_1"})),
        ada
    );
    assert_eq!(
        of("passkey.created", json!({"id": "pk_1", "user": {"id": "user_1"}})),
        ada
    );
    let accepted = with(
        crate::samples::organization_invitation(),
        json!({"user_id": "user_1"}),
    );
    assert_eq!(of("organizationInvitation.accepted", accepted), ada);
    assert_eq!(
        of("organization.created", crate::samples::organization("org_1")),
        None
    );
    assert_eq!(of("role.created", crate::samples::role()), None);
}

#[test]
fn the_envelope_is_read() {
    let body = event("user.created", user("user_1")).to_string();
    let event = Event::parse(&body, 7).unwrap();
    assert_eq!(event.event_type, "user.created");
    assert_eq!(event.subject_id.as_deref(), Some("user_1"));
    assert_eq!(event.instance_id.as_deref(), Some("ins_1"));
    assert_eq!(event.event_at, micros(AT));
}

#[test]
fn the_ledger_knows_whose_address_a_payload_may_hold() {
    let policy = every_resource();
    let of = |event_type: &str, data: Value, policy: &Policy| {
        let body = event(event_type, data).to_string();
        let addressee = Event::parse(&body, 0).unwrap().addressee(policy)?;
        Some((addressee.address, addressee.created_at))
    };
    let invitation =
        json!({"id": "inv_1", "email_address": "Ada@example.com", "created_at": 1_750_000_000_000_i64});
    let ada = Some(("Ada@example.com".to_owned(), Some(1_750_000_000_000_000)));
    for event_type in [
        "invitation.created",
        "organizationInvitation.revoked",
        "waitlistEntry.updated",
        "comet.sighted",
    ] {
        assert_eq!(of(event_type, invitation.clone(), &policy), ada, "{event_type}");
    }
    let domain = json!({"id": "orgdmn_1", "affiliation_email_address": "ada@example.com"});
    let at_domain = Some(("ada@example.com".to_owned(), None));
    assert_eq!(of("organizationDomain.created", domain, &policy), at_domain);
    // What is not stored is not hashed, and a person's own event names them by their id.
    assert_eq!(of("email.created", invitation.clone(), &policy), None);
    assert_eq!(of("user.created", user("user_1"), &policy), None);
    let without = Policy {
        exclude_fields: vec!["invitations.email_address".to_owned()],
        ..every_resource()
    };
    assert_eq!(of("invitation.created", invitation, &without), None);
}

#[test]
fn an_event_tells_the_addresses_of_its_user() {
    let addresses = json!([{"id": "idn_1", "email_address": "a@example.com"}, {"id": "idn_2", "email_address": "B@example.com"}, 7]);
    let user = json!({"id": "user_1", "email_addresses": addresses});
    for (event_type, data) in [
        ("user.updated", user.clone()),
        (
            "session.created",
            json!({"id": "sess_1", "user_id": "user_1", "user": user}),
        ),
    ] {
        let body = event(event_type, data).to_string();
        let event = Event::parse(&body, 0).unwrap();
        assert_eq!(
            event.addresses(),
            ["a@example.com", "B@example.com"],
            "{event_type}"
        );
    }
}
