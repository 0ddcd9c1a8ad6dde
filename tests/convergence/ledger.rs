//! What the ledger keeps, for how long, and how what failed gets another try.

use std::thread;

use clerk_sim::{World, WorldOptions};
use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

use crate::scene::Scene;
use clerk_tests::expected::assert_truth;

fn call(client: &mut Client, statement: &str) -> Value {
    let Json(answer) = client.value(statement);
    answer
}

fn apply(client: &mut Client, svix_id: Option<&str>, event: &Value) -> Value {
    let Json(answer) = client.value_of("SELECT clerk.apply_event($1, $2)", &[&Json(event), &svix_id]);
    answer
}

fn user_event(id: &str) -> Value {
    json!({ "type": "user.created", "timestamp": 1_750_000_000_000_i64, "data": { "id": id, "first_name": id } })
}

/// Makes every insertion of a user fail, until it is mended.
fn break_users(owner: &mut Client) {
    owner.run(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END';
         CREATE TRIGGER broken BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION broken()",
    );
}

const MEND: &str = "DROP TRIGGER broken ON clerk.users;
    UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE state = 'failed'";

/// State and whether there is a payload, of every event.
fn ledger(client: &mut Client) -> Vec<(String, String, bool)> {
    let rows = client
        .query(
            "SELECT svix_id, state, payload IS NOT NULL FROM clerk.webhook_events ORDER BY svix_id",
            &[],
        )
        .expect("the ledger can be read");
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

#[test]
fn payloads_go_after_a_month_and_events_after_three() {
    let scene = Scene::on(Cluster::shared());
    let mut owner = scene.db.superuser();
    for svix_id in ["day_29", "day_31", "day_89", "day_91"] {
        apply(&mut owner, Some(svix_id), &user_event(svix_id));
    }
    break_users(&mut owner);
    for svix_id in ["failed_91", "quarantined_31", "quarantined_91"] {
        assert_eq!(
            apply(&mut owner, Some(svix_id), &user_event(svix_id))["status"],
            "failed"
        );
    }
    owner.run(
        "UPDATE clerk.webhook_events SET received_at = now() - split_part(svix_id, '_', 2)::int * interval '1 day' WHERE true;
         UPDATE clerk.webhook_events SET state = 'quarantined', next_attempt_at = NULL WHERE svix_id LIKE 'quarantined_%';
         INSERT INTO clerk.webhook_rejections VALUES ('old', now() - interval '91 days'), ('new', now() - interval '89 days')",
    );
    let kept = |rows: &[(&str, &str, bool)]| -> Vec<(String, String, bool)> {
        let own = |(id, state, has): &(&str, &str, bool)| (id.to_string(), state.to_string(), *has);
        rows.iter().map(own).collect()
    };
    // What waits to be applied needs its payload.
    let expected = kept(&[
        ("day_29", "applied", true),
        ("day_31", "applied", false),
        ("day_89", "applied", false),
        ("failed_91", "failed", true),
        ("quarantined_31", "quarantined", true),
    ]);
    let report = call(&mut owner, "SELECT clerk.prune_webhook_events()");
    assert_eq!(ledger(&mut owner), expected);
    assert_eq!(
        (&report["events"], &report["rejections"]),
        (&json!(2), &json!(1)),
        "{report}"
    );
    assert_eq!(
        owner.value::<String>("SELECT reason FROM clerk.webhook_rejections"),
        "new"
    );
    // It is a part of the upkeep, and by setting.
    owner.run("SELECT clerk.configure_mirror(payload_retention => '0', event_retention => '40 days'); SELECT clerk.maintain()");
    let expected = kept(&[
        ("day_29", "applied", false),
        ("day_31", "applied", false),
        ("failed_91", "failed", true),
        ("quarantined_31", "quarantined", true),
    ]);
    assert_eq!(ledger(&mut owner), expected);
    // An id that is kept is known, whatever of it is gone.
    assert_eq!(
        apply(&mut owner, Some("day_31"), &user_event("day_31"))["status"],
        "duplicate"
    );
    let failure = owner.failure("SELECT clerk.replay_event('day_31')");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    let failure = owner.failure("SELECT clerk.replay_event('day_91')");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    owner.run(MEND);
    assert_eq!(
        call(&mut owner, "SELECT clerk.replay_event('quarantined_31')")["status"],
        "applied"
    );
    assert_eq!(call(&mut owner, "SELECT clerk.retry_failed()")["applied"], 1);
}

#[test]
fn an_event_without_an_id_is_known_by_what_it_says() {
    let scene = Scene::on(Cluster::shared());
    let mut owner = scene.db.superuser();
    let (event, other) = (user_event("user_1"), user_event("user_2"));
    assert_eq!(apply(&mut owner, None, &event)["status"], "applied");
    assert_eq!(apply(&mut owner, None, &event)["status"], "duplicate");
    // jsonb knows no order of members, so neither does the id.
    let again: Json<Value> = owner.value(
        r#"SELECT clerk.apply_event('{"data": {"first_name": "user_1", "id": "user_1"}, "timestamp": 1750000000000, "type": "user.created"}')"#,
    );
    assert_eq!(again.0["status"], "duplicate", "{}", again.0);
    assert_eq!(apply(&mut owner, None, &other)["status"], "applied");
    let ids: i64 =
        owner.value("SELECT count(*) FROM clerk.webhook_events WHERE svix_id ~ '^sha256:[0-9a-f]{64}$'");
    assert_eq!(ids, 2);
    let batch =
        json!([event, other, { "svix_id": "msg_1", "event": event }, { "svix_id": "msg_1", "event": other }]);
    let Json(counts): Json<Value> = owner.value_of("SELECT clerk.apply_events($1)", &[&Json(batch)]);
    assert_eq!(
        (&counts["received"], &counts["duplicate"]),
        (&json!(4), &json!(3)),
        "{counts}"
    );
    for bad in ["", &"x".repeat(257)] {
        let failure = owner.failure_of("SELECT clerk.apply_event($1, $2)", &[&Json(&event), &bad]);
        assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    }
}

/// Rows that another session has in hand are left to it, and so nothing is tried twice at once.
#[test]
fn sessions_that_retry_share_the_work() {
    let scene = Scene::on(Cluster::shared());
    let mut world = World::new(WorldOptions {
        seed: 5,
        users: 20..=60,
        ..WorldOptions::default()
    });
    let events = world.run(400);
    let mut owner = scene.db.superuser();
    break_users(&mut owner);
    for event in &events {
        scene.deliver(&mut owner, event);
    }
    let failed: i64 = owner.value("SELECT count(*) FROM clerk.webhook_events WHERE state = 'failed'");
    assert!(failed > 50, "{failed}");
    owner.run(MEND);

    let mut holder = scene.db.superuser();
    let mut held = holder.transaction().expect("a transaction can begin");
    held.run(
        "SELECT FROM clerk.webhook_events WHERE svix_id IN (
             SELECT svix_id FROM clerk.webhook_events WHERE state = 'failed' ORDER BY next_attempt_at LIMIT 5
         ) FOR UPDATE",
    );
    owner.run("SET lock_timeout = '5s'");
    let some = call(&mut owner, "SELECT clerk.retry_failed(10)");
    assert_eq!(
        some["applied"].as_i64().unwrap_or(0) + some["failed"].as_i64().unwrap_or(0),
        10,
        "{some}"
    );
    held.rollback().expect("the rows are released");

    let counted: i64 = thread::scope(|scope| {
        let sessions: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = scene.db.superuser();
                    let mut applied = 0;
                    for _ in 0..200 {
                        let round = call(&mut client, "SELECT clerk.retry_failed(7)");
                        applied += round["applied"].as_i64().unwrap_or(0);
                        client.run("UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE svix_id IN (
                            SELECT svix_id FROM clerk.webhook_events WHERE state = 'failed' FOR UPDATE SKIP LOCKED)");
                        let left: i64 = client.value("SELECT count(*) FROM clerk.webhook_events WHERE state = 'failed'");
                        if left == 0 {
                            break;
                        }
                    }
                    applied
                })
            })
            .collect();
        sessions
            .into_iter()
            .map(|session| session.join().expect("no session fails"))
            .sum()
    });
    assert_eq!(
        counted + some["applied"].as_i64().unwrap_or(0),
        failed,
        "each was applied once"
    );
    assert_truth(&mut owner, &world.truth(), "after the retries");
}

