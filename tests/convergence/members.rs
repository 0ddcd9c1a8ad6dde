//! Webhooks and the Backend API show the same object with different members. Whatever comes first, each member is as it was last told.

use clerk_tests::expected::Queries;
use clerk_tests::{Cluster, Sql};
use postgres::types::Json;
use postgres::{Client, GenericClient};
use serde_json::{Value, json};

use crate::scene::{Scene, now_seconds};

pub const T0: i64 = 1_750_000_000_000;

/// What one source said, at a time in milliseconds.
#[derive(Clone, Debug)]
pub enum Said {
    Event(&'static str, i64, Value),
    Page(&'static str, i64, Value),
}

impl Said {
    pub fn tell(&self, sql: &mut impl GenericClient) {
        match self {
            Self::Event(kind, at, data) => {
                let event = json!({ "type": kind, "object": "event", "timestamp": at, "instance_id": "ins_sim", "data": data });
                let Json(answer): Json<Value> = sql.value_of("SELECT clerk.apply_event($1)", &[&Json(event)]);
                let status = answer["status"].as_str().unwrap_or_default();
                assert!(
                    matches!(status, "applied" | "stale" | "duplicate"),
                    "{self:?}: {answer}"
                );
            }
            Self::Page(table, at, object) => {
                let Json(counts): Json<Value> = sql.value_of(
                    "SELECT clerk.apply_objects($1, $2, to_timestamp($3::float8 / 1000))",
                    &[table, &Json(vec![object]), &(*at as f64)],
                );
                assert_eq!(counts["failed"], 0, "{self:?}: {counts}");
            }
        }
    }
}

/// Every order of a few indices.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let insert = |at: usize| {
        shorter.iter().map(move |order| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        })
    };
    (0..count).flat_map(insert).collect()
}

/// Hands over what was said in every order; gives the row that a query shows, which must be the same after each.
fn in_every_order(client: &mut Client, said: &[Said], query: &str) -> Value {
    let tables = Queries::prepare(client);
    let mut first: Option<(Value, _)> = None;
    for order in permutations(said.len()) {
        let mut transaction = client.transaction().expect("a transaction can begin");
        for at in &order {
            said[*at].tell(&mut transaction);
        }
        let Json(row): Json<Value> = transaction.value(query);
        let all = tables.tables(&mut transaction);
        match &first {
            None => first = Some((row, all)),
            Some((first_row, first_all)) => {
                assert_eq!((&row, &all), (first_row, first_all), "order {order:?}");
            }
        }
        transaction.rollback().expect("a transaction can be rolled back");
    }
    first.expect("there is an order").0
}

#[test]
fn a_reconcile_takes_nothing_that_only_webhooks_carry_and_the_reverse() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let item = |at: i64, more: Value| {
        let mut item = json!({
            "id": "csi_1", "object": "subscription_item", "status": "active", "plan_id": "cplan_1", "created_at": T0, "updated_at": at,
        });
        item.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        item
    };
    let payer =
        json!({ "id": "cpayer_1", "user_id": "user_1", "organization_id": "", "email": "a@example.com" });
    let said = [
        Said::Event(
            "subscriptionItem.active",
            T0 + 1,
            item(
                T0,
                json!({ "interval": "month", "subscription_id": "csub_1", "payer": payer }),
            ),
        ),
        Said::Page(
            "subscription_items",
            T0 + 10,
            item(
                T0 + 5,
                json!({ "plan_period": "annual", "payer_id": "cpayer_1", "canceled_at": T0 + 5, "ended_at": null }),
            ),
        ),
        Said::Event(
            "subscriptionItem.canceled",
            T0 + 21,
            item(
                T0 + 20,
                json!({ "interval": "annual", "subscription_id": "csub_1", "status": "canceled" }),
            ),
        ),
    ];
    let row = in_every_order(
        &mut client,
        &said,
        "SELECT to_jsonb(i) - 'synced_at' FROM clerk.subscription_items AS i",
    );
    for (column, wanted) in [
        ("status", json!("canceled")),
        ("subscription_id", json!("csub_1")),
        ("interval", json!("annual")),
        ("payer_id", json!("cpayer_1")),
        ("payer_user_id", json!("user_1")),
    ] {
        assert_eq!(row[column], wanted, "{column}");
    }
    assert_eq!(row["data"]["canceled_at"], json!(T0 + 5));
    assert_eq!(
        row["data"]["payer"],
        json!({ "id": "cpayer_1", "user_id": "user_1" }),
        "of people only ids"
    );
    let version = |at: i64, observed: i64| format!("{}/{}", at * 1000, observed * 1000);
    assert_eq!(
        row["older"],
        json!({ version(T0, T0 + 1): ["payer"], version(T0 + 5, T0 + 10): ["canceled_at", "ended_at", "payer_id"] })
    );
}

