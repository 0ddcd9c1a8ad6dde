//! What an object says about rows: its own, those of objects inside it, and those it refers to.

use super::future::{FutureTime, future_version, is_from_the_future};
use super::observation::{Live, Observation};
use super::policy::Policy;
use super::raw::RawObject;
use super::redact::{self, Embedded, Treatment};
use super::resource::Resource;
use super::scan::elements;

/// When and where an object was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting<'a> {
    pub(super) observed_at: i64,
    pub(super) instance_id: Option<&'a str>,
    pub(super) policy: &'a Policy,
}

/// Why an object cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectError {
    /// It is no object with an id.
    NoId,
    /// It, or the answer that it came in, claims a time more than a day after the database's.
    FromTheFuture(FutureTime),
}

/// Why a list of objects cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectsError {
    /// It is not JSON; with the reason.
    NotJson(String),
    /// It is JSON, but no array.
    NotAnArray,
    /// The element at this place, counted from 0, cannot be used.
    Element(usize, ObjectError),
}

/// What a list of objects of one resource says, as the Backend API answers it at `observed_at`. `now` is the database's time;
/// both are in microseconds since 1970.
pub fn observe_objects(
    resource: Resource,
    objects: &str,
    observed_at: i64,
    instance_id: Option<&str>,
    policy: &Policy,
    now: i64,
) -> Result<Vec<Observation>, ObjectsError> {
    let mut observations = Vec::new();
    for (index, object) in split_objects(objects)?.into_iter().enumerate() {
        let mut said = observe_object(resource, object, observed_at, instance_id, policy, now)
            .map_err(|error| ObjectsError::Element(index, error))?;
        observations.append(&mut said);
    }
    Ok(observations)
}

/// The elements of a list of objects, as text.
pub fn split_objects(objects: &str) -> Result<Vec<&str>, ObjectsError> {
    if let Err(error) = serde_json::from_str::<&serde_json::value::RawValue>(objects) {
        return Err(ObjectsError::NotJson(error.to_string()));
    }
    elements(objects).ok_or(ObjectsError::NotAnArray)
}

/// What one object says. `object` must be JSON; the rest is as for [`observe_objects`].
pub fn observe_object(
    resource: Resource,
    object: &str,
    observed_at: i64,
    instance_id: Option<&str>,
    policy: &Policy,
    now: i64,
) -> Result<Vec<Observation>, ObjectError> {
    let sighting = Sighting {
        observed_at,
        instance_id,
        policy,
    };
    let mut observations = Vec::new();
    let object = RawObject::inside(object).ok_or(ObjectError::NoId)?;
    let observed_in_future = is_from_the_future(observed_at, now).then(|| FutureTime {
        member: "observed_at".to_owned(),
        value: observed_at.to_string(),
    });
    if let Some(time) = observed_in_future.or_else(|| future_version(resource, &object, now)) {
        return Err(ObjectError::FromTheFuture(time));
    }
    if !see(resource, &object, sighting, &mut observations) {
        return Err(ObjectError::NoId);
    }
    observations.retain(|observation| policy.mirrors(observation.resource));
    Ok(observations)
}

/// The membership that a session token shows before any event about it has come. Clerk's id of it is not in the token.
pub fn placeholder_membership(
    user_id: &str,
    organization_id: &str,
    instance_id: Option<String>,
) -> Observation {
    let resource = Resource::OrganizationMemberships;
    let id = format!("placeholder:{organization_id}:{user_id}");
    let data = serde_json::json!({
        "organization": { "id": organization_id },
        "public_user_data": { "user_id": user_id },
    });
    let data = data.to_string();
    let mut observation = Observation::placeholder(resource, id, instance_id);
    observation.live = Some(Live {
        values: resource.values(&RawObject::inside(&data).unwrap_or_default()),
        data,
        ..Live::unknown(resource)
    });
    observation
}

/// Adds what a live object says. False if it has no id.
pub(super) fn see(
    resource: Resource,
    object: &RawObject,
    sighting: Sighting,
    observations: &mut Vec<Observation>,
) -> bool {
    let Some(id) = object.id("id") else {
        return false;
    };
    let object = told(resource, object, sighting.policy);
    let instance_id = sighting.instance_id.map(str::to_owned);
    let mut observation = Observation::placeholder(resource, id, instance_id);
    observation.last_seen_at = sighting.observed_at;
    observation.live = Some(live(resource, &object, sighting));
    observations.push(observation);
    see_others(resource, &object, sighting, observations);
    true
}

fn live(resource: Resource, object: &RawObject, sighting: Sighting) -> Live {
    let created_at = object.micros("created_at");
    Live {
        // Old samples have no updated_at: then the event's time is the best version there is.
        updated_at: object.micros("updated_at").unwrap_or(sighting.observed_at),
        observed_at: sighting.observed_at,
        created_at,
        data: redact::data(resource, object, sighting.policy),
        older: None,
        values: resource.values(object),
    }
}

