//! What the tables must show if the simulator's truth is the truth, worked out without the extension's code.

use std::collections::{BTreeMap, BTreeSet};

use clerk_sim::{Fact, Resource, Truth, World};
use postgres::types::Json;
use postgres::{GenericClient, Statement};
use serde_json::{Value, json};

use crate::sql::Sql;

/// The mirrored tables as they are, without the one column that tells when: by table, sorted by id.
pub type Tables = BTreeMap<String, Vec<Value>>;

/// The queries that read everything, prepared: thousands of histories are compared.
pub struct Queries {
    tables: Statement,
    existing: Statement,
}

impl Queries {
    pub fn prepare(client: &mut impl GenericClient) -> Self {
        let mut prepare = |prefix: &str, minus: &str| {
            let parts = Resource::ALL.map(|resource| {
                let table = resource.as_str();
                format!(
                    "SELECT '{table}' AS name, coalesce(jsonb_agg(to_jsonb(t){minus} ORDER BY t.id COLLATE \"C\"), '[]') AS content
                     FROM clerk.{prefix}{table} AS t"
                )
            });
            client
                .prepare(&parts.join(" UNION ALL "))
                .expect("tables and views are there")
        };
        Self {
            tables: prepare("", " - 'synced_at'"),
            existing: prepare("existing_", ""),
        }
    }

    pub fn tables(&self, client: &mut impl GenericClient) -> Tables {
        contents(client, &self.tables)
    }
}

fn contents(client: &mut impl GenericClient, query: &Statement) -> Tables {
    let rows = client.query(query, &[]).expect("the owner may read everything");
    rows.iter()
        .map(|row| {
            let Json(content): Json<Vec<Value>> = row.get(1);
            (row.get(0), content)
        })
        .collect()
}

/// As [`assert_truth`], for some resources of a world that may be too large to be looked at whole, and without what comes with
/// webhooks only: they may have been lost.
///
/// # Panics
/// If the tables do not show the truth; says where.
pub fn assert_truth_of(client: &mut impl GenericClient, world: &World, resources: &[Resource], what: &str) {
    /// Rows that are looked at together.
    const BATCH: usize = 1_000;
    let gone: BTreeSet<String> = world
        .facts(Resource::Users)
        .filter_map(|(id, fact)| (!fact.exists).then_some(id))
        .collect();
    for &resource in resources {
        let name = resource.as_str();
        let read = format!(
            "SELECT to_jsonb(t), EXISTS (SELECT FROM clerk.existing_{name} AS e WHERE e.id = t.id)
             FROM clerk.{name} AS t WHERE t.id = ANY ($1)"
        );
        let read = client.prepare(&read).expect("the table is there");
        let mut known = BTreeSet::new();
        let mut facts = world.facts(resource).peekable();
        while facts.peek().is_some() {
            let batch: Vec<(String, Fact)> = facts.by_ref().take(BATCH).collect();
            let ids: Vec<&str> = batch.iter().map(|(id, _)| id.as_str()).collect();
            let found = client
                .query(&read, &[&ids])
                .expect("the owner may read everything");
            let rows: Vec<Value> = found.iter().map(|row| row.get::<_, Json<Value>>(0).0).collect();
            let living = found.iter().zip(&rows).filter(|(row, _)| row.get(1));
            let living = living.map(|(_, row)| id_of(row)).collect();
            let rows = by_id(&rows);
            for (id, fact) in &batch {
                if !is_erased((id, fact), &rows, |id| gone.contains(id)) {
                    assert_fact(resource, (id, fact), &rows, &living, Told::ByAnything, what);
                }
            }
            known.extend(batch.into_iter().map(|(id, _)| id));
        }
        let living = format!("SELECT id FROM clerk.existing_{name}");
        let living = client.query(&living, &[]).expect("the owner may read everything");
        let living: Vec<String> = living.iter().map(|row| row.get(0)).collect();
        let strangers: Vec<_> = living.iter().filter(|id| !known.contains(*id)).collect();
        assert!(
            strangers.is_empty(),
            "{what}: {resource} that never were: {strangers:?}"
        );
    }
}

