//! Times in the far future: neither way into the mirror may freeze a row with them.

use clerk_tests::Sql;
use postgres::Client;
use serde_json::{Value, json};

use crate::scene::{ISSUER, Scene};

/// 2100-01-01, in milliseconds.
const FUTURE: i64 = 4_102_444_800_000;
const AT: i64 = 1_750_000_000_000;

fn user(first_name: &str, updated_at: i64) -> Value {
    json!({ "object": "user", "id": "user_ada", "first_name": first_name, "created_at": AT, "updated_at": updated_at })
}

fn event(user: Value, at: i64) -> Value {
    json!({ "object": "event", "type": "user.updated", "timestamp": at, "data": user })
}

fn first_name(owner: &mut Client) -> Option<String> {
    owner.value("SELECT max(first_name) FROM clerk.users WHERE id = 'user_ada'")
}

#[test]
fn no_object_and_no_event_freezes_its_row() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    let objects = json!([user("Ada", FUTURE)]);
    let apply = "SELECT clerk.apply_objects('users', $1::text::jsonb, $2::text::timestamptz, $3)";
    let frozen = [
        (
            objects.to_string(),
            "2025-06-15 15:06:40+00",
            "updated_at of element 0",
        ),
        (
            json!([user("Ada", AT)]).to_string(),
            "2100-01-01 00:00:00+00",
            "observed_at",
        ),
        (json!([user("Ada", AT)]).to_string(), "infinity", "observed_at"),
        (json!([user("Ada", AT)]).to_string(), "-infinity", "observed_at"),
    ];
    for (objects, observed_at, named) in &frozen {
        let failure = owner.failure_of(apply, &[objects, observed_at, &ISSUER]);
        assert_eq!(failure.sqlstate, "22023", "{failure:?}");
        assert!(failure.message.contains(named), "{failure:?}");
        assert!(failure.hint.is_some(), "{failure:?}");
    }
    let failure = owner.failure_of(apply, &[&objects.to_string(), &"2025-06-15 15:06:40+00", &ISSUER]);
    assert!(failure.message.contains("4102444800000"), "{failure:?}");
    assert_eq!(first_name(&mut owner), None);

    // The ledger keeps the event, for somebody to look at.
    for event in [event(user("Ada", FUTURE), AT), event(user("Ada", AT), FUTURE)] {
        let answer: String = owner.value_of(
            "SELECT clerk.apply_event($1::text::jsonb)::text",
            &[&event.to_string()],
        );
        let answer: Value = serde_json::from_str(&answer).expect("it is JSON");
        assert_eq!(answer["reason"], "event-from-the-future", "{answer}");
    }
    assert_eq!(first_name(&mut owner), None);

    // What Clerk really says counts.
    owner
        .execute(
            apply,
            &[
                &json!([user("Grace", AT)]).to_string(),
                &"2025-06-15 15:06:41+00",
                &ISSUER,
            ],
        )
        .expect("the objects can be applied");
    assert_eq!(first_name(&mut owner).as_deref(), Some("Grace"));
}