/// What of an object is there for anybody: without what the policy leaves out, and each member under its one name. A member that
/// says what a part of another says is there in any case, and one that is left out where it is null.
fn told<'a>(resource: Resource, object: &RawObject<'a>, policy: &Policy) -> RawObject<'a> {
    let mut told = object.clone();
    for (from, name) in resource.other_names() {
        let value = match from.split_once('.') {
            None => told.at(from),
            Some((whole, part)) => part_of(resource, &told, whole, part),
        };
        if let Some(value) = value.filter(|_| !told.carries(name)) {
            told = told.with(name, value);
        }
        told = told.without(|own| own == from && !from.contains('.'));
    }
    for name in resource.null_if_absent() {
        if !told.carries(name) {
            told = told.with(name, "null");
        }
    }
    told.without(|name| policy.omits(resource, name))
}

/// A part of a member, if it is stored there.
fn part_of<'a>(resource: Resource, object: &RawObject<'a>, whole: &str, part: &str) -> Option<&'a str> {
    let whole_object = object.object(whole)?;
    if redact::treatment(resource, whole) == Some(Treatment::Ids) {
        whole_object.id(part)?;
    }
    whole_object.get(part)
}

/// Adds what is said about other rows.
fn see_others(
    resource: Resource,
    object: &RawObject,
    sighting: Sighting,
    observations: &mut Vec<Observation>,
) {
    for (name, json) in object.members() {
        match redact::treatment(resource, name) {
            None | Some(Treatment::Drop | Treatment::ListWithout(_)) => {}
            Some(Treatment::Ids) => {
                if let Some(inner) = RawObject::inside(json) {
                    refer(&inner, sighting, observations);
                }
            }
            Some(Treatment::Embedded(other)) => {
                if let Some(inner) = RawObject::inside(json) {
                    see_embedded(other, &inner, sighting, observations);
                }
            }
            Some(Treatment::EmbeddedList(list)) => {
                let inner = elements(json).unwrap_or_default();
                for inner in inner.into_iter().filter_map(RawObject::inside) {
                    let inner = inherit(list, inner, (resource, object));
                    see_listed(list, &inner, sighting, observations);
                }
            }
        }
    }
    refer(object, sighting, observations);
}

/// Fills in what the object around says.
fn inherit<'a>(
    list: Embedded,
    inner: RawObject<'a>,
    (resource, around): (Resource, &RawObject<'a>),
) -> RawObject<'a> {
    let mut inner = inner;
    for inherited in list.inherited {
        let is_needed =
            !says(list.resource, &inner, inherited.unless) && says(resource, around, inherited.from);
        if let Some(value) = around.get(inherited.from).filter(|_| is_needed) {
            inner = inner.with(inherited.name, value);
        }
    }
    inner
}

/// Whether the object has the member, in a form of which something is stored.
fn says(resource: Resource, object: &RawObject, name: &str) -> bool {
    match redact::treatment(resource, name) {
        None => object.get(name).is_some(),
        Some(_) => object.object(name).is_some(),
    }
}

fn see_listed(list: Embedded, object: &RawObject, sighting: Sighting, observations: &mut Vec<Observation>) {
    let is_version = list
        .needed
        .is_none_or(|needed| says(list.resource, object, needed));
    if is_version {
        see_embedded(list.resource, object, sighting, observations);
    } else {
        see_id(list.resource, object, sighting, observations);
    }
}

/// An embedded object with `updated_at` is a version of its row; one without only shows that there is a row.
fn see_embedded(
    resource: Resource,
    object: &RawObject,
    sighting: Sighting,
    observations: &mut Vec<Observation>,
) {
    if object.micros("updated_at").is_some() {
        see(resource, object, sighting, observations);
    } else {
        see_id(resource, object, sighting, observations);
    }
}

fn see_id(resource: Resource, object: &RawObject, sighting: Sighting, observations: &mut Vec<Observation>) {
    if let Some(id) = object.id("id") {
        let instance_id = sighting.instance_id.map(str::to_owned);
        observations.push(Observation::placeholder(resource, id, instance_id));
    }
}

/// Adds placeholders of the person and the organization that an object names.
fn refer(object: &RawObject, sighting: Sighting, observations: &mut Vec<Observation>) {
    for (name, resource) in [
        ("user_id", Resource::Users),
        ("organization_id", Resource::Organizations),
    ] {
        if let Some(id) = object.id(name) {
            let instance_id = sighting.instance_id.map(str::to_owned);
            observations.push(Observation::placeholder(resource, id, instance_id));
        }
    }
}