/// # Panics
/// If the tables do not show the truth; says where.
pub fn assert_truth(client: &mut impl GenericClient, truth: &Truth, what: &str) {
    let queries = Queries::prepare(client);
    queries.assert_truth(client, truth, what);
}

impl Queries {
    /// As the function of this name, with queries that are prepared already.
    pub fn assert_truth(&self, client: &mut impl GenericClient, truth: &Truth, what: &str) {
        compare(
            &contents(client, &self.tables),
            &contents(client, &self.existing),
            truth,
            what,
        );
    }
}

/// What the tables were filled from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    ByWebhooks,
    ByAnything,
}

fn compare(tables: &Tables, existing: &Tables, truth: &Truth, what: &str) {
    for resource in Resource::ALL {
        let rows = by_id(&tables[resource.as_str()]);
        let living: BTreeSet<&str> = existing[resource.as_str()].iter().map(id_of).collect();
        for fact in truth.of(resource) {
            let is_gone = |id: &str| truth.fact(Resource::Users, id).is_some_and(|user| !user.exists);
            if !is_erased(fact, &rows, is_gone) {
                assert_fact(resource, fact, &rows, &living, Told::ByWebhooks, what);
            }
        }
        let strangers: Vec<_> = living
            .iter()
            .filter(|id| truth.fact(resource, id).is_none())
            .collect();
        assert!(
            strangers.is_empty(),
            "{what}: {resource} that never were: {strangers:?}"
        );
    }
}

/// Whether a row was erased with the deleted person that it is about, as an invitation that they accepted: Clerk still shows
/// it, and we do not.
fn is_erased(
    (id, fact): (&String, &Fact),
    rows: &BTreeMap<&str, &Value>,
    is_gone: impl Fn(&str) -> bool,
) -> bool {
    let is_marked = |row: &&Value| row["data"]["erased"] == Value::Bool(true);
    fact.object["user_id"].as_str().is_some_and(is_gone) && rows.get(id.as_str()).is_some_and(is_marked)
}

fn assert_fact(
    resource: Resource,
    (id, fact): (&String, &Fact),
    rows: &BTreeMap<&str, &Value>,
    living: &BTreeSet<&str>,
    told: Told,
    what: &str,
) {
    let place = format!("{what}: {resource} {id}");
    let Some(row) = rows.get(id.as_str()) else {
        // What is gone has a row only if something told that it was there.
        assert!(told == Told::ByAnything && !fact.exists, "{place} has no row");
        return;
    };
    assert_eq!(
        living.contains(id.as_str()),
        fact.exists,
        "{place} exists, {row:#}"
    );
    if fact.exists && !fact.ambiguous {
        assert_row(&place, resource, row, fact, told);
    }
}

fn id_of(row: &Value) -> &str {
    row["id"].as_str().expect("every row has an id")
}

fn by_id(rows: &[Value]) -> BTreeMap<&str, &Value> {
    rows.iter().map(|row| (id_of(row), row)).collect()
}

fn assert_row(place: &str, resource: Resource, row: &Value, fact: &Fact, told: Told) {
    assert_data(
        place,
        resource,
        &row["data"],
        &stored(resource, &fact.object),
        told,
    );
    for (column, pointer) in columns(resource) {
        if *column == "scim" && told == Told::ByAnything {
            continue;
        }
        let wanted = fact.object.pointer(pointer).cloned().unwrap_or(Value::Null);
        assert_eq!(row[*column], fit(wanted), "{place}.{column}");
    }
    if resource == Resource::Users {
        assert_person(place, row, &fact.object);
    }
}

/// Members that only the Backend API shows, under the names that they have here. The truth is what events show.
const OF_API: &[&str] = &[
    "instance_id",
    "eligible_for_free_trial",
    "object",
    "payer_id",
    "canceled_at",
    "past_due_at",
    "ended_at",
    "payee_id",
    "amount",
    "payment_method_id",
    "gateway_external_url",
    "subscription_item_id",
    "subscription_item",
    "members_count",
];

