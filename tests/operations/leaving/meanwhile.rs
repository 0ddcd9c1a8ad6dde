//! Deliveries that come while somebody leaves.

use clerk_tests::Sql;
use serde_json::{Value, json};

use super::scene::Scene;

#[test]
fn a_delivery_meanwhile_is_stored_and_waits_for_its_turn() {
    // Without foreign keys of an application, whose change would lock the mirror anyway.
    let scene = Scene::bare();
    let (mut owner, mut sender) = (scene.owner(), scene.owner());
    let mut leaving = owner.transaction().expect("no transaction is open");
    leaving.run("SELECT clerk.eject(dry_run => false)");
    let event = json!({"type": "user.created", "object": "event", "timestamp": 1_760_000_000_000_i64, "data":
        {"id": "user_eve", "object": "user", "first_name": "Eve", "created_at": 1_760_000_000_000_i64, "updated_at": 1_760_000_000_000_i64}});
    let answer: Value = sender.value_of("SELECT clerk.apply_event($1)", &[&event]);
    assert_eq!(
        (&answer["status"], &answer["http_status"]),
        (&json!("failed"), &json!(200)),
        "{answer}"
    );

    // Whoever changes their mind loses nothing.
    leaving.rollback().expect("it can be rolled back");
    sender.run("UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE state = 'failed'");
    let retried: Value = sender.value("SELECT clerk.retry_failed()");
    assert_eq!(retried["applied"], 1, "{retried}");
    let name: String = sender.value("SELECT first_name FROM clerk.users WHERE id = 'user_eve'");
    assert_eq!(name, "Eve");
}
