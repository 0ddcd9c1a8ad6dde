//! What of others' data is a deleted person's, and what is not.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

use crate::scene::Scene;

/// When everything began. The person of these stories is deleted a thousand seconds later.
const T0: i64 = 1_750_000_000_000;
const DELETED: i64 = T0 + 1_000_000;

fn event(event_type: &str, at_ms: i64, data: Value) -> Value {
    json!({ "type": event_type, "object": "event", "timestamp": at_ms, "instance_id": "ins_sim", "data": data })
}

fn user(at_ms: i64, addresses: &[&str]) -> Value {
    let addresses: Vec<Value> = addresses
        .iter()
        .map(|address| json!({ "id": format!("idn_{address}"), "email_address": address }))
        .collect();
    json!({ "id": "user_1", "object": "user", "email_addresses": addresses, "created_at": T0, "updated_at": at_ms })
}

fn user_event(at_ms: i64, addresses: &[&str]) -> Value {
    event("user.updated", at_ms, user(at_ms, addresses))
}

fn deletion() -> Value {
    event(
        "user.deleted",
        DELETED,
        json!({ "id": "user_1", "object": "user", "deleted": true }),
    )
}

fn invitation(id: &str, address: &str, created_at: i64) -> Value {
    json!({
        "id": id, "object": "invitation", "email_address": address, "status": "pending", "public_metadata": { "plan": "pro" },
        "created_at": created_at, "updated_at": created_at,
    })
}

fn invited(id: &str, address: &str, created_at: i64) -> Value {
    event(
        "invitation.created",
        created_at,
        invitation(id, address, created_at),
    )
}

fn apply(client: &mut Client, event: Value) {
    let Json(answer): Json<Value> = client.value_of("SELECT clerk.apply_event($1)", &[&Json(event)]);
    assert!(
        answer["status"] == "applied" || answer["status"] == "stale",
        "{answer}"
    );
}

/// The addresses of invitations in the table, and those in the ledger, that are left: by id of the invitation.
fn left(client: &mut Client) -> (Vec<String>, Vec<String>) {
    client.run("SELECT clerk.maintain()");
    let rows = "SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM clerk.invitations WHERE email_address IS NOT NULL";
    let payloads =
        "SELECT coalesce(array_agg(subject_id ORDER BY subject_id), '{}') FROM clerk.webhook_events
         WHERE event_type LIKE 'invitation.%' AND payload ILIKE '%@example.com%'";
    (client.value(rows), client.value(payloads))
}

fn both(ids: &[&str]) -> (Vec<String>, Vec<String>) {
    let ids: Vec<String> = ids.iter().map(|id| id.to_string()).collect();
    (ids.clone(), ids)
}

#[test]
fn an_address_is_theirs_until_they_are_deleted() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    apply(&mut client, user_event(T0, &["a@example.com"]));
    apply(&mut client, invited("inv_before", "A@Example.com", T0 + 1));
    apply(&mut client, invited("inv_other", "b@example.com", T0 + 1));
    // Somebody is invited to the same address afterwards; they may sign up anew, or be somebody else.
    apply(&mut client, invited("inv_after", "a@example.com", DELETED + 1));
    let all = both(&["inv_after", "inv_before", "inv_other"]);
    assert_eq!(left(&mut client), all, "nobody is deleted yet");
    apply(&mut client, deletion());
    assert_eq!(left(&mut client), both(&["inv_after", "inv_other"]));
    let metadata: Option<Value> =
        client.value("SELECT public_metadata FROM clerk.invitations WHERE id = 'inv_before'");
    assert_eq!(metadata, None);
    // Whatever comes of the invitation later is about the same person.
    let mut revoked = invitation("inv_before", "a@example.com", T0 + 1);
    revoked["updated_at"] = (DELETED + 5).into();
    apply(&mut client, event("invitation.revoked", DELETED + 5, revoked));
    assert_eq!(left(&mut client), both(&["inv_after", "inv_other"]));
}

