//! The join against a model: the state of a row is made of independent maxima, one for each member, as decision D8 says. Sources
//! leave members out, fields are excluded, private metadata is not kept, people are deleted.

use std::collections::BTreeMap;

use clerk_core::mirror::{
    DeletedUsers, Event, LOWEST, Observation, Policy, Resource, observe_object, reduce,
};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::reading::{columns, every_resource};

type Version = (i64, i64);
type Key = (Resource, String);

/// Seconds of these histories, in microseconds.
const START: i64 = 1_750_000_000_000_000;
const MODES: [DeletedUsers; 3] = [DeletedUsers::Keep, DeletedUsers::Scrub, DeletedUsers::Remove];

/// One thing that a source said.
#[derive(Debug, Clone)]
struct Said {
    resource: Resource,
    id: String,
    what: What,
    observed_at: i64,
}

#[derive(Debug, Clone)]
enum What {
    Object(Map<String, Json>),
    Deletion,
}

/// The row of the model: members at their greatest (version, text).
#[derive(Debug, Clone, Default, PartialEq)]
struct Row {
    members: BTreeMap<String, (Version, String)>,
    version: Option<Version>,
    last_seen_at: Option<i64>,
    deleted_at: Option<i64>,
}

impl Row {
    fn hear(&mut self, said: &Said, excluded: &[&str]) {
        match &said.what {
            What::Deletion => self.deleted_at = self.deleted_at.max(Some(said.observed_at)),
            What::Object(object) => {
                let version = (
                    object["updated_at"].as_i64().expect("it has") * 1000,
                    said.observed_at,
                );
                self.version = self.version.max(Some(version));
                self.last_seen_at = self.last_seen_at.max(Some(said.observed_at));
                for (name, value) in object {
                    if !excluded.contains(&name.as_str()) {
                        let told = (version, kept(name, value).to_string());
                        let own = self.members.entry(name.clone()).or_insert_with(|| told.clone());
                        *own = told.max(own.clone());
                    }
                }
            }
        }
    }

    fn settle(mut self, resource: Resource, mode: DeletedUsers) -> Self {
        if let Some(deleted_at) = self.deleted_at
            && resource == Resource::Users
            && mode != DeletedUsers::Keep
        {
            self.members
                .retain(|_, ((updated_at, _), _)| *updated_at > deleted_at);
        }
        self
    }
}

/// What may be stored of a member.
fn kept(name: &str, value: &Json) -> Json {
    let mut value = value.clone();
    if name == "phone_numbers" {
        for number in value.as_array_mut().expect("a list") {
            number.as_object_mut().expect("an object").remove("backup_codes");
        }
    }
    value
}

fn model(history: &[Said], excluded: &[&str], mode: DeletedUsers) -> BTreeMap<Key, Row> {
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    for said in history {
        rows.entry((said.resource, said.id.clone()))
            .or_default()
            .hear(said, excluded);
    }
    rows.into_iter()
        .map(|(key, row)| (key.clone(), row.settle(key.0, mode)))
        .collect()
}

fn observe(said: &Said, policy: &Policy) -> Vec<Observation> {
    match &said.what {
        What::Object(object) => {
            let text = Json::Object(object.clone()).to_string();
            observe_object(said.resource, &text, said.observed_at, None, policy, i64::MAX)
                .expect("it has an id")
        }
        What::Deletion => {
            let body = json!({
                "type": format!("{}.deleted", said.resource.event_prefix()),
                "timestamp": said.observed_at / 1000,
                "data": { "id": said.id, "deleted": true },
            });
            let body = body.to_string();
            Event::parse(&body, 0).expect("an envelope").observations(policy)
        }
    }
}

/// What the tables hold: every row read back, joined with the news and written.
fn written(batches: &[&[Said]], policy: &Policy, mode: DeletedUsers) -> BTreeMap<Key, Observation> {
    let mut tables: BTreeMap<Key, Observation> = BTreeMap::new();
    for batch in batches {
        for round in reduce(batch.iter().flat_map(|said| observe(said, policy))) {
            for news in round {
                let key = (news.resource, news.id.clone());
                let mut row = match tables.remove(&key) {
                    Some(row) => {
                        let mut row = row.stored();
                        row.join(news);
                        row
                    }
                    None => news,
                };
                row.take_deleted(mode);
                tables.insert(key, row);
            }
        }
    }
    tables
}

