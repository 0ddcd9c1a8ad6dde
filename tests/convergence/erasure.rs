//! After a person is deleted, nothing of their data is left anywhere.

use std::sync::Mutex;
use std::thread;

use clerk_sim::{Activity, Adversity, Event, Resource, World, WorldOptions};
use clerk_tests::{Cluster, Sql};
use postgres::Client;

use crate::scene::{Dice, Scene};

const MARKER: &str = "MARKERqz7";

/// A stream in which a person with a marker in all their data lives and is deleted.
fn history(seed: u64) -> (World, Vec<Event>) {
    let mut world = World::new(WorldOptions {
        seed,
        users: 2..=6,
        organizations: 3,
        // An invitation goes to an address, not to a person: it stays.
        activities: Activity::ALL
            .into_iter()
            .filter(|activity| !matches!(activity, Activity::Invitations | Activity::Waitlist))
            .collect(),
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
    let mut deleted = false;
    while !deleted {
        events.append(&mut world.step());
        deleted = !world.truth().of(Resource::Users)[&user_id].exists;
        assert!(events.len() < 20_000, "seed {seed}: nobody deletes {user_id}");
    }
    events.append(&mut world.run(10));
    (world, events)
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
    for mode in ["scrub", "remove"] {
        client.run(&format!(
            "SELECT clerk.configure_mirror(deleted_users => '{mode}')"
        ));
        for seed in 0..8 {
            let (_, mut events) = history(seed);
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
    let (_, events) = history(3);
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
    for seed in 100..104 {
        let (_, mut events) = history(seed);
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