#[test]
fn an_address_is_theirs_if_they_ever_had_it() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    apply(
        &mut client,
        user_event(T0, &["former@example.com", "a@example.com"]),
    );
    apply(&mut client, user_event(T0 + 10, &["a@example.com"]));
    // Nothing is left that tells of the former address but its hash.
    client.run(
        "SELECT clerk.configure_mirror(payload_retention => '0');
         SELECT clerk.prune_webhook_events();
         SELECT clerk.configure_mirror(payload_retention => '30 days')",
    );
    let told: i64 = client.value(
        "SELECT (SELECT count(*) FROM clerk.webhook_events AS e WHERE e::text LIKE '%former%')
              + (SELECT count(*) FROM clerk.users AS u WHERE u::text LIKE '%former%')
              + (SELECT count(*) FROM clerk.former_addresses AS f WHERE f::text LIKE '%former%')",
    );
    assert_eq!(told, 0);
    apply(&mut client, deletion());
    client.run("SELECT clerk.maintain()");
    apply(&mut client, invited("inv_1", "former@example.com", T0 + 1));
    assert_eq!(left(&mut client), both(&[]));
}

/// Events that were overtaken, and pages of the API that were read before the deletion and come after it.
#[test]
fn an_address_is_theirs_if_it_is_told_too_late_for_their_row() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    apply(&mut client, user_event(T0 + 20, &["a@example.com"]));
    apply(&mut client, user_event(T0, &["stale@example.com"]));
    apply(&mut client, deletion());
    for (at_ms, address) in [(T0 + 10, "page@example.com"), (T0 + 30, "last@example.com")] {
        client
            .execute(
                "SELECT clerk.apply_objects('users', $1, to_timestamp($2::float8))",
                &[&Json(vec![user(at_ms, &[address])]), &((at_ms / 1000) as f64)],
            )
            .expect("a page can be applied");
    }
    for name in ["stale", "page", "last", "stranger"] {
        apply(
            &mut client,
            invited(&format!("inv_{name}"), &format!("{name}@example.com"), T0 + 1),
        );
    }
    assert_eq!(left(&mut client), both(&["inv_stranger"]));
}

#[test]
fn another_instance_has_people_of_its_own() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run(
        "SELECT clerk.configure(issuer => 'https://other.test', jwks_url => '', instance_id => 'ins_other', additional => true)",
    );
    let mut elsewhere = invited("inv_elsewhere", "a@example.com", T0 + 1);
    elsewhere["instance_id"] = json!("ins_other");
    apply(&mut client, elsewhere);
    apply(&mut client, invited("inv_here", "a@example.com", T0 + 1));
    apply(&mut client, user_event(T0, &["a@example.com"]));
    apply(&mut client, deletion());
    assert_eq!(left(&mut client), both(&["inv_elsewhere"]));
}

/// A row in somebody's hands is left to the next round, and nobody waits.
#[test]
fn what_somebody_holds_is_erased_later() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    apply(&mut client, user_event(T0, &["a@example.com"]));
    apply(&mut client, invited("inv_1", "a@example.com", T0 + 1));
    apply(&mut client, deletion());
    let mut holder = scene.db.superuser();
    let mut held = holder.transaction().expect("a transaction can begin");
    held.run(
        "SELECT FROM clerk.invitations FOR UPDATE; SELECT FROM clerk.webhook_events WHERE subject_id = 'inv_1' FOR UPDATE",
    );
    client.run("SET lock_timeout = '1ms'");
    assert_eq!(left(&mut client), both(&["inv_1"]));
    held.commit().expect("the rows are released");
    assert_eq!(left(&mut client), both(&[]));
}

#[test]
fn private_metadata_do_not_come_back_to_an_erased_invitation() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run("SELECT clerk.configure(keep_private_metadata => true)");
    apply(&mut client, user_event(T0, &["a@example.com"]));
    apply(&mut client, deletion());
    let page = json!([{
        "id": "orginv_1", "object": "organization_invitation", "organization_id": "org_1", "email_address": "a@example.com",
        "private_metadata": { "note": "secret" }, "created_at": T0, "updated_at": T0,
    }]);
    let private = "SELECT count(*) FROM clerk.organization_invitations WHERE private_metadata IS NOT NULL OR data ? 'email_address'";
    // The same page brings nothing back, a later one does until the next upkeep.
    for (day, shown) in [("2025-06-15", 1), ("2025-06-15", 0), ("2025-06-16", 1)] {
        client
            .execute(
                "SELECT clerk.apply_objects('organization_invitations', $1, $2::text::timestamptz)",
                &[&Json(&page), &day],
            )
            .expect("a page can be applied");
        assert_eq!(
            client.value::<i64>(private),
            shown,
            "the page of {day} was applied"
        );
        client.run("SELECT clerk.maintain()");
        assert_eq!(client.value::<i64>(private), 0);
    }
}