/// The look-ups that people do are answered by indexes.
#[test]
fn look_ups_have_their_indexes() {
    let scene = Scene::on(Cluster::shared());
    let mut owner = scene.db.superuser();
    owner.run("SET enable_seqscan = off");
    for (index, query) in [
        ("users_pkey", "users WHERE id = 'x'"),
        (
            "users_primary_email_address",
            "users WHERE lower(primary_email_address) = lower('x')",
        ),
        (
            "users_email_addresses",
            "users WHERE email_addresses @> ARRAY['x']",
        ),
        ("users_username", "users WHERE username = 'x'"),
        ("users_external_id", "users WHERE external_id = 'x'"),
        ("organizations_slug", "organizations WHERE slug = 'x'"),
        (
            "organization_memberships_user",
            "organization_memberships WHERE user_id = 'x'",
        ),
        (
            "organization_memberships_organization",
            "organization_memberships WHERE organization_id = 'x'",
        ),
        (
            "organization_invitations_email_address",
            "organization_invitations WHERE lower(email_address) = lower('x')",
        ),
        (
            "invitations_email_address",
            "invitations WHERE lower(email_address) = lower('x')",
        ),
        (
            "webhook_events_due",
            "webhook_events WHERE state = 'failed' AND next_attempt_at <= now()",
        ),
    ] {
        let plan: String = owner
            .query(&format!("EXPLAIN SELECT FROM clerk.{query}"), &[])
            .expect("it can be explained")
            .iter()
            .map(|row| row.get::<_, String>(0) + "\n")
            .collect();
        assert!(
            plan.contains(&format!("{index} ")) || plan.contains(&format!("{index}\n")),
            "{query}:\n{plan}"
        );
    }
}
