//! Handlers that ask for it also learn of changes that no webhook told of.

use clerk_tests::Sql;
use postgres::types::Json;
use serde_json::{Value, json};

use super::{Scene, user_event};

fn user(id: &str, version: i64, name: &str) -> Value {
    let at = 1_700_000_000_000 + version;
    json!({ "object": "user", "id": id, "first_name": name, "created_at": at, "updated_at": at })
}

/// Lists objects as the Backend API does, at that many seconds after the others.
fn list(scene: &mut Scene, table: &str, objects: &Value, seconds: i32) {
    let observed = "SELECT clerk.apply_objects($1, $2, to_timestamp(1700001000 + $3::int))";
    scene
        .service
        .query(observed, &[&table, &Json(objects), &seconds])
        .expect("the objects are applied");
}

/// Types and ids of the calls so far, which are then forgotten.
fn take(scene: &mut Scene) -> Vec<(String, String)> {
    scene.wait_until_done();
    let calls = "SELECT event->>'type', event->'data'->>'id' FROM app.calls ORDER BY number";
    let rows = scene.owner.query(calls, &[]).expect("the calls can be read");
    scene.owner.run("DELETE FROM app.calls");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn expected(calls: &[(&str, &str)]) -> Vec<(String, String)> {
    calls
        .iter()
        .map(|(event_type, id)| (event_type.to_string(), id.to_string()))
        .collect()
}

#[test]
fn a_row_that_was_missing_or_outdated_is_told_of() {
    let mut scene = Scene::new();
    scene.owner.run(
        "INSERT INTO clerk.instances (issuer, environment, instance_id) VALUES ('https://clerk.sim.test', 'production', 'ins_own')",
    );
    scene.handle("*", "deliveries_only", "NULL");
    scene.define(
        "repairs",
        "INSERT INTO app.calls (handler, event) VALUES ('repairs', event)",
    );
    scene
        .registrant
        .run("SELECT clerk.on_event('user.*', 'app.repairs', true)");
    scene.deliver("msg_1", user_event("user.created", "user_ada", 1));
    scene.wait_until_done();
    scene.owner.run("DELETE FROM app.calls");

    let ada = user("user_ada", 5, "Ada");
    list(&mut scene, "users", &json!([ada, user("user_bob", 1, "Bob")]), 1);
    assert_eq!(
        take(&mut scene),
        expected(&[("user.updated", "user_ada"), ("user.created", "user_bob")])
    );
    // Again, later, the same: only the times of sightings change.
    list(&mut scene, "users", &json!([ada]), 2);
    // Older than what is there.
    list(&mut scene, "users", &json!([user("user_ada", 2, "Adele")]), 3);
    assert_eq!(take(&mut scene), []);
    // Other data at the same updated_at.
    list(&mut scene, "users", &json!([user("user_ada", 5, "Adeline")]), 4);
    assert_eq!(take(&mut scene), expected(&[("user.updated", "user_ada")]));
    // Nobody asked about organizations.
    let organization =
        json!([{ "object": "organization", "id": "org_a", "name": "A", "created_at": 1, "updated_at": 1 }]);
    list(&mut scene, "organizations", &organization, 5);
    assert_eq!(take(&mut scene), []);
}

#[test]
fn a_repair_says_that_it_is_one() {
    let mut scene = Scene::new();
    scene.owner.run(
        "INSERT INTO clerk.instances (issuer, environment, instance_id) VALUES ('https://clerk.sim.test', 'production', 'ins_own')",
    );
    scene.handle("user.created", "note", "NULL");
    scene
        .registrant
        .run("SELECT clerk.on_event('user.created', 'app.note', true)");
    list(&mut scene, "users", &json!([user("user_ada", 1, "Ada")]), 1);
    scene.wait_for_calls(1);
    let Json(mut event): Json<Value> = scene.owner.value("SELECT event FROM app.calls");
    let timestamp = event["timestamp"].as_i64().expect("a time in milliseconds");
    let now: f64 = scene
        .owner
        .value("SELECT extract(epoch FROM clock_timestamp())::float8");
    assert!((now - timestamp as f64 / 1e3).abs() < 60.0);
    event["timestamp"] = json!(0);
    let expected = json!({
        "object": "event", "type": "user.created", "repair": true, "timestamp": 0, "instance_id": "ins_own",
        "data": { "id": "user_ada" },
    });
    assert_eq!(event, expected);
}

#[test]
fn a_placeholder_is_as_good_as_nothing() {
    let mut scene = Scene::new();
    scene.handle("user.*", "note", "NULL");
    scene
        .registrant
        .run("SELECT clerk.on_event('user.*', 'app.note', true)");
    // A membership makes a placeholder of its user, of whom nobody is told.
    let membership = json!([{
        "object": "organization_membership", "id": "orgmem_1", "role": "org:admin", "created_at": 1, "updated_at": 1,
        "organization": { "object": "organization", "id": "org_a", "name": "A", "created_at": 1, "updated_at": 1 },
        "public_user_data": { "user_id": "user_ada" },
    }]);
    list(&mut scene, "organization_memberships", &membership, 1);
    assert_eq!(take(&mut scene), []);
    list(&mut scene, "users", &json!([user("user_ada", 1, "Ada")]), 2);
    assert_eq!(take(&mut scene), expected(&[("user.created", "user_ada")]));
    // Deleted ones do not come back by what was seen before.
    scene.deliver("msg_1", user_event("user.deleted", "user_ada", 9_000_000));
    assert_eq!(take(&mut scene), expected(&[("user.deleted", "user_ada")]));
    list(&mut scene, "users", &json!([user("user_ada", 2, "Ada")]), 3);
    assert_eq!(take(&mut scene), []);
}