/// Clerk goes on listing an invitation as it was. That is no change that anybody should hear of.
#[test]
fn listing_what_is_erased_is_no_repair() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run(
        "CREATE FUNCTION public.quiet(event jsonb) RETURNS void LANGUAGE sql AS '';
         SELECT clerk.on_event('*', 'public.quiet', true)",
    );
    apply(&mut client, user_event(T0, &["a@example.com"]));
    apply(&mut client, deletion());
    let domain = json!({
        "id": "orgdmn_1", "object": "organization_domain", "name": "example.com", "organization_id": "org_1",
        "affiliation_email_address": "a@example.com", "created_at": T0, "updated_at": T0,
    });
    let mut list = |observed_at: &str, invitation: &Value| -> i64 {
        let queued = "SELECT last_value - 1 + is_called::int FROM clerk.handler_runs_id_seq";
        let before: i64 = client.value(queued);
        for (table, object) in [("invitations", invitation), ("organization_domains", &domain)] {
            client
                .execute(
                    "SELECT clerk.apply_objects($1, $2, $3::text::timestamptz)",
                    &[&table, &Json(vec![object]), &observed_at],
                )
                .expect("a page can be applied");
        }
        let after: i64 = client.value(queued);
        client.run("SELECT clerk.maintain()");
        let told: i64 = client.value(
            "SELECT (SELECT count(*) FROM clerk.invitations AS i WHERE i::text LIKE '%a@%')
                  + (SELECT count(*) FROM clerk.organization_domains AS d WHERE d::text LIKE '%a@%')",
        );
        assert_eq!(told, 0);
        after - before
    };
    let mut invitation = invitation("inv_1", "a@example.com", T0);
    assert_eq!(list("2025-06-16", &invitation), 2, "they are new");
    assert_eq!(list("2025-06-17", &invitation), 0);
    invitation["status"] = json!("revoked");
    invitation["updated_at"] = json!(DELETED + 1);
    assert_eq!(list("2025-06-18", &invitation), 1, "it was revoked");
    assert_eq!(list("2025-06-19", &invitation), 0);
}

#[test]
fn what_handlers_said_of_them_goes_again_and_again() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    client.run(
        "CREATE FUNCTION public.quote(event jsonb) RETURNS void LANGUAGE plpgsql
             AS 'BEGIN RAISE ''cannot greet a@example.com of %'', event; END';
         SELECT clerk.on_event('*', 'public.quote', true)",
    );
    let page = Json(vec![user(T0, &["a@example.com"])]);
    client
        .execute("SELECT clerk.apply_objects('users', $1, '2025-06-15')", &[&page])
        .expect("a page can be applied");
    apply(&mut client, invited("inv_1", "a@example.com", T0 + 1));
    let quoting = "SELECT count(*) FROM clerk.handler_runs WHERE last_error LIKE '%a@example.com%'";
    call_handlers(&mut client);
    assert_eq!(client.value::<i64>(quoting), 2);
    apply(&mut client, deletion());
    for _ in 0..2 {
        call_handlers(&mut client);
        // Those calls quoted again; whatever of that the round did not see, the next one does.
        client.run("SELECT clerk.maintain()");
        assert_eq!(client.value::<i64>(quoting), 0);
        assert_eq!(
            client.value::<i64>("SELECT count(*) FROM clerk.handler_runs WHERE last_error = 'P0001'"),
            3
        );
    }
}

/// Has every queued call made once more by the worker, and waits until that has ended.
fn call_handlers(client: &mut Client) {
    let worker = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'clerk_sync worker'";
    wait_until(client, worker);
    client.run("UPDATE clerk.handler_runs SET next_attempt_at = clock_timestamp(), last_error = NULL");
    client.run("SELECT clerk.maintain()");
    wait_until(
        client,
        "SELECT count(*) FROM clerk.handler_runs WHERE last_error IS NULL",
    );
    wait_until(client, worker);
}

/// Waits until a query counts nothing.
fn wait_until(client: &mut Client, count: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while client.value::<i64>(count) != 0 {
        assert!(Instant::now() < deadline, "still not 0: {count}");
        sleep(Duration::from_millis(20));
    }
}
