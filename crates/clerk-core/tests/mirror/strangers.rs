//! What is kept of bodies that are not what Clerk documents, and what is left when a person is erased.

use clerk_core::mirror::Event;
use serde_json::{Value, json};

use crate::reading::payload;
use crate::redaction::{MARKER, assert_cut, under};
use crate::samples::{email, event, membership, organization_invitation, session, user, with};

#[test]
fn objects_of_unknown_types_are_searched_through() {
    let nasty = json!({
        "id": "thing_1", "object": "thing", "name": "kept",
        "inner": [{"thing": {"user": user("user_1"), "colour": "kept too"}}],
    });
    let mut paths = Vec::new();
    for parent in ["", "inner.0.", "inner.0.thing."] {
        for name in [
            "private_metadata",
            "url",
            "ticket",
            "token",
            "secret",
            "code",
            "otp_code",
            "subject",
            "body",
            "body_plain",
            "message",
            "data",
            "latest_activity",
            "last_active_token",
            "payment_source",
            "payment_method",
            "backup_codes",
        ] {
            paths.push(format!("{parent}{name}"));
        }
        for person in ["user", "public_user_data", "public_inviter_data", "payer"] {
            paths.push(format!("{parent}{person}"));
            paths.extend(under(&format!("{parent}{person}")));
        }
    }
    assert_cut(
        "thing.created",
        &nasty,
        &paths.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let kept = payload(&event("thing.created", nasty));
    assert_eq!(
        kept["data"],
        json!({
            "id": "thing_1", "object": "thing", "name": "kept",
            "inner": [{"thing": {"user": {"id": "user_1"}, "colour": "kept too"}}],
        })
    );
}

#[test]
fn of_the_envelope_only_what_is_documented_is_kept() {
    let body = with(
        event("user.created", user("user_1")),
        json!({"actor": MARKER, "user": user(MARKER), "object": {"email": MARKER}, "instance_id": [MARKER]}),
    );
    assert!(!payload(&body).to_string().contains(MARKER));
    let kept = payload(&event("user.created", user("user_1")));
    let names: Vec<&str> = kept.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["data", "instance_id", "object", "timestamp", "type"]);
}

/// Somebody may hand over an object instead of an event.
#[test]
fn a_body_that_is_no_event_leaves_nothing_of_its_people() {
    let bare = with(
        user("user_1"),
        json!({"first_name": MARKER, "type": "user.created"}),
    );
    assert_eq!(payload(&bare), json!({"object": "user", "type": "user.created"}));
    for data in [json!([user(MARKER)]), json!(MARKER), json!(7), Value::Null] {
        let body = event("user.created", data);
        assert_eq!(payload(&body)["data"], Value::Null);
    }
}

#[test]
fn a_skeleton_has_only_ids_times_and_states() {
    for (event_type, object) in [
        ("user.updated", user("user_1")),
        ("session.created", session()),
        (
            "organizationInvitation.accepted",
            with(organization_invitation(), json!({"user_id": "user_1"})),
        ),
        ("user.banned", user("user_1")),
        ("email.created", email()),
        (
            "organizationMembership.updated",
            membership("orgmem_1", "org_1", "user_1"),
        ),
    ] {
        let body = event(event_type, object.clone()).to_string();
        let event = Event::parse(&body, 0).unwrap();
        let skeleton: Value = serde_json::from_str(&event.skeleton()).unwrap();
        assert_eq!(skeleton["type"], event_type);
        assert_eq!(skeleton["data"]["id"], object["id"]);
        assert_eq!(skeleton.get("event_attributes"), None);
        for (name, value) in skeleton["data"].as_object().unwrap() {
            if name == "public_user_data" {
                assert_eq!(value, &json!({"user_id": "user_1"}));
                continue;
            }
            let allowed = [
                "id",
                "object",
                "status",
                "deleted",
                "created_at",
                "updated_at",
                "user_id",
                "organization_id",
            ];
            assert!(allowed.contains(&name.as_str()), "{event_type} {name}");
            assert_eq!(value, &object[name]);
        }
        let text = event.skeleton();
        let left = Event::parse(&text, 0).unwrap();
        assert_eq!(
            (left.user_id(), &left.subject_id),
            (event.user_id(), &event.subject_id)
        );
        assert_eq!(left.event_at, event.event_at);
    }
}
