//! Objects as the Backend API lists them, and placeholders from session tokens.

use clerk_core::mirror::Resource::{OrganizationMemberships, Users};
use clerk_core::mirror::{
    FutureTime, LOWEST, ObjectError, ObjectsError, Policy, observe_objects, placeholder_membership,
};
use serde_json::{Value, json};

use crate::reading::{columns, data, every_resource, live, micros, observe, rows};
use crate::samples::{AT, UPDATED, event, membership, organization, user, with, without};

const DAY: i64 = 24 * 3600 * 1000;

fn listed(
    resource: clerk_core::mirror::Resource,
    objects: &Value,
) -> Result<Vec<clerk_core::mirror::Observation>, ObjectsError> {
    observe_objects(
        resource,
        &objects.to_string(),
        micros(AT),
        Some("ins_1"),
        &every_resource(),
        micros(AT),
    )
}

#[test]
fn a_listed_object_says_what_an_event_would() {
    let told = listed(Users, &json!([user("user_1"), user("user_2")])).unwrap();
    assert_eq!(rows(&told), [(Users, "user_1"), (Users, "user_2")]);
    assert_eq!(told[0], observe(&event("user.updated", user("user_1")))[0]);

    let told = listed(
        OrganizationMemberships,
        &json!([membership("orgmem_1", "org_1", "user_1")]),
    )
    .unwrap();
    let event = observe(&event(
        "organizationMembership.updated",
        membership("orgmem_1", "org_1", "user_1"),
    ));
    assert_eq!(told, event);
}

#[test]
fn the_time_of_the_answer_orders_what_has_no_version() {
    let told = listed(Users, &json!([without(user("user_1"), "updated_at")])).unwrap();
    assert_eq!(live(&told[0]).updated_at, micros(AT));
    let told = listed(Users, &json!([user("user_1")])).unwrap();
    assert_eq!(live(&told[0]).updated_at, micros(UPDATED));
    assert_eq!(told[0].last_seen_at, micros(AT));
}

#[test]
fn only_mirrored_resources_are_told_of() {
    let policy = Policy {
        mirror: vec![OrganizationMemberships],
        ..Policy::default()
    };
    let objects = json!([membership("orgmem_1", "org_1", "user_1")]).to_string();
    let told = observe_objects(OrganizationMemberships, &objects, 0, None, &policy, micros(AT)).unwrap();
    assert_eq!(rows(&told), [(OrganizationMemberships, "orgmem_1")]);
}

#[test]
fn what_is_no_list_of_objects_is_refused() {
    let refused =
        |objects: &str| observe_objects(Users, objects, 0, None, &Policy::default(), 0).unwrap_err();
    assert!(matches!(refused("[{]"), ObjectsError::NotJson(_)));
    assert!(matches!(refused(""), ObjectsError::NotJson(_)));
    assert_eq!(refused("{\"data\":[]}"), ObjectsError::NotAnArray);
    assert_eq!(
        refused("[{\"id\":\"user_1\"}, {\"id\":null}]"),
        ObjectsError::Element(1, ObjectError::NoId)
    );
    assert_eq!(refused("[7]"), ObjectsError::Element(0, ObjectError::NoId));
    assert_eq!(
        observe_objects(Users, " [ ] ", 0, None, &Policy::default(), 0),
        Ok(Vec::new())
    );
}

/// By the rule of the ledger: more than a day after the database's time, in the object or in one inside it.
#[test]
fn an_object_from_the_future_is_refused() {
    let future = AT + 2 * DAY;
    let objects = |updated_at: i64| {
        json!([
            user("user_1"),
            with(user("user_2"), json!({ "updated_at": updated_at }))
        ])
    };
    let error = |member: &str, value: i64| {
        let (member, value) = (member.to_owned(), value.to_string());
        ObjectsError::Element(1, ObjectError::FromTheFuture(FutureTime { member, value }))
    };
    assert!(listed(Users, &objects(AT + DAY)).is_ok(), "a clock may be wrong");
    for updated_at in [AT + DAY + 1, future, 4_102_444_800_000, 4_102_444_800] {
        assert_eq!(
            listed(Users, &objects(updated_at)),
            Err(error("updated_at", updated_at))
        );
    }

    let organization = with(organization("org_1"), json!({ "updated_at": future }));
    let of_future = with(
        membership("orgmem_1", "org_1", "user_1"),
        json!({ "organization": organization }),
    );
    let members = json!([membership("orgmem_2", "org_2", "user_1"), of_future]);
    assert_eq!(
        listed(OrganizationMemberships, &members),
        Err(error("organization.updated_at", future))
    );
    let users = json!([
        user("user_1"),
        with(user("user_2"), json!({ "organization_memberships": members }))
    ]);
    assert_eq!(
        listed(Users, &users),
        Err(error(
            "organization_memberships[1].organization.updated_at",
            future
        ))
    );
}

#[test]
fn an_answer_from_the_future_is_refused() {
    let objects = json!([user("user_1")]).to_string();
    let seen =
        |observed_at: i64| observe_objects(Users, &objects, observed_at, None, &every_resource(), micros(AT));
    assert!(seen(micros(AT + DAY)).is_ok());
    for observed_at in [micros(AT + DAY) + 1, i64::MAX] {
        let (member, value) = ("observed_at".to_owned(), observed_at.to_string());
        let error = ObjectError::FromTheFuture(FutureTime { member, value });
        assert_eq!(seen(observed_at), Err(ObjectsError::Element(0, error)));
    }
}

#[test]
fn a_membership_in_a_token_is_a_placeholder_that_names_both_sides() {
    let told = placeholder_membership("user_1", "org_1", Some("ins_1".to_owned()));
    assert!(told.is_placeholder());
    assert_eq!(told.resource, OrganizationMemberships);
    assert_eq!(
        live(&told).updated_at,
        LOWEST,
        "anything that Clerk says is newer"
    );
    assert_eq!(told.last_seen_at, LOWEST);
    let wanted = json!({"organization": {"id": "org_1"}, "public_user_data": {"user_id": "user_1"}});
    assert_eq!(data(&told), wanted);
    let columns = columns(&told);
    assert_eq!(
        (&columns["user_id"], &columns["organization_id"]),
        (&json!("user_1"), &json!("org_1"))
    );
    assert_eq!(columns["role"], Value::Null);
    let other = placeholder_membership("user_1", "org_2", None);
    assert_ne!(told.id, other.id);
}
