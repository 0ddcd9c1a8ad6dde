//! `user.*` and `session.*`: rows, typed columns, `data`.

use clerk_core::mirror::Resource::{OrganizationMemberships, Organizations, Sessions, Users};
use clerk_core::mirror::{Event, Policy};
use serde_json::{Value, json};

use crate::reading::{
    assert_alive, columns, data, everything, is_placeholder, live, member, micros, observe, observe_with,
    rows, told,
};
use crate::samples::{AT, UPDATED, email_address, event, membership, session, user, with, without};

#[test]
fn a_user_event_fills_the_users_row() {
    for event_type in ["user.created", "user.updated"] {
        let observations = observe(&event(event_type, user("user_1")));
        assert_eq!(rows(&observations), [(Users, "user_1")], "{event_type}");
        assert_alive(&observations[0]);
        let expected = json!({
            "primary_email_address_id": "idn_2", "primary_email_address": "ada@example.com",
            "primary_email_verified": true, "primary_phone_number_id": "idn_4",
            "primary_phone_number": "+15555550104", "primary_phone_verified": false,
            "email_addresses": ["first@example.com", "ada@example.com"], "username": "ada", "first_name": "Ada",
            "last_name": "Lovelace", "image_url": "https://img.example.com/ada.png", "external_id": "ext-7",
            "banned": false, "locked": true, "public_metadata": {"plan": "pro"}, "last_sign_in_at": UPDATED,
            "last_active_at": 1_744_243_200_000_i64, "scim": user("user_1")["scim"], "private_metadata": null,
        });
        assert_eq!(columns(&observations[0]), expected);
    }
}

#[test]
fn user_data_is_everything_but_private_metadata_and_backup_codes() {
    let observations = observe(&event("user.updated", user("user_1")));
    let mut expected = without(user("user_1"), "private_metadata");
    for phone in expected["phone_numbers"].as_array_mut().unwrap() {
        phone.as_object_mut().unwrap().remove("backup_codes");
    }
    assert_eq!(data(&observations[0]), expected);
}

#[test]
fn members_are_told_only_by_sources_that_carry_them() {
    let user = user("user_1");
    let shown = observe_with(&event("user.updated", user.clone()), &everything());
    assert_eq!(member(&shown[0], "scim"), Some(user["scim"].clone()));
    assert_eq!(
        member(&shown[0], "private_metadata"),
        Some(json!({"stripe": "cus_1"}))
    );

    let emptied = with(user.clone(), json!({"scim": null, "private_metadata": null}));
    let emptied = observe_with(&event("user.updated", emptied), &everything());
    assert_eq!(member(&emptied[0], "scim"), Some(Value::Null));
    assert!(
        live(&emptied[0])
            .values
            .contains(&clerk_core::mirror::Value::Json(None)),
        "NULL in the column, not JSON's null"
    );
    assert_eq!(member(&emptied[0], "private_metadata"), Some(Value::Null));

    let silent = without(without(user, "scim"), "private_metadata");
    let silent = observe_with(&event("user.updated", silent), &everything());
    assert_eq!(member(&silent[0], "scim"), None);
    assert_eq!(member(&silent[0], "private_metadata"), None);
}

#[test]
fn private_metadata_is_not_told_unless_asked_for() {
    let observations = observe(&event("user.updated", user("user_1")));
    assert_eq!(member(&observations[0], "private_metadata"), None);
    assert!(member(&observations[0], "scim").is_some());
}

/// The primary columns of a user with these members.
fn primary(changes: Value) -> [Value; 4] {
    let observations = observe(&event("user.updated", with(user("user_1"), changes)));
    let columns = columns(&observations[0]);
    [
        "primary_email_address_id",
        "primary_email_address",
        "primary_email_verified",
        "email_addresses",
    ]
    .map(|column| columns[column].clone())
}

#[test]
fn the_primary_address_is_found_by_its_id() {
    let [id, address, verified, _] = primary(json!({"primary_email_address_id": "idn_1"}));
    assert_eq!(
        (id, address, verified),
        (json!("idn_1"), json!("first@example.com"), json!(false))
    );
}