/// Members that only webhooks carry, which may have been lost: what is here may be of a while ago.
const OF_WEBHOOKS: &[&str] = &["scim"];

fn assert_data(place: &str, resource: Resource, data: &Value, wanted: &Value, told: Told) {
    // What only some of an object's sources show, and a column tells: the subscription of an item, the user of a session. And what
    // the sources show differently.
    let is_apart = |name: &str| {
        matches!(
            (resource, name),
            (Resource::SubscriptionItems, "subscription_id" | "plan" | "object")
                | (Resource::Sessions, "user")
        )
    };
    let (data, wanted) = (
        data.as_object().expect("an object"),
        wanted.as_object().expect("an object"),
    );
    let may_be_old = |name: &str| told == Told::ByAnything && OF_WEBHOOKS.contains(&name);
    for (name, value) in data
        .iter()
        .filter(|(name, _)| !is_apart(name) && !may_be_old(name))
    {
        match wanted.get(name) {
            Some(wanted) => assert_eq!(value, wanted, "{place}.data.{name}"),
            None => assert!(
                value.is_null() || OF_API.contains(&name.as_str()),
                "{place}.data.{name}: {value}"
            ),
        }
    }
    let absent: Vec<&String> = wanted
        .keys()
        .filter(|name| !data.contains_key(*name) && !is_apart(name))
        .collect();
    assert!(
        told == Told::ByAnything || absent.is_empty(),
        "{place}.data lacks {absent:?}"
    );
}

/// Columns and where their value is in Clerk's object.
fn columns(resource: Resource) -> &'static [(&'static str, &'static str)] {
    match resource {
        Resource::Users => &[
            ("username", "/username"),
            ("first_name", "/first_name"),
            ("last_name", "/last_name"),
            ("external_id", "/external_id"),
            ("banned", "/banned"),
            ("locked", "/locked"),
            ("public_metadata", "/public_metadata"),
            ("scim", "/scim"),
        ],
        Resource::Organizations => &[
            ("name", "/name"),
            ("slug", "/slug"),
            ("created_by", "/created_by"),
        ],
        Resource::OrganizationMemberships => &[
            ("organization_id", "/organization/id"),
            ("user_id", "/public_user_data/user_id"),
            ("role", "/role"),
            ("permissions", "/permissions"),
        ],
        Resource::OrganizationInvitations => &[
            ("organization_id", "/organization_id"),
            ("email_address", "/email_address"),
            ("status", "/status"),
            ("role", "/role"),
        ],
        Resource::OrganizationDomains => &[("organization_id", "/organization_id"), ("name", "/name")],
        Resource::Invitations | Resource::WaitlistEntries => {
            &[("email_address", "/email_address"), ("status", "/status")]
        }
        Resource::Roles => &[("key", "/key"), ("name", "/name")],
        Resource::Permissions => &[("key", "/key"), ("type", "/type")],
        Resource::Sessions => &[
            ("user_id", "/user_id"),
            ("status", "/status"),
            ("client_id", "/client_id"),
        ],
        Resource::Subscriptions => &[("status", "/status"), ("payer_id", "/payer_id")],
        Resource::SubscriptionItems => &[
            ("subscription_id", "/subscription_id"),
            ("status", "/status"),
            ("plan_id", "/plan_id"),
            ("interval", "/interval"),
        ],
        Resource::PaymentAttempts => &[("status", "/status"), ("charge_type", "/charge_type")],
    }
}

