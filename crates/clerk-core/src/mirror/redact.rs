//! What is cut from Clerk's objects before anything of them is stored.
//!
//! Secrets and one-time codes go altogether. Other resources' data is cut to ids in `data`, so that a person's data lies in
//! one row; in the ledger's payload whole embedded objects stay, because rows are made from it again at a retry.

use std::fmt::Write;

use super::fit::fit;
use super::policy::Policy;
use super::raw::RawObject;
use super::resource::Resource;
use super::scan::elements;

/// How a member is stored that is not stored as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Not at all.
    Drop,
    /// Only its ids: it shows parts of another resource.
    Ids,
    /// A whole object of another resource: its id here, and rows of its own.
    Embedded(Resource),
    /// A list of such objects.
    EmbeddedList(Embedded),
    /// A list of objects that lose these members.
    ListWithout(&'static [&'static str]),
}

/// Objects of another resource in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Embedded {
    pub(super) resource: Resource,
    /// What they need not say because it is the same as in the object around them.
    pub(super) inherited: &'static [Inherited],
    /// The member that tells what they belong to. One without it is no version of its row: its own events know more.
    pub(super) needed: Option<&'static str>,
}

/// A member that an embedded object gets from the object around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inherited {
    pub(super) name: &'static str,
    /// What it is called in the object around.
    pub(super) from: &'static str,
    /// The member that makes it unnecessary.
    pub(super) unless: &'static str,
}

/// The names under which Clerk puts people and their cards into whatever object has to do with them.
const EVERYWHERE: &[(&str, Treatment)] = &[
    ("user", Treatment::Ids),
    ("public_user_data", Treatment::Ids),
    ("public_inviter_data", Treatment::Ids),
    ("payer", Treatment::Ids),
    ("payment_source", Treatment::Drop),
    ("payment_method", Treatment::Drop),
    ("latest_activity", Treatment::Drop),
    ("last_active_token", Treatment::Drop),
    ("backup_codes", Treatment::Drop),
];

/// The names of secrets, codes, and texts with codes in them, in objects of types that we do not know.
const SECRET: &[&str] = &[
    "private_metadata",
    "url",
    "ticket",
    "token",
    "secret",
    "code",
    "otp_code",
    "subject",
    "body",
    "body_plain",
    "message",
    "data",
];

/// Deeper than any object of Clerk's; what lies deeper in an object of a type that we do not know is not kept.
const MAX_UNKNOWN_DEPTH: usize = 16;

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

/// How a resource's member is stored; None: as it is.
pub(super) fn treatment(resource: Resource, name: &str) -> Option<Treatment> {
    let lists = [resource.shape().treatments, EVERYWHERE];
    let mut treatments = lists.into_iter().flatten();
    treatments
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
    let is_plain = |byte: &u8| (*byte >= b' ') & (*byte != b'"') & (*byte != b'\\');
    // Without a way out of the loop it is done many bytes at once.
    if text
        .as_bytes()
        .iter()
        .fold(true, |all, byte| all & is_plain(byte))
    {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        // Writing into a String cannot fail.
        let _ = write!(json, "{}", serde_json::Value::from(text));
    }
}

/// The two forms in which an object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Column `data`.
    Data,
    /// The ledger's payload, from which rows can be made again.
    Payload,
}

/// The value of column `data`: without embedded objects and what is never stored, and fit for jsonb.
pub(super) fn data(resource: Resource, object: &RawObject, policy: &Policy) -> String {
    cut(resource, object, policy, Form::Data)
}

/// The object as the ledger may keep it.
pub(super) fn payload(resource: Resource, object: &RawObject, policy: &Policy) -> String {
    cut(resource, object, policy, Form::Payload)
}

fn cut(resource: Resource, object: &RawObject, policy: &Policy, form: Form) -> String {
    let mut kept = Writer::new(1024);
    for (name, value) in object.members() {
        if policy.omits(resource, name) {
            continue;
        }
        match treatment(resource, name) {
            None => kept.member(name, &fit(value)),
            Some(Treatment::Drop) => {}
            Some(Treatment::Ids) => kept.member(name, &ids(value)),
            Some(Treatment::Embedded(other)) => kept.member(name, &embedded(other, value, policy, form)),
            Some(Treatment::EmbeddedList(list)) => {
                let element = |element| embedded(list.resource, element, policy, form);
                kept.member(name, &each(value, element));
            }
            Some(Treatment::ListWithout(names)) => {
                kept.member(name, &each(value, |element| without(element, names)));
            }
        }
    }
    kept.end()
}

fn embedded(resource: Resource, json: &str, policy: &Policy, form: Form) -> String {
    match (form, RawObject::inside(json)) {
        (Form::Data, _) => ids(json),
        (Form::Payload, Some(object)) => payload(resource, &object, policy),
        (Form::Payload, None) => "null".to_owned(),
    }
}

/// The list with each element rewritten; null if it is no list.
fn each<'a>(list: &'a str, rewrite: impl Fn(&'a str) -> String) -> String {
    match elements(list) {
        Some(list) => {
            let list: Vec<String> = list.into_iter().map(rewrite).collect();
            format!("[{}]", list.join(","))
        }
        None => "null".to_owned(),
    }
}

fn without(json: &str, names: &[&str]) -> String {
    let Some(object) = RawObject::inside(json) else {
        return "null".to_owned();
    };
    let mut kept = Writer::new(512);
    for (name, value) in object.members().filter(|(name, _)| !names.contains(name)) {
        kept.member(name, &fit(value));
    }
    kept.end()
}

/// Only the ids of an object that shows another resource.
fn ids(json: &str) -> String {
    match RawObject::inside(json) {
        Some(object) => ids_of(&object),
        None => "null".to_owned(),
    }
}

/// The same of an object that was read already.
pub(super) fn ids_of(object: &RawObject) -> String {
    let mut ids = Writer::new(96);
    // The key is a permission's, by which roles name it.
    for name in ["id", "user_id", "organization_id", "key"] {
        if let Some(id) = object.id(name) {
            push_string(ids.name(name), &id);
        }
    }
    ids.end()
}

/// An e-mail or a text message as the ledger may keep it.
pub(super) fn message(message: &RawObject, policy: &Policy) -> String {
    unknown_object(
        &message.without(|name| !MESSAGE_FIELDS.contains(&name)),
        policy,
        0,
    )
}

/// An object of a type that we do not know, as the ledger may keep it: what is dangerous in any object that we know may lie
/// anywhere in it.
pub(super) fn unknown(object: &RawObject, policy: &Policy) -> String {
    unknown_object(object, policy, 0)
}

fn unknown_object(object: &RawObject, policy: &Policy, depth: usize) -> String {
    let mut kept = Writer::new(1024);
    for (name, value) in object.members() {
        if SECRET.contains(&name) || policy.excludes(None, name) {
            continue;
        }
        match EVERYWHERE.iter().find(|(own, _)| *own == name) {
            None => kept.member(name, &unknown_value(value, policy, depth + 1)),
            Some((_, Treatment::Ids)) => kept.member(name, &ids(value)),
            Some(_) => {}
        }
    }
    kept.end()
}

fn unknown_value(json: &str, policy: &Policy, depth: usize) -> String {
    if !json.starts_with(['{', '[']) {
        return fit(json).into_owned();
    }
    if depth > MAX_UNKNOWN_DEPTH {
        return "null".to_owned();
    }
    match RawObject::inside(json) {
        Some(object) => unknown_object(&object, policy, depth),
        None => each(json, |element| unknown_value(element, policy, depth + 1)),
    }
}
