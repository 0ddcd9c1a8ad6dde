//! Rules of the join that random histories of one honest instance do not reach.

use std::time::{Duration, Instant};

use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

use crate::scene::Scene;

fn apply(client: &mut Client, event: Value) -> Value {
    let Json(answer) = client.value_of("SELECT clerk.apply_event($1)", &[&Json(event)]);
    answer
}

fn user(kind: &str, id: &str, at: i64, data: Value) -> Value {
    let mut object = json!({ "id": id, "object": "user", "updated_at": at });
    for (name, value) in data.as_object().expect("an object") {
        object[name] = value.clone();
    }
    if kind == "user.deleted" {
        object = json!({ "id": id, "object": "user", "deleted": true });
    }
    json!({ "type": kind, "object": "event", "timestamp": at, "instance_id": "ins_sim", "data": object })
}

#[test]
fn a_side_field_goes_with_its_own_version() {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    for (order, steps) in ORDERS.iter().enumerate() {
        let id = format!("user_{order}");
        let start = 1_750_000_000_000;
        let events = [
            user(
                "user.updated",
                &id,
                start,
                json!({ "scim": { "directory_id": "dir_1" } }),
            ),
            user("user.deleted", &id, start + 2_000, json!({})),
            user(
                "user.updated",
                &id,
                start + 6_000,
                json!({ "first_name": "Back" }),
            ),
        ];
        for step in steps {
            apply(&mut client, events[*step].clone());
        }
        let row = client
            .query_one(
                "SELECT deleted, first_name, scim IS NULL FROM clerk.users WHERE id = $1",
                &[&id],
            )
            .expect("there is a row");
        let found: (bool, Option<String>, bool) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(found, (false, Some("Back".to_owned()), true), "order {steps:?}");
    }
}

#[test]
fn another_instance_cannot_touch_a_row() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run(
        "SELECT clerk.configure(issuer => 'https://other.test', jwks_url => '', instance_id => 'ins_other', additional => true)",
    );
    apply(
        &mut client,
        user(
            "user.created",
            "user_1",
            1_750_000_000_000,
            json!({ "first_name": "Ada" }),
        ),
    );
    let mut foreign = user("user.deleted", "user_1", 1_750_000_009_000, json!({}));
    foreign["instance_id"] = json!("ins_other");
    let answer = apply(&mut client, foreign);
    assert_eq!(
        (&answer["status"], &answer["reason"]),
        (&json!("ignored"), &json!("foreign-instance")),
        "{answer}"
    );
    let name: Option<String> =
        client.value("SELECT first_name FROM clerk.existing_users WHERE id = 'user_1'");
    assert_eq!(name.as_deref(), Some("Ada"));
}

#[test]
fn a_batch_waits_no_longer_than_one_event() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    apply(
        &mut client,
        user("user.created", "user_1", 1_750_000_000_000, json!({})),
    );
    let mut holder = scene.db.superuser();
    let mut transaction = holder.transaction().expect("a transaction can begin");
    transaction.run("SELECT FROM clerk.users WHERE id = 'user_1' FOR UPDATE");
    let events: Vec<Value> = (1..=64)
        .map(|at| user("user.updated", "user_1", 1_750_000_000_000 + at, json!({})))
        .collect();
    let started = Instant::now();
    let Json(counts): Json<Value> = client.value_of("SELECT clerk.apply_events($1)", &[&Json(events)]);
    assert_eq!(counts["failed"], 64, "{counts}");
    // A second for the first wait, and a moment for each of the rest.
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "took {:?}",
        started.elapsed()
    );
}

#[test]
fn a_deferred_trigger_of_the_owners_never_runs_as_the_caller() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run(
        "CREATE TABLE ran (who text);
         CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO ran VALUES (current_user); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE ON clerk.users
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION later();",
    );
    let answer = apply(
        &mut client,
        user("user.created", "user_1", 1_750_000_000_000, json!({})),
    );
    assert_eq!(
        answer["status"], "failed",
        "it is stored, and applied once the trigger is mended: {answer}"
    );
    let ran: i64 = client.value("SELECT count(*) FROM ran");
    assert_eq!(ran, 0, "nothing was put off until after our function");
    client.run("DROP TRIGGER later ON clerk.users; UPDATE clerk.webhook_events SET next_attempt_at = now()");
    let Json(report): Json<Value> = client.value("SELECT clerk.retry_failed()");
    assert_eq!(report["applied"], 1, "{report}");
}