/// A row in the model's terms.
fn in_terms_of_the_model(row: &Observation, mode: DeletedUsers) -> Row {
    let live = row.live.as_ref();
    let version = live
        .map(|live| (live.updated_at, live.observed_at))
        .filter(|(at, _)| *at > LOWEST);
    let mut members: BTreeMap<String, (Version, String)> = BTreeMap::new();
    if let Some(live) = live {
        let data: Map<String, Json> = serde_json::from_str(&live.data).expect("data is an object");
        let is_tombstone = data
            == *json!({ "id": row.id, "object": "user", "deleted": true })
                .as_object()
                .unwrap();
        if is_tombstone {
            assert_eq!(mode, DeletedUsers::Scrub);
            assert_eq!(live.older, None);
        } else {
            members = data
                .into_iter()
                .map(|(name, value)| (name, (version.unwrap_or((LOWEST, LOWEST)), value.to_string())))
                .collect();
        }
        let older: BTreeMap<String, Vec<String>> =
            live.older.as_deref().map_or_else(BTreeMap::new, |older| {
                serde_json::from_str(older).expect("names by version")
            });
        for (text, names) in older {
            let (updated_at, observed_at) = text.split_once('/').expect("a version");
            let older: Version = (updated_at.parse().unwrap(), observed_at.parse().unwrap());
            assert!(Some(older) < version, "{text}");
            for name in names {
                members.get_mut(&name).expect("only members that are there").0 = older;
            }
        }
    }
    Row {
        members,
        version,
        last_seen_at: Some(row.last_seen_at).filter(|at| *at > LOWEST),
        deleted_at: row.deleted_at,
    }
}

/// Few rows, few times and few values, so that there are ties of every kind. Every member may be left out but id and version.
fn said() -> impl Strategy<Value = Said> {
    let user = (
        prop::option::of(0..3),
        prop::option::of(prop::option::of(0..2)),
        prop::option::of(prop::option::of(0..2)),
        prop::option::of(0..2),
        prop::option::of(0..2),
    );
    let role = (prop::option::of(0..3), prop::option::of(0..2));
    let object = prop_oneof![
        4 => user.prop_map(|(name, scim, private, phone, public)| {
            let mut object = Map::new();
            let mut put = |name: &str, value: Option<Json>| {
                if let Some(value) = value {
                    object.insert(name.to_owned(), value);
                }
            };
            put("first_name", name.map(|name| json!(format!("name {name}"))));
            put("scim", scim.map(|scim| json!(scim.map(|scim| json!({ "directory": scim })))));
            put("private_metadata", private.map(|private| json!(private.map(|private| json!({ "secret": private })))));
            put("phone_numbers", phone.map(|phone| json!([{ "backup_codes": ["1"], "id": format!("idn_{phone}") }])));
            put("public_metadata", public.map(|public| json!({ "plan": public })));
            (Resource::Users, What::Object(object))
        }),
        1 => role.prop_map(|(name, key): (Option<i32>, Option<i32>)| {
            let mut object = Map::new();
            if let Some(name) = name {
                object.insert("name".to_owned(), json!(name.to_string()));
            }
            if let Some(key) = key {
                object.insert("key".to_owned(), json!(format!("org:{key}")));
            }
            (Resource::Roles, What::Object(object))
        }),
        1 => prop::sample::select(vec![Resource::Users, Resource::Roles]).prop_map(|resource| (resource, What::Deletion)),
    ];
    (object, 0..2, 0_i64..4, 0_i64..4).prop_map(|((resource, mut what), id, updated_at, observed_at)| {
        let id = format!("id_{id}");
        if let What::Object(object) = &mut what {
            object.insert("id".to_owned(), json!(id));
            object.insert("updated_at".to_owned(), json!(START / 1000 + updated_at));
        }
        Said {
            resource,
            id,
            what,
            observed_at: START + observed_at * 1000,
        }
    })
}

fn histories() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::vec(said(), 0..16)
}

/// A history in four orders; some of what was said comes twice.
fn orders() -> impl Strategy<Value = Vec<Vec<Said>>> {
    histories().prop_flat_map(|history| {
        let doubled: Vec<Said> = history.iter().chain(history.iter().step_by(3)).cloned().collect();
        let order = Just(doubled).prop_shuffle();
        (Just(history), prop::collection::vec(order, 3)).prop_map(|(history, mut orders)| {
            orders.push(history);
            orders
        })
    })
}

