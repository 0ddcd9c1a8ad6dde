//! What Clerk keeps, and what the stream has told of it.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::ranks::Ranks;
use super::resource::Resource;

/// Where a record is. Records are never taken away, so a place stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) resource: Resource,
    pub(super) index: usize,
}

/// One thing that Clerk keeps or kept.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: String,
    /// The object without what is only embedded in it when it is shown. As text it takes a fifth of the room.
    text: Box<str>,
    created_at_ms: i64,
    updated_at_ms: i64,
    /// Whose it is: a membership's, session's or subscription's person.
    pub(super) person: Option<Place>,
    /// Which organization's it is.
    pub(super) organization: Option<Place>,
    /// What belongs to it: a person's or an organization's memberships, sessions, invitations, … that ever were.
    pub(super) belongings: Vec<Place>,
    /// What it is made of and shows: a role's permissions, a subscription's or payment attempt's items, a waitlist
    /// entry's invitation.
    pub(super) parts: Vec<Place>,
    /// What it is a part of: a subscription item's subscription.
    pub(super) whole: Option<Place>,
    /// What only `user.created` and `user.updated` show.
    pub(super) scim: Option<Value>,
    /// What everything personal must contain.
    pub(super) marker: Option<String>,
    /// `cpayer_…`, of who pays and of what is paid for.
    pub(super) payer_id: Option<String>,
    /// Whether a session is shown without its person.
    pub(super) bare: bool,
    pub(super) exists: bool,
    pub(super) deleted_at_ms: Option<i64>,
    pub(super) ambiguous: bool,
    /// Whether it changed since it was last shown.
    changed: bool,
    /// The `updated_at` and event time it was last shown with.
    shown: (i64, i64),
}

impl Record {
    /// A living record. `object` has an `id` and times.
    pub(super) fn new(object: Value) -> Self {
        let id = object["id"].as_str().expect("every object has an id").to_owned();
        Self {
            id,
            created_at_ms: time(&object, "created_at"),
            updated_at_ms: time(&object, "updated_at"),
            text: object.to_string().into(),
            person: None,
            organization: None,
            belongings: Vec::new(),
            parts: Vec::new(),
            whole: None,
            scim: None,
            marker: None,
            payer_id: None,
            bare: false,
            exists: true,
            deleted_at_ms: None,
            ambiguous: false,
            changed: true,
            shown: (i64::MIN, i64::MIN),
        }
    }

    pub(super) fn of_person(mut self, person: Place) -> Self {
        self.person = Some(person);
        self
    }

    pub(super) fn of_organization(mut self, organization: Place) -> Self {
        self.organization = Some(organization);
        self
    }

    pub(super) fn object(&self) -> Value {
        serde_json::from_str(&self.text).expect("it was JSON when it was written")
    }

    /// The object as JSON.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn created_at_ms(&self) -> i64 {
        self.created_at_ms
    }

    pub(super) fn updated_at_ms(&self) -> i64 {
        self.updated_at_ms
    }

    /// Notes that the stream shows the record as it is now, at `at_ms`. Two different states shown with the
    /// same two times leave nobody a way to tell which came last.
    pub(super) fn show(&mut self, at_ms: i64) {
        let version = (self.updated_at_ms, at_ms);
        if version > self.shown {
            self.ambiguous = false;
            self.shown = version;
        } else if self.changed {
            self.ambiguous = true;
        }
        self.changed = false;
    }
}

fn time(object: &Value, field: &str) -> i64 {
    object[field].as_i64().expect("every object has its times")
}

/// All records of one resource, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) records: Vec<Record>,
    /// Those that exist and are not over, like an ended session is.
    pub(super) living: Ranks,
    /// Those that exist.
    pub(super) existing: Ranks,
    /// Those that exist, by `updated_at`.
    pub(super) by_update: BTreeSet<(i64, usize)>,
    by_id: HashMap<String, usize>,
}

impl Table {
    pub(super) fn add(&mut self, record: Record) -> usize {
        let index = self.records.len();
        self.by_id.insert(record.id.clone(), index);
        self.by_update.insert((record.updated_at_ms, index));
        self.living.push();
        self.existing.push();
        self.records.push(record);
        index
    }

    pub(super) fn index_of(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Writes an object anew.
    pub(super) fn write(&mut self, index: usize, object: &Value) {
        let record = &mut self.records[index];
        let updated_at_ms = time(object, "updated_at");
        if record.exists && self.by_update.remove(&(record.updated_at_ms, index)) {
            self.by_update.insert((updated_at_ms, index));
        }
        record.updated_at_ms = updated_at_ms;
        record.text = object.to_string().into();
        record.changed = true;
    }

    /// Ends a record; at `deleted_at_ms` if the stream tells so.
    pub(super) fn end(&mut self, index: usize, deleted_at_ms: Option<i64>) {
        self.close(index);
        self.existing.remove(index);
        let record = &mut self.records[index];
        self.by_update.remove(&(record.updated_at_ms, index));
        record.exists = false;
        record.deleted_at_ms = deleted_at_ms;
    }

    /// Nothing will happen to it any more, but it stays on record.
    pub(super) fn close(&mut self, index: usize) {
        self.living.remove(index);
    }
}
