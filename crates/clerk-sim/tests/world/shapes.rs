//! Clerk's own names: every field that Clerk's specification requires is there, and no other.

use std::collections::{BTreeMap, BTreeSet};

use clerk_sim::{Activity, Adversity, Event, World, WorldOptions};
use serde_json::Value;

use crate::life::hostile;

/// Required fields; after the bar those that may be there.
const SHAPES: &[(&str, &str)] = &[
    (
        "user",
        "id object external_id primary_email_address_id primary_phone_number_id primary_web3_wallet_id username \
      first_name last_name has_image public_metadata email_addresses phone_numbers web3_wallets passkeys \
      password_enabled two_factor_enabled totp_enabled backup_code_enabled external_accounts saml_accounts \
      enterprise_accounts last_sign_in_at banned locked updated_at created_at delete_self_enabled \
      create_organization_enabled | mfa_enabled_at mfa_disabled_at lockout_expires_in_seconds \
      verification_attempts_remaining last_active_at legal_accepted_at locale profile_image_url image_url \
      private_metadata unsafe_metadata password_last_updated_at deprovisioned create_organizations_limit \
      bypass_client_trust scim",
    ),
    (
        "organization",
        "object id name slug max_allowed_memberships admin_delete_enabled public_metadata created_by \
      created_at updated_at | image_url has_image private_metadata",
    ),
    (
        "organizationMembership",
        "id object role permissions public_metadata organization created_at updated_at | \
      role_name private_metadata public_user_data",
    ),
    (
        "organizationInvitation",
        "object id email_address role role_name inviter_id public_inviter_data public_metadata \
      url expires_at created_at updated_at | organization_id status private_metadata user_id",
    ),
    (
        "organizationDomain",
        "object id organization_id name enrollment_mode affiliation_email_address \
      affiliation_verification ownership_verification verification total_pending_invitations \
      total_pending_suggestions created_at updated_at |",
    ),
    (
        "session",
        "object id user_id client_id actor status last_active_at expire_at abandon_at updated_at created_at \
      user | last_active_organization_id latest_activity",
    ),
    (
        "role",
        "object id name key description permissions created_at updated_at | is_creator_eligible",
    ),
    (
        "permission",
        "object id name key description type created_at updated_at |",
    ),
    (
        "waitlistEntry",
        "object id email_address status created_at updated_at | is_locked invitation",
    ),
    (
        "email",
        "id object slug from_email_name body data delivered_by_clerk subject | reply_to_email_name \
      to_email_address email_address_id user_id body_plain status",
    ),
    (
        "sms",
        "object id from_phone_number to_phone_number user_id message status data delivered_by_clerk created_at_ms \
      | slug phone_number_id",
    ),
    (
        "subscription",
        "object id status active_at canceled_at created_at ended_at past_due_at updated_at \
      latest_payment_id payer_id payer payment_source_id items |",
    ),
    (
        "subscriptionItem",
        "object id status is_free_trial created_at updated_at period_start period_end interval \
      plan_id plan subscription_id | payer seats",
    ),
    (
        "paymentAttempt",
        "id instance_id payment_id invoice_id statement_id gateway_external_id status created_at \
      updated_at paid_at failed_at failed_reason billing_date charge_type payee payer totals payment_source \
      subscription_items |",
    ),
];

fn stream(options: WorldOptions) -> Vec<Event> {
    World::new(options).run(8_000)
}

#[test]
fn objects_have_the_fields_of_the_specification() {
    let mut seen = BTreeSet::new();
    for event in stream(WorldOptions::default()) {
        let data = event.envelope()["data"].take();
        let subject = event.event_type.split('.').next().unwrap();
        let Some((_, shape)) = SHAPES.iter().find(|(name, _)| *name == subject) else {
            assert_eq!(subject, "invitation");
            continue;
        };
        if data["deleted"] == true {
            continue;
        }
        seen.insert(subject.to_owned());
        let (required, optional) = shape.split_once('|').unwrap();
        let fields: BTreeSet<&str> = data.as_object().unwrap().keys().map(String::as_str).collect();
        let required: BTreeSet<&str> = required.split_whitespace().collect();
        let known: BTreeSet<&str> = required
            .iter()
            .copied()
            .chain(optional.split_whitespace())
            .collect();
        assert!(
            required.is_subset(&fields),
            "{subject} lacks {:?}",
            &required - &fields
        );
        assert!(fields.is_subset(&known), "{subject} has {:?}", &fields - &known);
    }
    assert_eq!(seen.len(), SHAPES.len(), "{seen:?}");
}