fn assert_person(place: &str, row: &Value, object: &Value) {
    let addresses = object["email_addresses"].as_array().cloned().unwrap_or_default();
    let primary = addresses.iter().find(|address| {
        !object["primary_email_address_id"].is_null() && address["id"] == object["primary_email_address_id"]
    });
    let text = primary.map_or(Value::Null, |address| address["email_address"].clone());
    assert_eq!(
        row["primary_email_address"],
        fit(text),
        "{place}.primary_email_address"
    );
    let verified = primary.map_or(Value::Null, |address| {
        json!(address["verification"]["status"] == "verified")
    });
    assert_eq!(
        row["primary_email_verified"], verified,
        "{place}.primary_email_verified"
    );
    let all: Vec<Value> = addresses
        .iter()
        .map(|address| fit(address["email_address"].clone()))
        .collect();
    if object["email_addresses"].is_array() {
        assert_eq!(row["email_addresses"], json!(all), "{place}.email_addresses");
    }
}

/// What of an object may be in `data`: no secrets, no private metadata, and of other resources only ids.
fn stored(resource: Resource, object: &Value) -> Value {
    let mut members = object.as_object().expect("an object").clone();
    let dropped: &[&str] = match resource {
        Resource::OrganizationInvitations | Resource::Invitations => &["url"],
        Resource::Sessions => &["latest_activity", "last_active_token"],
        Resource::Subscriptions | Resource::SubscriptionItems | Resource::PaymentAttempts => {
            &["payment_source"]
        }
        _ => &[],
    };
    let has_side = matches!(
        resource,
        Resource::Users
            | Resource::Organizations
            | Resource::OrganizationMemberships
            | Resource::OrganizationInvitations
    );
    members.retain(|name, _| {
        let is_side = has_side && name == "private_metadata";
        !(dropped.contains(&name.as_str()) || is_side)
    });
    let others: &[&str] = match resource {
        Resource::OrganizationMemberships => &["organization", "public_user_data"],
        Resource::OrganizationInvitations => &["public_inviter_data", "public_organization_data"],
        Resource::OrganizationDomains => &["public_organization_data"],
        Resource::Sessions => &["user"],
        Resource::WaitlistEntries => &["invitation"],
        Resource::Subscriptions => &["payer", "items"],
        Resource::SubscriptionItems => &["payer"],
        Resource::PaymentAttempts => &["payer", "subscription_items"],
        Resource::Roles => &["permissions"],
        Resource::Users => &["organization_memberships"],
        _ => &[],
    };
    for name in others {
        if let Some(value) = members.get_mut(*name) {
            *value = match &*value {
                Value::Array(list) => list.iter().map(ids).collect(),
                other => ids(other),
            };
        }
    }
    // A role lists its permissions by their keys too; backup codes of a phone number are secrets.
    if let (Resource::Roles, Some(Value::Array(list))) = (resource, object.get("permissions")) {
        let id_and_key = |permission: &Value| json!({ "id": permission["id"], "key": permission["key"] });
        members.insert("permissions".to_owned(), list.iter().map(id_and_key).collect());
    }
    for phone in members
        .get_mut("phone_numbers")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        phone
            .as_object_mut()
            .map(|members| members.remove("backup_codes"));
    }
    fit(Value::Object(members))
}

fn ids(value: &Value) -> Value {
    let Some(members) = value.as_object() else {
        return Value::Null;
    };
    let is_id = |name: &str, value: &Value| {
        matches!(name, "id" | "user_id" | "organization_id")
            && value.as_str().is_some_and(|text| !text.is_empty())
    };
    members
        .iter()
        .filter(|(name, value)| is_id(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Text in Postgres holds no NUL.
fn fit(value: Value) -> Value {
    match value {
        Value::String(text) => text.replace('\0', "\u{fffd}").into(),
        Value::Array(list) => list.into_iter().map(fit).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name.replace('\0', "\u{fffd}"), fit(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

/// # Panics
/// If events are not in the ledger exactly once, or one is left to be applied.
pub fn assert_ledger(client: &mut impl GenericClient, events: usize) {
    let stored: i64 = client.value("SELECT count(*) FROM clerk.webhook_events");
    assert_eq!(stored, events as i64, "rows of the ledger");
    let open: i64 =
        client.value("SELECT count(*) FROM clerk.webhook_events WHERE state IN ('failed', 'quarantined')");
    assert_eq!(open, 0, "events that are not applied");
}