#[test]
fn a_user_may_have_no_primary_address() {
    let all = json!(["first@example.com", "ada@example.com"]);
    let none = primary(json!({"primary_email_address_id": null}));
    assert_eq!(none, [Value::Null, Value::Null, Value::Null, all.clone()]);
    let elsewhere = primary(json!({"primary_email_address_id": "idn_gone"}));
    assert_eq!(elsewhere, [json!("idn_gone"), Value::Null, Value::Null, all]);
    let no_address = primary(json!({"primary_email_address_id": null, "email_addresses": []}));
    assert_eq!(no_address, [Value::Null, Value::Null, Value::Null, json!([])]);
    let null = primary(json!({"email_addresses": null}));
    assert_eq!(null, [json!("idn_2"), Value::Null, Value::Null, Value::Null]);
}

#[test]
fn an_address_without_verification_is_not_verified() {
    let address = with(
        email_address("idn_2", "ada@example.com", ""),
        json!({"verification": null}),
    );
    let [_, text, verified, _] = primary(json!({"email_addresses": [address]}));
    assert_eq!((text, verified), (json!("ada@example.com"), json!(false)));
    let odd = with(
        email_address("idn_2", "ada@example.com", ""),
        json!({"verification": {"status": "expired"}}),
    );
    assert_eq!(primary(json!({"email_addresses": [odd]}))[2], json!(false));
}

#[test]
fn an_address_that_no_index_could_hold_is_in_data_only() {
    let long = format!("{}@example.com", "a".repeat(600));
    let addresses = json!([
        email_address("idn_1", &long, "verified"),
        email_address("idn_2", "a@b.c", "verified")
    ]);
    let body = event(
        "user.updated",
        with(user("user_1"), json!({"email_addresses": addresses})),
    );
    let observations = observe(&body);
    assert_eq!(columns(&observations[0])["email_addresses"], json!(["a@b.c"]));
    assert_eq!(
        data(&observations[0])["email_addresses"][0]["email_address"],
        json!(long)
    );
}

#[test]
fn metadata_may_be_null() {
    let metadata = json!({"public_metadata": null, "private_metadata": null, "unsafe_metadata": null});
    let observations = observe(&event("user.updated", with(user("user_1"), metadata)));
    assert_eq!(columns(&observations[0])["public_metadata"], Value::Null);
    assert_eq!(data(&observations[0])["public_metadata"], Value::Null);
}

/// As in old documentation: no instance, no state, no counters, a birthday.
#[test]
fn an_old_sample_is_read_as_far_as_it_goes() {
    let data = json!({
        "birthday": "", "created_at": 1654012591514_i64, "email_addresses": [{
            "email_address": "example@example.org", "id": "idn_old", "linked_to": [], "object": "email_address",
            "verification": {"status": "verified", "strategy": "ticket"},
        }],
        "external_accounts": [], "external_id": "567772", "first_name": "Example", "gender": "", "id": "user_old",
        "image_url": "https://img.example.com/x", "last_name": "Example", "last_sign_in_at": 1654012591514_i64,
        "object": "user", "password_enabled": true, "phone_numbers": [], "primary_email_address_id": "idn_old",
        "primary_phone_number_id": null, "primary_web3_wallet_id": null, "private_metadata": {},
        "profile_image_url": "https://www.example.com/avatar", "public_metadata": {}, "two_factor_enabled": false,
        "unsafe_metadata": {}, "updated_at": 1654012591835_i64, "username": null, "web3_wallets": [],
    });
    let body = json!({"data": data, "object": "event", "type": "user.created"}).to_string();
    let event = Event::parse(&body, micros(AT)).unwrap();
    assert_eq!(event.ignored(&Policy::default(), &["ins_1"], micros(AT)), None);
    let observations = event.observations(&Policy::default());
    let expected = json!({
        "primary_email_address_id": "idn_old", "primary_email_address": "example@example.org",
        "primary_email_verified": true, "primary_phone_number_id": null, "primary_phone_number": null,
        "primary_phone_verified": null, "email_addresses": ["example@example.org"], "username": null,
        "first_name": "Example", "last_name": "Example", "image_url": "https://img.example.com/x",
        "external_id": "567772", "banned": null, "locked": null, "public_metadata": {},
        "last_sign_in_at": 1654012591514_i64, "last_active_at": null, "scim": null, "private_metadata": null,
    });
    assert_eq!(columns(&observations[0]), expected);
    assert_eq!(observations[0].instance_id, None);
    assert_eq!(live(&observations[0]).updated_at, micros(1654012591835));
    assert_eq!(
        live(&observations[0]).observed_at,
        micros(AT),
        "no timestamp: when it came"
    );
}

