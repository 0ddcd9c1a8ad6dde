//! What is cut from Clerk's objects before anything of them is stored.
//!
//! Secrets and one-time codes go altogether. Other resources' data is cut to ids in `data`, so that a person's data lies in
//! one row; in the ledger's payload whole embedded objects stay, because rows are made from it again at a retry.

use std::fmt::Write;

use super::fit::fit;
use super::policy::Policy;
use super::raw::{RawObject, elements};
use super::resource::Resource;

/// How a member is stored that is not stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Not at all.
    Drop,
    /// Only its ids: it shows parts of another resource.
    Ids,
    /// A whole object of another resource: its id here, and rows of its own.
    Embedded(Resource),
    /// A list of such objects. If they belong to this one, the column in which they name it; they need not say it here.
    EmbeddedList(Resource, Option<&'static str>),
}

/// For objects of types that we do not know: the names under which Clerk puts people, secrets and addresses.
const OF_UNKNOWN: &[(&str, Treatment)] = &[
    ("user", Treatment::Ids),
    ("public_user_data", Treatment::Ids),
    ("public_inviter_data", Treatment::Ids),
    ("payer", Treatment::Ids),
    ("payment_source", Treatment::Ids),
    ("latest_activity", Treatment::Drop),
    ("last_active_token", Treatment::Drop),
    ("private_metadata", Treatment::Drop),
    ("url", Treatment::Drop),
    ("ticket", Treatment::Drop),
    ("token", Treatment::Drop),
    ("code", Treatment::Drop),
    ("body", Treatment::Drop),
    ("body_plain", Treatment::Drop),
    ("message", Treatment::Drop),
];

/// All that is kept of an e-mail or a text message: bodies, subjects and `data` hold one-time codes.
pub(super) const MESSAGE_FIELDS: &[&str] = &[
    "id",
    "object",
    "slug",
    "status",
    "user_id",
    "email_address_id",
    "phone_number_id",
    "delivered_by_clerk",
    "created_at",
    "created_at_ms",
];

fn treatment(resource: Option<Resource>, name: &str) -> Option<Treatment> {
    let treatments = resource.map_or(OF_UNKNOWN, |resource| resource.shape().treatments);
    treatments
        .iter()
        .find(|(own, _)| *own == name)
        .map(|(_, treatment)| *treatment)
}

/// Writes a JSON object member by member.
pub(super) struct Writer(String);

impl Writer {
    pub(super) fn new(capacity: usize) -> Self {
        let mut text = String::with_capacity(capacity);
        text.push('{');
        Self(text)
    }

    /// Begins a member; its value is to be written next.
    pub(super) fn name(&mut self, name: &str) -> &mut String {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        push_string(&mut self.0, name);
        self.0.push(':');
        &mut self.0
    }

    pub(super) fn member(&mut self, name: &str, json: &str) {
        self.name(name).push_str(json);
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Appends a text as a JSON string.
pub(super) fn push_string(json: &mut String, text: &str) {
    let plain = text
        .bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if plain {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        // Writing into a String cannot fail.
        let _ = write!(json, "{}", serde_json::Value::from(text));
    }
}

/// The value of column `data`: without side fields, embedded objects and what is never stored, and fit for jsonb.
pub(super) fn data(resource: Resource, object: &RawObject, policy: &Policy) -> String {
    let mut data = Writer::new(1024);
    for (name, value) in object.members() {
        let is_side_field = resource.side_fields().iter().any(|side| side.name == name);
        if is_side_field || policy.excludes(Some(resource), name) {
            continue;
        }
        match treatment(Some(resource), name) {
            Some(Treatment::Drop) => {}
            Some(Treatment::Ids | Treatment::Embedded(_)) => data.member(&fit_name(name), &ids(value)),
            Some(Treatment::EmbeddedList(..)) => {
                let list = elements(value).unwrap_or_default();
                let ids: Vec<String> = list.into_iter().map(ids).collect();
                data.member(&fit_name(name), &format!("[{}]", ids.join(",")));
            }
            None => data.member(&fit_name(name), &fit(value)),
        }
    }
    data.end()
}

/// Text cannot hold NUL, so neither can a name in jsonb.
fn fit_name(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains('\0') {
        name.replace('\0', "\u{fffd}").into()
    } else {
        name.into()
    }
}

/// The object as the ledger may keep it; None stands for an object of an unknown type.
pub(super) fn payload(resource: Option<Resource>, object: &RawObject, policy: &Policy) -> String {
    let mut kept = Writer::new(1024);
    for (name, value) in object.members() {
        let is_dropped_private = name == "private_metadata" && !policy.keep_private_metadata;
        if is_dropped_private || policy.excludes(resource, name) {
            continue;
        }
        match treatment(resource, name) {
            Some(Treatment::Drop) => {}
            Some(Treatment::Ids) => kept.member(name, &ids(value)),
            Some(Treatment::Embedded(other)) => kept.member(name, &embedded(other, value, policy)),
            Some(Treatment::EmbeddedList(other, _)) => {
                let list = elements(value).unwrap_or_default();
                let list: Vec<String> = list
                    .into_iter()
                    .map(|element| embedded(other, element, policy))
                    .collect();
                kept.member(name, &format!("[{}]", list.join(",")));
            }
            None => kept.member(name, value),
        }
    }
    kept.end()
}

fn embedded(resource: Resource, json: &str, policy: &Policy) -> String {
    match RawObject::inside(json) {
        Some(object) => payload(Some(resource), &object, policy),
        None => "null".to_owned(),
    }
}

/// Only the ids of an object that shows another resource.
fn ids(json: &str) -> String {
    let Some(object) = RawObject::inside(json) else {
        return "null".to_owned();
    };
    let mut ids = Writer::new(96);
    for name in ["id", "user_id", "organization_id"] {
        if let Some(id) = object.id(name) {
            push_string(ids.name(name), &id);
        }
    }
    ids.end()
}