#[test]
fn every_event_type_is_one_of_clerks_and_most_occur() {
    let types: BTreeSet<String> = stream(WorldOptions::default())
        .into_iter()
        .map(|event| event.event_type)
        .collect();
    let expected = "user.created user.updated user.deleted session.created session.ended session.removed \
        session.revoked organization.created organization.updated organization.deleted organizationDomain.created \
        organizationDomain.updated organizationDomain.deleted organizationMembership.created \
        organizationMembership.updated organizationMembership.deleted organizationInvitation.created \
        organizationInvitation.accepted organizationInvitation.revoked role.created role.updated role.deleted \
        permission.created permission.updated permission.deleted waitlistEntry.created waitlistEntry.updated \
        email.created sms.created subscription.created subscription.updated subscription.active subscription.pastDue \
        subscriptionItem.active subscriptionItem.canceled subscriptionItem.ended paymentAttempt.created \
        paymentAttempt.updated invitation.created invitation.accepted invitation.revoked";
    assert_eq!(types, expected.split_whitespace().map(str::to_owned).collect());
}

#[test]
fn deletions_are_stubs_except_of_memberships() {
    let mut shapes: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for event in stream(hostile(3)) {
        if event.event_type.ends_with(".deleted") {
            let data = event.envelope()["data"].take();
            let stub = data["deleted"] == true;
            assert_eq!(stub, data.get("updated_at").is_none(), "a stub has no times");
            shapes.entry(event.event_type).or_default().insert(stub);
        }
    }
    let (stub, full) = (BTreeSet::from([true]), BTreeSet::from([false]));
    let either = &stub | &full;
    for (event_type, shape) in [
        ("user.deleted", &stub),
        ("organization.deleted", &stub),
        ("organizationDomain.deleted", &stub),
        ("organizationMembership.deleted", &full),
        ("role.deleted", &either),
        ("permission.deleted", &either),
    ] {
        assert_eq!(&shapes[event_type], shape, "{event_type}");
    }
}

#[test]
fn primary_addresses_are_found_by_id_and_need_not_come_first() {
    let (mut later, mut none) = (0, 0);
    for event in stream(WorldOptions {
        activities: vec![Activity::People],
        ..WorldOptions::default()
    }) {
        let data = &event.envelope()["data"];
        if data["deleted"] == true {
            continue;
        }
        let addresses = data["email_addresses"].as_array().unwrap();
        let primary = &data["primary_email_address_id"];
        match addresses.iter().position(|address| address["id"] == *primary) {
            Some(index) => later += usize::from(index > 0),
            None => {
                assert!(primary.is_null() && addresses.is_empty());
                none += 1;
            }
        }
    }
    assert!(later > 100 && none > 100, "{later} {none}");
}

#[test]
fn an_unused_side_of_a_payer_is_empty() {
    let mut sides = BTreeSet::new();
    for event in stream(WorldOptions::default()) {
        let payer = &event.envelope()["data"]["payer"];
        if payer.is_object() {
            let is_empty = |side: &str| payer[side] == "";
            assert_ne!(is_empty("user_id"), is_empty("organization_id"));
            sides.insert(is_empty("user_id"));
        }
    }
    assert_eq!(sides.len(), 2);
}

#[test]
fn envelopes_lack_and_carry_what_the_adversity_says() {
    let always = Adversity {
        no_instance_id: 1.0,
        event_attributes: 1.0,
        seconds: 1.0,
        ..Adversity::default()
    };
    for (adversity, is_plain) in [(Adversity::default(), true), (always, false)] {
        for event in World::new(WorldOptions {
            adversity,
            ..WorldOptions::default()
        })
        .run(50)
        {
            let envelope = event.envelope();
            assert_eq!(
                (&envelope["object"], &envelope["type"]),
                (&"event".into(), &event.event_type.clone().into())
            );
            assert_eq!(envelope["instance_id"] == "ins_sim", is_plain);
            assert_eq!(
                envelope["event_attributes"]["http_request"]["client_ip"] == Value::Null,
                is_plain
            );
            assert_eq!(
                envelope["timestamp"].as_i64().unwrap() > 100_000_000_000,
                is_plain
            );
        }
    }
}

#[test]
fn escapes_are_the_same_json() {
    let adversity = |escapes| Adversity {
        unicode: 1.0,
        escapes,
        ..Adversity::default()
    };
    let bodies = |escapes| {
        let options = WorldOptions {
            adversity: adversity(escapes),
            activities: vec![Activity::People],
            ..WorldOptions::default()
        };
        World::new(options).run(100)
    };
    let escaped = bodies(1.0);
    assert!(escaped.iter().all(|event| event.body.is_ascii()));
    assert!(escaped.iter().any(|event| event.body.contains("\\ud83d\\udc69")));
    assert!(
        escaped
            .iter()
            .any(|event| event.envelope()["data"]["first_name"] == "👩\u{200d}🚀")
    );
    assert!(bodies(0.0).iter().any(|event| !event.body.is_ascii()));
}
