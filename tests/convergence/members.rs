//! Webhooks and the Backend API show the same object with different members. Whatever comes first, each member is as it was last told.

use std::collections::BTreeMap;

use clerk_tests::expected::Queries;
use clerk_tests::{Cluster, Dice, Sql};
use postgres::types::Json;
use postgres::{Client, GenericClient};
use serde_json::{Map, Value, json};

use crate::scene::{Scene, cases, now_seconds};

const T0: i64 = 1_750_000_000_000;

/// What one source said, at a time in milliseconds.
#[derive(Clone, Debug)]
enum Said {
    Event(&'static str, i64, Value),
    Page(&'static str, i64, Value),
}

impl Said {
    fn tell(&self, sql: &mut impl GenericClient) {
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

/// Members that a source may carry or leave out, of three resources.
const PARTS: [(&str, &str, &[&str]); 3] = [
    (
        "users",
        "user",
        &[
            "first_name",
            "username",
            "scim",
            "private_metadata",
            "public_metadata",
            "locale",
        ],
    ),
    (
        "organization_invitations",
        "organizationInvitation",
        &["email_address", "role", "user_id", "private_metadata", "data"],
    ),
    (
        "subscription_items",
        "subscriptionItem",
        &[
            "status",
            "interval",
            "plan_period",
            "payer_id",
            "subscription_id",
            "seats",
        ],
    ),
];

struct History {
    said: Vec<Said>,
    excluded: Vec<&'static str>,
    keeps_private_metadata: bool,
    deleted_users: &'static str,
}

impl History {
    /// Few ids, times and values, so that there are ties of every kind.
    fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut said = Vec::new();
        for _ in 0..1 + dice.below(10) {
            let (table, prefix, names) = PARTS[dice.below(PARTS.len())];
            let id = format!("{prefix}_{}", dice.below(2));
            let (updated_at, at) = (T0 + dice.below(4) as i64, T0 + dice.below(4) as i64);
            if prefix == "user" && dice.one_in(5) {
                // Nobody who was deleted is changed afterwards.
                said.push(Said::Event(
                    "user.deleted",
                    at + 10,
                    json!({ "id": id, "deleted": true }),
                ));
                continue;
            }
            let mut object = Map::from_iter([
                ("id".to_owned(), json!(id)),
                ("updated_at".to_owned(), json!(updated_at)),
            ]);
            for name in names {
                let value = match *name {
                    // What one accepted invitation tells is that person's, also elsewhere.
                    "email_address" => json!(format!("v{}@{id}", dice.below(3))),
                    // Who accepted an invitation stays so.
                    "user_id" => json!(id.replace(prefix, "user")),
                    name if name.ends_with("metadata") || name == "scim" => json!({ "v": dice.below(2) }),
                    _ => json!(format!("v{}", dice.below(3))),
                };
                if dice.one_in(2) {
                    object.insert(
                        (*name).to_owned(),
                        if dice.one_in(6) { Value::Null } else { value },
                    );
                }
            }
            let object = Value::Object(object);
            said.push(match (prefix, dice.one_in(2)) {
                (_, true) => Said::Page(table, at, object),
                ("user", _) => Said::Event("user.updated", at, object),
                ("organizationInvitation", _) => Said::Event("organizationInvitation.accepted", at, object),
                _ => Said::Event("subscriptionItem.updated", at, object),
            });
        }
        let mut excluded = vec![
            "locale",
            "users.username",
            "role",
            "subscription_items.plan_period",
        ];
        excluded.retain(|_| dice.one_in(4));
        Self {
            said,
            excluded,
            keeps_private_metadata: dice.one_in(2),
            deleted_users: ["keep", "scrub", "remove"][dice.below(3)],
        }
    }

    fn is_kept(&self, table: &str, name: &str) -> bool {
        let is_excluded = |excluded: &&str| match excluded.split_once('.') {
            Some((own, field)) => {
                own == table && (field == name || (field, name) == ("plan_period", "interval"))
            }
            None => *excluded == name,
        };
        !self.excluded.iter().any(is_excluded) && (name != "private_metadata" || self.keeps_private_metadata)
    }

    /// What `data` must show of the rows that no deletion touches: each member's greatest (updated_at, observed_at, text).
    fn expected(&self) -> BTreeMap<(&'static str, String), Map<String, Value>> {
        type Known = BTreeMap<String, ((i64, i64, String), Value)>;
        let mut rows: BTreeMap<(&'static str, String), Known> = BTreeMap::new();
        for said in &self.said {
            let (table, at, object) = match said {
                Said::Event("user.deleted", ..) => continue,
                Said::Event("user.updated", at, object) => ("users", at, object),
                Said::Event("organizationInvitation.accepted", at, object) => {
                    ("organization_invitations", at, object)
                }
                Said::Event(_, at, object) => ("subscription_items", at, object),
                Said::Page(table, at, object) => (*table, at, object),
            };
            let row = rows
                .entry((table, object["id"].as_str().unwrap().to_owned()))
                .or_default();
            for (name, value) in object.as_object().unwrap() {
                // Where an object has both names, the one that is kept is its own.
                let is_other = table == "subscription_items" && name == "plan_period";
                if is_other && object.get("interval").is_some() || !self.is_kept(table, name) {
                    continue;
                }
                let name = if is_other { "interval" } else { name };
                if !self.is_kept(table, name) {
                    continue;
                }
                let told = (
                    (object["updated_at"].as_i64().unwrap(), *at, value.to_string()),
                    value.clone(),
                );
                let own = row.entry(name.to_owned()).or_insert_with(|| told.clone());
                if told.0 > own.0 {
                    *own = told;
                }
            }
        }
        let plain = |known: Known| {
            known
                .into_iter()
                .map(|(name, (_, value))| (name, value))
                .collect()
        };
        rows.into_iter().map(|(key, known)| (key, plain(known))).collect()
    }

    fn deleted(&self) -> Vec<&str> {
        let deletions = self.said.iter().filter_map(|said| match said {
            Said::Event("user.deleted", _, stub) => stub["id"].as_str(),
            _ => None,
        });
        deletions.collect()
    }
}

#[test]
fn objects_with_some_members_end_the_same_in_any_order() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let tables = Queries::prepare(&mut client);
    for seed in 0..cases() {
        let history = History::of(seed);
        let mut first = None;
        for order in 0..3 {
            let what = format!("case {seed}, order {order}: {:#?}", history.said);
            let mut dice = Dice::new(seed ^ (order + 1) << 40);
            let mut said = history.said.clone();
            said.push(said[dice.below(said.len())].clone());
            dice.shuffle(&mut said);
            let mut transaction = client.transaction().expect("a transaction can begin");
            transaction
                .execute(
                    "SELECT clerk.configure(exclude_fields => $1, keep_private_metadata => $2), clerk.configure_mirror(deleted_users => $3)",
                    &[&history.excluded, &history.keeps_private_metadata, &history.deleted_users],
                )
                .expect("it can be configured");
            for said in &said {
                said.tell(&mut transaction);
                if dice.one_in(4) {
                    transaction.run("SELECT clerk.maintain()");
                }
            }
            transaction.run("SELECT clerk.maintain()");
            let end = tables.tables(&mut transaction);
            if first.is_none() {
                check(&history, &end, &what);
            }
            let first = first.get_or_insert_with(|| end.clone());
            assert_eq!(*first, end, "{what} ends differently");
            transaction.rollback().expect("a transaction can be rolled back");
        }
    }
}

fn check(history: &History, end: &clerk_tests::expected::Tables, what: &str) {
    for ((table, id), mut members) in history.expected() {
        let row = end[table].iter().find(|row| row["id"] == json!(id));
        let row = row.unwrap_or_else(|| panic!("{what}: no {id}"));
        let deleted = history.deleted();
        let is_touched = deleted.contains(&id.as_str())
            || row["user_id"]
                .as_str()
                .is_some_and(|user| deleted.contains(&user));
        if is_touched {
            continue;
        }
        for (name, value) in &members {
            if let Some(column) = row.get(name).filter(|_| name != "updated_at" && name != "data") {
                assert_eq!(column, value, "{what}: {id}.{name}");
            }
        }
        let data = row["data"].as_object().expect("data is an object");
        members.retain(|name, _| name != "updated_at");
        let mut shown = data.clone();
        shown.remove("updated_at");
        assert_eq!(shown, members, "{what}: {id}");
    }
}