fn policies() -> impl Strategy<Value = (Policy, Vec<&'static str>)> {
    let excluded = prop::sample::subsequence(vec!["first_name", "scim", "phone_numbers"], 0..=2);
    (any::<bool>(), excluded).prop_map(|(keep_private_metadata, mut excluded)| {
        let policy = Policy {
            keep_private_metadata,
            exclude_fields: excluded.iter().map(|name| (*name).to_owned()).collect(),
            ..every_resource()
        };
        if !keep_private_metadata {
            excluded.push("private_metadata");
        }
        (policy, excluded)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn every_order_ends_in_the_greatest_of_every_member(
        orders in orders(),
        (policy, excluded) in policies(),
        mode in prop::sample::select(MODES.to_vec()),
        cut in any::<prop::sample::Index>(),
    ) {
        let expected = model(&orders[0], &excluded, mode);
        for (at, order) in orders.iter().enumerate() {
            let (first, second) = order.split_at(cut.index(order.len() + 1));
            let one_by_one: Vec<&[Said]> = order.chunks(1).collect();
            let batches = [&one_by_one[..], &[first, second], &[&order[..]]];
            let tables = written(batches[at % batches.len()], &policy, mode);
            for row in tables.values() {
                assert_columns_follow(row);
            }
            let found: BTreeMap<Key, Row> = tables
                .into_iter()
                .map(|(key, row)| (key, in_terms_of_the_model(&row, mode)))
                .collect();
            prop_assert_eq!(&found, &expected);
        }
    }
}

/// Typed columns are what `data` says, however it came about.
fn assert_columns_follow(row: &Observation) {
    let Some(live) = &row.live else { return };
    let data: Json = serde_json::from_str(&live.data).expect("data is an object");
    let columns = columns(row);
    let names: &[&str] = match row.resource {
        Resource::Users => &["first_name", "scim", "private_metadata", "public_metadata"],
        _ => &["key", "name"],
    };
    for name in names {
        assert_eq!(columns[*name], data[*name], "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn in_each_round_a_row_comes_once_and_in_order(history in histories()) {
        let policy = every_resource();
        for round in reduce(history.iter().flat_map(|said| observe(said, &policy))) {
            prop_assert!(!round.is_empty());
            let keys: Vec<Key> = round.iter().map(|told| (told.resource, told.id.clone())).collect();
            prop_assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", keys);
        }
    }
}

fn invitation(at: i64, members: Json) -> Observation {
    let mut object = json!({ "id": "orginv_1", "updated_at": at });
    object
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    let policy = Policy {
        keep_private_metadata: true,
        ..every_resource()
    };
    let text = object.to_string();
    let mut told = observe_object(
        Resource::OrganizationInvitations,
        &text,
        at * 1000,
        None,
        &policy,
        i64::MAX,
    )
    .unwrap();
    told.swap_remove(0)
}

/// What was erased stays so until something newer shows the row; what is no person's joins as ever.
#[test]
fn older_news_brings_nothing_back_to_an_erased_row() {
    const AT: i64 = 1_750_000_000_000;
    let mut row = invitation(
        AT,
        json!({ "email_address": "a@example.com", "role": "org:admin", "mystery": "a@" }),
    );
    row.erase();
    let erased = json!({ "id": "orginv_1", "updated_at": AT, "role": "org:admin", "erased": true });
    let data = |row: &Observation| serde_json::from_str::<Json>(&row.live.as_ref().unwrap().data).unwrap();
    assert_eq!(data(&row), erased);
    assert_eq!(columns(&row)["role"], "org:admin");
    assert_eq!(columns(&row)["email_address"], Json::Null);

    let accepted = json!({ "user_id": "user_1", "private_metadata": { "note": 1 }, "data": "a@", "email_address": "a@example.com" });
    let (mut one, mut other) = (row.clone(), invitation(AT - 5, accepted.clone()));
    one.join(invitation(AT - 5, accepted));
    other.join(row.clone());
    assert_eq!(data(&one)["user_id"], "user_1");
    assert_eq!(columns(&one)["user_id"], "user_1");
    for name in ["email_address", "private_metadata", "data", "mystery"] {
        assert_eq!(data(&one).get(name), None, "{name}");
    }
    assert_eq!(one, other, "whichever came first");

    one.join(invitation(
        AT + 5,
        json!({ "email_address": "a@example.com", "role": "org:member" }),
    ));
    assert_eq!(
        data(&one)["email_address"],
        "a@example.com",
        "until the next upkeep"
    );
    assert_eq!(
        data(&one)["user_id"],
        "user_1",
        "the page does not say who accepted"
    );
    assert_eq!(data(&one).get("erased"), None);
}

#[test]
fn what_does_not_tie_is_written_in_one_round() {
    let versions = |at: i64| {
        let text = json!({ "id": "user_1", "updated_at": START / 1000 + at, "first_name": at.to_string() })
            .to_string();
        observe_object(Resource::Users, &text, START, None, &every_resource(), i64::MAX).unwrap()
    };
    let rounds = reduce((0..100).chain(0..100).flat_map(versions));
    assert_eq!(rounds.len(), 1);
    assert_eq!(rounds[0].len(), 1);
    assert_eq!(rounds[0][0].live.as_ref().unwrap().updated_at, START + 99_000);
    assert_eq!(reduce([]), Vec::<Vec<Observation>>::new());
}

#[test]
fn tables_are_written_parents_first() {
    let orders: Vec<&str> = Resource::ALL.iter().map(|resource| resource.table()).collect();
    assert_eq!(
        orders[..3],
        ["users", "organizations", "organization_memberships"]
    );
    assert!(Resource::ALL.is_sorted());
    for resource in Resource::ALL {
        assert_eq!(Resource::from_table(resource.table()), Some(*resource));
    }
}
