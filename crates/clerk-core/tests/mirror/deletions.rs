//! Deletions: stubs and whole objects, times in milliseconds and in seconds, no time at all.

use clerk_core::mirror::Resource::{
    OrganizationDomains, OrganizationMemberships, Organizations, Permissions, Roles, Users,
};
use clerk_core::mirror::{Event, Ignored, LOWEST, Observation, Resource};
use serde_json::{Value, json};

use crate::reading::{
    assert_alive, assert_deleted, columns, every_resource, is_placeholder, live, micros, observe,
    placeholder, told,
};
use crate::samples::{
    AT, UPDATED, event, membership, organization, organization_domain, permission, role, user, with, without,
};

fn stub(object: &str, id: &str) -> Value {
    json!({"object": object, "id": id, "slug": null, "external_id": null, "deleted": true})
}

const STUBS: [(&str, Resource, &str); 5] = [
    ("user", Users, "user_1"),
    ("organization", Organizations, "org_1"),
    ("organizationDomain", OrganizationDomains, "orgdmn_1"),
    ("role", Roles, "role_1"),
    ("permission", Permissions, "perm_1"),
];

fn tombstone(resource: Resource, id: &str, deleted_at: i64) -> Observation {
    Observation {
        deleted_at: Some(deleted_at),
        ..placeholder(resource, id)
    }
}

#[test]
fn a_stub_deletes_at_the_time_of_its_event() {
    for (prefix, resource, id) in STUBS {
        let body = event(&format!("{prefix}.deleted"), stub(prefix, id));
        assert_eq!(observe(&body), [tombstone(resource, id, micros(AT))], "{prefix}");
    }
}

#[test]
fn seconds_may_mean_the_last_moment_of_their_second() {
    for (prefix, resource, id) in STUBS {
        let body = with(
            event(&format!("{prefix}.deleted"), stub(prefix, id)),
            json!({"timestamp": AT / 1000}),
        );
        let end_of_second = 1_744_276_393_999_000;
        assert_eq!(
            observe(&body),
            [tombstone(resource, id, end_of_second)],
            "{prefix}"
        );
    }
}

#[test]
fn a_deletion_without_time_happened_when_it_came() {
    let body = without(event("user.deleted", stub("user", "user_1")), "timestamp").to_string();
    let observations = Event::parse(&body, 77).unwrap().observations(&every_resource());
    assert_eq!(observations, [tombstone(Users, "user_1", 77)]);

    // The header svix-timestamp counts seconds.
    let second = 1_744_276_393_000_000;
    let observations = Event::parse(&body, second)
        .unwrap()
        .observations(&every_resource());
    assert_eq!(observations, [tombstone(Users, "user_1", second + 999_000)]);
}

#[test]
fn a_stub_without_id_is_kept_and_ignored() {
    for (prefix, _, _) in STUBS {
        let body = event(
            &format!("{prefix}.deleted"),
            json!({"object": prefix, "deleted": true}),
        )
        .to_string();
        let event = Event::parse(&body, 0).unwrap();
        assert_eq!(
            event.ignored(&every_resource(), &["ins_1"], micros(AT)),
            Some(Ignored::NoId),
            "{prefix}"
        );
        assert_eq!(event.observations(&every_resource()), []);
        let payload: Value = serde_json::from_str(&event.payload(&every_resource())).unwrap();
        assert_eq!(payload["data"], json!({"object": prefix, "deleted": true}));
    }
}

#[test]
fn a_whole_object_is_a_version_and_a_deletion() {
    for (prefix, resource, object) in [
        ("user", Users, user("user_1")),
        ("organization", Organizations, organization("org_1")),
        ("organizationDomain", OrganizationDomains, organization_domain()),
        ("role", Roles, role()),
        (
            "permission",
            Permissions,
            permission("perm_1", "org:reports:read"),
        ),
        (
            "organizationMembership",
            OrganizationMemberships,
            membership("orgmem_1", "org_1", "user_1"),
        ),
    ] {
        let deleted = observe(&event(&format!("{prefix}.deleted"), object.clone()));
        let updated = observe(&event(&format!("{prefix}.updated"), object));
        assert_eq!(deleted[0].resource, resource);
        assert_deleted(&deleted[0]);
        assert_eq!(deleted[0].live, updated[0].live, "{prefix}");
        assert_eq!(deleted[1..], updated[1..], "what is inside lives on");
    }
}

#[test]
fn a_deleted_membership_names_both_its_sides() {
    let observations = observe(&event(
        "organizationMembership.deleted",
        membership("orgmem_1", "org_1", "user_1"),
    ));
    assert_eq!(columns(&observations[0])["organization_id"], "org_1");
    assert_eq!(columns(&observations[0])["user_id"], "user_1");
    assert_alive(told(&observations, Organizations, "org_1"));
    assert!(is_placeholder(&observations, Users, "user_1"));
}

#[test]
fn a_deletion_is_never_older_than_what_it_deletes() {
    let seconds = AT / 1000;
    let body = event(
        "organizationMembership.deleted",
        membership("orgmem_1", "org_1", "user_1"),
    );
    let late = with(body.clone(), json!({"timestamp": seconds}));
    assert_eq!(observe(&late)[0].deleted_at, Some(seconds * 1_000_000 + 999_000));

    let wrong_clock = with(body, json!({"timestamp": UPDATED - 60_000}));
    assert_eq!(observe(&wrong_clock)[0].deleted_at, Some(micros(UPDATED)));
}

#[test]
fn a_membership_without_version_is_deleted_like_a_stub() {
    let old = without(membership("orgmem_1", "org_1", "user_1"), "updated_at");
    let body = event("organizationMembership.deleted", old);
    assert_eq!(
        observe(&body),
        [tombstone(OrganizationMemberships, "orgmem_1", micros(AT))]
    );
}

#[test]
fn only_deletion_events_delete() {
    let observations = observe(&event(
        "user.updated",
        with(user("user_1"), json!({"deleted": true})),
    ));
    assert_eq!(observations[0].deleted_at, None);
    for verb in ["ended", "removed", "revoked"] {
        let observations = observe(&event(&format!("session.{verb}"), crate::samples::session()));
        assert_eq!(observations[0].deleted_at, None, "{verb}");
    }
}

#[test]
fn times_in_seconds_are_read_in_events_of_any_kind() {
    let body = with(
        event("user.created", user("user_1")),
        json!({"timestamp": 1_744_276_393}),
    );
    let observations = observe(&body);
    assert_eq!(live(&observations[0]).observed_at, 1_744_276_393_000_000);
    assert_eq!(observations[0].last_seen_at, 1_744_276_393_000_000);
    assert_ne!(observations[0].last_seen_at, LOWEST);
}