#[test]
fn an_id_is_all_that_a_user_needs() {
    let observations = observe(&event("user.created", json!({"id": "user_1"})));
    assert_eq!(
        live(&observations[0]).updated_at,
        micros(AT),
        "no updated_at: the event's time"
    );
    assert_eq!(live(&observations[0]).created_at, None);
    let columns = columns(&observations[0]);
    assert!(
        columns.as_object().unwrap().values().all(Value::is_null),
        "{columns}"
    );
}

#[test]
fn memberships_inside_a_user_get_rows_and_leave_ids() {
    let inside = without(membership("orgmem_1", "org_1", "user_1"), "public_user_data");
    let observations = observe(&event(
        "user.updated",
        with(user("user_1"), json!({"organization_memberships": [inside]})),
    ));
    assert_eq!(observations[0].resource, Users);
    assert_eq!(
        data(&observations[0])["organization_memberships"],
        json!([{"id": "orgmem_1"}])
    );
    let membership = told(&observations, OrganizationMemberships, "orgmem_1");
    assert_alive(membership);
    assert_eq!(
        columns(membership)["user_id"],
        "user_1",
        "whose it is, its user says"
    );
    assert_eq!(columns(membership)["organization_id"], "org_1");
    assert_alive(told(&observations, Organizations, "org_1"));
}

#[test]
fn a_membership_inside_a_user_that_names_no_organization_is_no_version_of_it() {
    let inside = without(membership("orgmem_1", "org_1", "user_1"), "organization");
    let body = event(
        "user.updated",
        with(user("user_1"), json!({"organization_memberships": [inside]})),
    );
    assert!(is_placeholder(
        &observe(&body),
        OrganizationMemberships,
        "orgmem_1"
    ));
}

#[test]
fn a_session_event_fills_the_session_and_shows_its_user() {
    for (event_type, status) in [
        ("session.created", "active"),
        ("session.pending", "pending"),
        ("session.ended", "ended"),
        ("session.removed", "removed"),
        ("session.revoked", "revoked"),
    ] {
        let observations = observe(&event(event_type, with(session(), json!({"status": status}))));
        assert_eq!(rows(&observations)[0], (Sessions, "sess_1"), "{event_type}");
        assert_alive(&observations[0]);
        let expected = json!({
            "user_id": "user_1", "client_id": "client_1", "status": status, "last_active_organization_id": "org_1",
            "last_active_at": UPDATED, "expire_at": 1_744_881_193_626_i64, "abandon_at": 1_746_868_393_626_i64,
            "actor": {"sub": "user_support"},
        });
        assert_eq!(columns(&observations[0]), expected);
        let kept = with(
            without(session(), "latest_activity"),
            json!({"status": status, "user": {"id": "user_1"}}),
        );
        assert_eq!(data(&observations[0]), kept);

        let user = told(&observations, Users, "user_1");
        assert_alive(user);
        assert_eq!(columns(user)["primary_email_address"], "ada@example.com");
        assert_eq!(member(user, "scim"), None, "sessions do not carry it");
    }
}

#[test]
fn a_session_without_its_user_only_refers_to_one() {
    let observations = observe(&event("session.created", with(session(), json!({"user": null}))));
    assert_eq!(data(&observations[0])["user"], Value::Null);
    assert!(is_placeholder(&observations, Users, "user_1"));
}

#[test]
fn without_a_table_of_sessions_their_events_touch_nothing() {
    let body = event("session.created", session()).to_string();
    let ignored = Event::parse(&body, 0)
        .unwrap()
        .ignored(&Policy::default(), &["ins_1"], micros(AT));
    assert_eq!(ignored.map(|ignored| ignored.as_str()), Some("not-mirrored"));
}
