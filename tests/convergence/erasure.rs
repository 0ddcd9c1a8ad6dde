//! After a person is deleted, nothing of their data is left anywhere.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use clerk_sim::{Activity, Adversity, Event, Resource, World, WorldOptions};
use clerk_tests::{Cluster, Dice, Sql};
use postgres::Client;
use serde_json::{Value, json};

use crate::scene::Scene;

const MARKER: &str = "MARKERqz7";

/// A stream in which a person with a marker in all their data lives and is deleted, and others told of their addresses.
fn history(seed: u64) -> Vec<Event> {
    let mut world = World::new(WorldOptions {
        seed,
        users: 2..=6,
        organizations: 3,
        activities: Activity::ALL.to_vec(),
        adversity: Adversity {
            strangers: 0.0,
            ..Adversity::hostile()
        },
        ..WorldOptions::default()
    });
    let mut events = world.run(10);
    let user_id = world
        .truth()
        .of(Resource::Users)
        .iter()
        .find(|(_, fact)| fact.exists)
        .map(|(id, _)| id.clone())
        .expect("somebody signed up");
    events.append(&mut world.plant_marker(&user_id, MARKER));
    let planted_at = world.now_ms();
    let mut deleted = false;
    while !deleted {
        events.append(&mut world.step());
        deleted = !world.truth().of(Resource::Users)[&user_id].exists;
        assert!(events.len() < 20_000, "seed {seed}: nobody deletes {user_id}");
    }
    events.append(&mut world.run(10));
    let mut addresses = addresses_of(&user_id, &events);
    assert!(!addresses.is_empty(), "seed {seed}: the marker is in addresses");
    // By this one an invitation reached them, and no event about them ever says so.
    addresses.push(format!("{MARKER}.accepted@example.com"));
    events.append(&mut told_by_others(&user_id, &addresses, planted_at));
    events
}

/// Every address with the marker that the person had at some time.
fn addresses_of(user_id: &str, events: &[Event]) -> Vec<String> {
    let mut addresses = BTreeSet::new();
    for event in events {
        let data = event.envelope()["data"].clone();
        for user in [&data, &data["user"]] {
            let own = user["email_addresses"]
                .as_array()
                .filter(|_| user["id"] == user_id);
            let own = own.into_iter().flatten();
            addresses.extend(own.filter_map(|address| Some(address["email_address"].as_str()?.to_owned())));
        }
    }
    let marked = addresses
        .into_iter()
        .filter(|address| address.to_uppercase().contains(&MARKER.to_uppercase()));
    marked.collect()
}

/// Events of what was made at that time and holds these addresses, or more of the person's data.
fn told_by_others(user_id: &str, addresses: &[String], at_ms: i64) -> Vec<Event> {
    let mut events = Vec::new();
    let mut tell = |event_type: &str, delay_ms: i64, mut data: Value| {
        data["created_at"] = at_ms.into();
        data["updated_at"] = (at_ms + delay_ms).into();
        events.push(Event {
            svix_id: format!("msg_told_{}_{}", at_ms, events.len()),
            event_type: event_type.to_owned(),
            timestamp_ms: at_ms + delay_ms,
            body: json!({
                "type": event_type, "object": "event", "timestamp": at_ms + delay_ms, "instance_id": "ins_sim", "data": data,
            })
            .to_string(),
        });
    };
    let note = json!({ "note": MARKER });
    for (number, address) in addresses.iter().enumerate() {
        // Addresses are the same in every case.
        for (form, address) in [address.to_uppercase(), address.clone()].into_iter().enumerate() {
            let id = |prefix: &str| format!("{prefix}_{user_id}_{number}_{form}");
            for (delay_ms, kind, status) in [(0, "created", "pending"), (5, "revoked", "revoked")] {
                let data = json!({
                    "id": id("inv"), "object": "invitation", "email_address": address, "public_metadata": note, "status": status,
                });
                tell(&format!("invitation.{kind}"), delay_ms, data);
                let data = json!({
                    "id": id("orginv"), "object": "organization_invitation", "email_address": address, "public_metadata": note,
                    "private_metadata": note, "organization_id": "org_told", "role": "org:member", "status": status,
                });
                tell(&format!("organizationInvitation.{kind}"), delay_ms, data);
            }
            for (delay_ms, kind) in [(0, "created"), (5, "updated")] {
                let data = json!({ "id": id("wle"), "object": "waitlist_entry", "email_address": address, "status": "pending" });
                tell(&format!("waitlistEntry.{kind}"), delay_ms, data);
                let data = json!({
                    "id": id("orgdmn"), "object": "organization_domain", "name": "example.com", "organization_id": "org_told",
                    "affiliation_email_address": address, "enrollment_mode": "manual_invitation",
                });
                tell(&format!("organizationDomain.{kind}"), delay_ms, data);
            }
            // Of a type that nobody knows yet.
            tell(
                "comet.sighted",
                0,
                json!({ "id": id("comet"), "email_address": address }),
            );
        }
    }
    let accepted = addresses.last().expect("there is one");
    for (delay_ms, kind, accepted_by) in [(0, "created", Value::Null), (5, "accepted", user_id.into())] {
        let data = json!({
            "id": format!("orginv_{user_id}"), "object": "organization_invitation", "email_address": accepted,
            "public_metadata": note, "private_metadata": note, "organization_id": "org_told", "role": "org:member",
            "status": "pending", "user_id": accepted_by,
        });
        tell(&format!("organizationInvitation.{kind}"), delay_ms, data);
    }
    let data = json!({
        "id": format!("orgmem_{user_id}"), "object": "organization_membership", "role": "org:member", "public_metadata": note,
        "private_metadata": note, "organization": { "id": "org_told" }, "public_user_data": { "user_id": user_id },
    });
    tell("organizationMembership.created", 0, data);
    events
}

