//! Random histories of objects with some of their members, through the SQL statements: every order ends with each member's greatest value.

use std::collections::BTreeMap;

use clerk_tests::expected::Queries;
use clerk_tests::{Cluster, Dice, Sql};
use serde_json::{Map, Value, json};

use crate::members::{Said, T0};
use crate::scene::{Scene, cases};

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
