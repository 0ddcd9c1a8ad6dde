//! What the tests read from observations.

use clerk_core::mirror::{Event, LOWEST, Live, Observation, Policy, Resource, Value, observe_objects};
use serde_json::{Value as Json, json};

use crate::samples::{AT, CREATED, UPDATED};

/// Stores everything that can be stored.
pub fn everything() -> Policy {
    Policy {
        mirror: Resource::ALL.to_vec(),
        exclude_fields: Vec::new(),
        keep_private_metadata: true,
        keep_event_attributes: true,
    }
}

/// Stores every resource, but nothing that has to be asked for.
pub fn every_resource() -> Policy {
    Policy {
        mirror: Resource::ALL.to_vec(),
        ..Policy::default()
    }
}

pub fn micros(milliseconds: i64) -> i64 {
    milliseconds * 1000
}

/// What a body says, which is to be applied.
pub fn observe_with(body: &Json, policy: &Policy) -> Vec<Observation> {
    let body = body.to_string();
    let event = Event::parse(&body, 0).expect("an envelope");
    assert_eq!(
        event.ignored(policy, &["ins_1"], micros(AT)),
        None,
        "{}",
        event.event_type
    );
    event.observations(policy)
}

pub fn observe(body: &Json) -> Vec<Observation> {
    observe_with(body, &every_resource())
}

/// What an object says that the Backend API answered at [`AT`].
pub fn observe_object(resource: Resource, object: Json) -> Vec<Observation> {
    let objects = Json::Array(vec![object]).to_string();
    observe_objects(
        resource,
        &objects,
        micros(AT),
        None,
        &every_resource(),
        micros(AT),
    )
    .expect("objects")
}

pub fn payload_with(body: &Json, policy: &Policy) -> Json {
    let body = body.to_string();
    let payload = Event::parse(&body, 0).expect("an envelope").payload(policy);
    serde_json::from_str(&payload).expect("a payload is JSON")
}

pub fn payload(body: &Json) -> Json {
    payload_with(body, &Policy::default())
}

/// The rows that observations are about, in their order: the own row first.
pub fn rows(observations: &[Observation]) -> Vec<(Resource, &str)> {
    let row = |observation: &'_ Observation| observation.resource;
    observations
        .iter()
        .map(|observation| (row(observation), observation.id.as_str()))
        .collect()
}

/// The only observation of that row which says more than that it exists.
pub fn told<'o>(observations: &'o [Observation], resource: Resource, id: &str) -> &'o Observation {
    let mut told = observations.iter().filter(|observation| {
        (observation.resource, observation.id.as_str()) == (resource, id) && !observation.is_placeholder()
    });
    let only = told.next().unwrap_or_else(|| panic!("nothing about {id}"));
    assert_eq!(told.next(), None, "more than one observation of {id}");
    only
}

/// Whether a row is only known to exist.
pub fn is_placeholder(observations: &[Observation], resource: Resource, id: &str) -> bool {
    let own = |observation: &&Observation| (observation.resource, observation.id.as_str()) == (resource, id);
    let mut own = observations.iter().filter(own).peekable();
    own.peek().is_some() && own.all(|observation| *observation == placeholder(resource, id))
}

pub fn placeholder(resource: Resource, id: &str) -> Observation {
    Observation::placeholder(resource, id.to_owned(), Some("ins_1".to_owned()))
}

pub fn live(observation: &Observation) -> &Live {
    observation.live.as_ref().expect("a live version")
}

pub fn data(observation: &Observation) -> Json {
    serde_json::from_str(&live(observation).data).expect("data is JSON")
}

/// The typed columns by name; times in milliseconds.
pub fn columns(observation: &Observation) -> Json {
    let values = live(observation).values.iter();
    let columns = observation.resource.columns();
    assert_eq!(columns.len(), values.len(), "{}", observation.resource.table());
    let named = columns.iter().zip(values);
    Json::Object(
        named
            .map(|(column, value)| (column.name.to_owned(), plain(value)))
            .collect(),
    )
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Time(time) => json!(time.map(|micros| micros / 1000)),
        Value::Boolean(boolean) => json!(boolean),
        Value::Integer(integer) => json!(integer),
        Value::Texts(texts) => json!(texts),
        Value::Json(json) => json.as_ref().map_or(Json::Null, |json| {
            serde_json::from_str(json).expect("a jsonb column holds JSON")
        }),
    }
}

/// A member of `data`; None if the source does not carry it.
pub fn member(observation: &Observation, name: &str) -> Option<Json> {
    data(observation).get(name).cloned()
}

/// Checks the versions of an observation of a sample that an event shows alive.
pub fn assert_alive(observation: &Observation) {
    let live = live(observation);
    assert_eq!(live.updated_at, micros(UPDATED));
    assert_eq!(live.observed_at, micros(AT));
    assert_eq!(live.created_at, Some(micros(CREATED)));
    assert_eq!(observation.last_seen_at, micros(AT));
    assert_eq!((observation.deleted_at, observation.missing_at), (None, None));
    assert_eq!(observation.instance_id.as_deref(), Some("ins_1"));
}

/// The same for one that an event shows deleted, with the whole object as it was.
pub fn assert_deleted(observation: &Observation) {
    assert_eq!(live(observation).updated_at, micros(UPDATED));
    assert_eq!(observation.last_seen_at, LOWEST);
    assert_eq!(observation.deleted_at, Some(micros(AT)));
}