/// Every text of every table of ours, of which one may hold the marker.
fn places_with_marker(client: &mut Client) -> Vec<String> {
    let tables: Vec<String> = client
        .query(
            "SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind = 'r'",
            &[],
        )
        .expect("the catalog can be read")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(
        tables.len() > 20,
        "the tables of the mirror and the ledger are there"
    );
    let mut places = Vec::new();
    for table in tables {
        let query = format!("SELECT t::text FROM clerk.{table} AS t WHERE t::text ILIKE '%{MARKER}%'");
        let rows = client.query(&query, &[]).expect("the owner may read everything");
        places.extend(
            rows.iter()
                .map(|row| format!("{table}: {}", row.get::<_, String>(0))),
        );
    }
    places
}

fn assert_erased(client: &mut Client, what: &str) {
    client.run("SELECT clerk.maintain()");
    let places = places_with_marker(client);
    assert!(places.is_empty(), "{what}:\n{}", places.join("\n"));
}

#[test]
fn in_every_order() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run("SELECT clerk.configure(keep_private_metadata => true)");
    for mode in ["scrub", "remove"] {
        client.run(&format!(
            "SELECT clerk.configure_mirror(deleted_users => '{mode}')"
        ));
        for seed in 0..8 {
            let mut events = history(seed);
            let mut dice = Dice::new(seed);
            if seed % 4 != 0 {
                dice.shuffle(&mut events);
            } else {
                events.reverse();
            }
            for (at, event) in events.iter().enumerate() {
                scene.deliver(&mut client, event);
                if at % 16 == 0 {
                    client.run("SELECT clerk.maintain()");
                }
            }
            assert_erased(&mut client, &format!("{mode}, seed {seed}"));
        }
    }
}

#[test]
fn the_marker_is_there_before_the_deletion_and_stays_if_asked_for() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run("SELECT clerk.configure_mirror(deleted_users => 'keep')");
    let events = history(3);
    for event in &events {
        scene.deliver(&mut client, event);
    }
    client.run("SELECT clerk.maintain()");
    assert!(!places_with_marker(&mut client).is_empty(), "keep keeps");
    client.run("SELECT clerk.configure_mirror(deleted_users => 'scrub')");
    assert_erased(&mut client, "changed to scrub");
}

#[test]
fn with_eight_sessions() {
    let scene = Scene::on(Cluster::shared());
    scene
        .db
        .superuser()
        .run("SELECT clerk.configure(keep_private_metadata => true)");
    for seed in 100..104 {
        let mut events = history(seed);
        Dice::new(seed).shuffle(&mut events);
        let queue = Mutex::new(events);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut client = scene.db.superuser();
                    loop {
                        let next = queue.lock().expect("no holder panics").pop();
                        let Some(event) = next else { break };
                        scene.deliver(&mut client, &event);
                    }
                });
            }
        });
        assert_erased(&mut scene.db.superuser(), &format!("seed {seed}"));
    }
}
