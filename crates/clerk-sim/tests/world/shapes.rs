//! Clerk's own names: every field that Clerk's specification requires is there, and no other.

use std::collections::{BTreeMap, BTreeSet};

use clerk_sim::{Activity, Adversity, Event, Resource, World, WorldOptions};
use serde_json::Value;

use crate::life::hostile;

/// The messages, of which there is no table: required members; after the bar those that may be there.
const MESSAGES: &[(&str, &str)] = &[
    (
        "email",
        "id object slug from_email_name body data delivered_by_clerk subject | reply_to_email_name \
      to_email_address email_address_id user_id body_plain status",
    ),
    (
        "sms",
        "id object from_phone_number to_phone_number user_id message status data delivered_by_clerk created_at_ms \
      | slug phone_number_id",
    ),
];

/// Where the column of each source is in the tables of members.
const WEBHOOK: usize = 1;
const API: usize = 2;

/// The members that a source always shows, and those that it may show.
pub struct Shape {
    always: BTreeSet<String>,
    known: BTreeSet<String>,
}

impl Shape {
    fn of(resource: Resource, source: usize) -> Self {
        let path = format!(
            "{}/../clerk-core/members/{resource}.tsv",
            env!("CARGO_MANIFEST_DIR")
        );
        let table = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let lines = table
            .lines()
            .skip(1)
            .map(|line| line.split('\t').collect::<Vec<_>>());
        let members: Vec<Vec<&str>> = lines.filter(|line| !line[0].contains('.')).collect();
        let names = |presences: &[&str]| {
            let chosen = members.iter().filter(|line| presences.contains(&line[source]));
            chosen.map(|line| line[0].to_owned()).collect()
        };
        Self {
            always: names(&["yes"]),
            known: names(&["yes", "optional"]),
        }
    }

    fn of_message(members: &str) -> Self {
        let names = |text: &str| {
            text.split_whitespace()
                .filter(|name| *name != "|")
                .map(str::to_owned)
                .collect()
        };
        Self {
            always: names(members.split('|').next().unwrap()),
            known: names(members),
        }
    }

    /// Notes which of the members that need not be there are there, and which are not.
    fn check(&self, what: &str, object: &Value, optional: &mut BTreeMap<String, BTreeSet<bool>>) {
        let members: BTreeSet<String> = object.as_object().unwrap().keys().cloned().collect();
        assert!(
            self.always.is_subset(&members),
            "{what} lacks {:?}",
            &self.always - &members
        );
        assert!(
            members.is_subset(&self.known),
            "{what} has {:?}",
            &members - &self.known
        );
        for name in &self.known - &self.always {
            let is_there = members.contains(&name);
            optional
                .entry(format!("{what}.{name}"))
                .or_default()
                .insert(is_there);
        }
    }
}

fn stream(options: WorldOptions) -> Vec<Event> {
    World::new(options).run(8_000)
}

#[test]
fn events_have_the_members_of_the_specification() {
    let (mut seen, mut optional, mut has_invitation) = (BTreeSet::new(), BTreeMap::new(), false);
    for event in stream(WorldOptions::default()) {
        let data = event.envelope()["data"].take();
        let subject = event.event_type.split('.').next().unwrap();
        if data["deleted"] == true {
            continue;
        }
        seen.insert(subject.to_owned());
        has_invitation |= subject == "waitlistEntry" && data["invitation"]["email_address"].is_string();
        let shape = match crate::model::resource(subject) {
            Some(resource) => Shape::of(resource, WEBHOOK),
            None => Shape::of_message(MESSAGES.iter().find(|(name, _)| *name == subject).unwrap().1),
        };
        shape.check(subject, &data, &mut optional);
    }
    assert_eq!(seen.len(), Resource::ALL.len() + MESSAGES.len(), "{seen:?}");
    for only_sometimes in ["user.scim", "organizationInvitation.user_id"] {
        assert_eq!(optional[only_sometimes].len(), 2, "{only_sometimes}");
    }
    assert!(
        has_invitation,
        "an entry of the waitlist shows its invitation whole"
    );
    assert_eq!(optional["organization.members_count"], BTreeSet::from([false]));
}

#[test]
fn the_api_shows_the_members_of_the_specification() {
    let mut world = World::new(WorldOptions::default());
    world.run(8_000);
    let mut optional = BTreeMap::new();
    for resource in Resource::ALL {
        let shape = Shape::of(resource, API);
        let objects = world.api_page(resource).objects;
        assert!(!objects.is_empty(), "{resource}");
        for object in objects {
            shape.check(resource.as_str(), &object, &mut optional);
        }
    }
    for only_sometimes in ["subscription_items.payer", "payment_attempts.totals"] {
        assert_eq!(optional[only_sometimes].len(), 2, "{only_sometimes}");
    }
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