#[test]
fn an_amount_comes_from_either_source() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let money = |amount: i64| json!({ "amount": amount, "currency": "EUR" });
    let attempt = |at: i64, more: Value| {
        let mut attempt = json!({ "id": "cpat_1", "status": "paid", "payment_id": "cpay_1", "created_at": T0, "updated_at": at });
        attempt
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        attempt
    };
    let said = [
        Said::Event(
            "paymentAttempt.created",
            T0 + 1,
            attempt(
                T0,
                json!({ "totals": { "grand_total": money(700) }, "invoice_id": "cinv_1" }),
            ),
        ),
        Said::Page(
            "payment_attempts",
            T0 + 10,
            attempt(T0 + 5, json!({ "amount": money(900), "payer_id": "cpayer_1" })),
        ),
    ];
    let query =
        "SELECT jsonb_build_array(amount, currency, payer_id, invoice_id) FROM clerk.payment_attempts";
    assert_eq!(
        in_every_order(&mut client, &said, query),
        json!([900, "EUR", "cpayer_1", "cinv_1"])
    );
    assert_eq!(
        in_every_order(&mut client, &said[1..], query),
        json!([900, "EUR", "cpayer_1", null])
    );
}

#[test]
fn an_entry_of_the_waitlist_tells_of_its_invitation() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let invitation = json!({
        "id": "inv_1", "object": "invitation", "email_address": "a@example.com", "status": "pending", "url": "https://ticket.test",
        "created_at": T0, "updated_at": T0,
    });
    let entry = json!({
        "id": "wle_1", "object": "waitlist_entry", "email_address": "a@example.com", "status": "invited", "invitation": invitation,
        "created_at": T0, "updated_at": T0,
    });
    let said = [Said::Event("waitlistEntry.updated", T0 + 1, entry)];
    let row = in_every_order(
        &mut client,
        &said,
        "SELECT jsonb_build_array(i.email_address, i.status, i.data ? 'url', w.invitation_id)
         FROM clerk.invitations AS i JOIN clerk.waitlist_entries AS w ON w.invitation_id = i.id",
    );
    assert_eq!(row, json!(["a@example.com", "pending", false, "inv_1"]));
}

/// The Backend API does not say who accepted an invitation; the webhook did.
#[test]
fn an_accepted_invitation_goes_with_its_person_also_after_a_reconcile() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let invitation = |at: i64, status: &str| {
        json!({
            "id": "orginv_1", "object": "organization_invitation", "organization_id": "org_1", "email_address": "other@example.com",
            "role": "org:member", "status": status, "public_metadata": { "note": "theirs" }, "created_at": T0, "updated_at": at,
        })
    };
    let mut accepted = invitation(T0 + 1_000, "accepted");
    accepted["user_id"] = json!("user_1");
    let person = json!({ "id": "user_1", "object": "user", "email_addresses": [], "created_at": T0, "updated_at": T0 });
    let mut said = vec![
        Said::Event("user.created", T0, person),
        Said::Event("organizationInvitation.accepted", T0 + 1_000, accepted),
        Said::Page(
            "organization_invitations",
            T0 + 5_000,
            invitation(T0 + 1_000, "accepted"),
        ),
        Said::Event(
            "user.deleted",
            T0 + 9_000,
            json!({ "id": "user_1", "deleted": true }),
        ),
    ];
    for round in 0..2 {
        for said in &said {
            said.tell(&mut client);
            if round == 1 {
                client.run("SELECT clerk.maintain()");
            }
        }
        client.run("SELECT clerk.maintain()");
        let Json(row): Json<Value> = client.value(
            "SELECT jsonb_build_array(i.email_address, i.public_metadata, i.role, i.user_id, i.organization_id, i.data->'erased')
             FROM clerk.organization_invitations AS i",
        );
        assert_eq!(
            row,
            json!([null, null, "org:member", "user_1", "org_1", true]),
            "round {round}"
        );
        let told: i64 =
            client.value("SELECT count(*) FROM clerk.webhook_events AS e WHERE e::text LIKE '%other@%'");
        assert_eq!(told, 0, "round {round}");
        client.run("DELETE FROM clerk.organization_invitations; DELETE FROM clerk.users; DELETE FROM clerk.webhook_events");
        said.reverse();
    }
}

/// A clock of seconds: what has no time of its own happened at the time of its delivery.
#[test]
fn a_deletion_in_the_second_of_a_change_wins() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let now = now_seconds();
    let user = json!({ "id": "user_1", "first_name": "Ada", "updated_at": now * 1000 + 999 });
    Said::Event("user.updated", now * 1000, user).tell(&mut client);
    let body = json!({ "type": "user.deleted", "data": { "id": "user_1", "deleted": true } }).to_string();
    let event = clerk_sim::Event {
        svix_id: "msg_gone".to_owned(),
        event_type: "user.deleted".to_owned(),
        timestamp_ms: now * 1000,
        body,
    };
    let answer = scene.deliver_at(&mut client, &event, now);
    assert_eq!(answer["status"], "applied", "{answer}");
    let deleted: bool = client.value("SELECT deleted FROM clerk.users");
    assert!(deleted, "the deletion came in the second of the change");
}
