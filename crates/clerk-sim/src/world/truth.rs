//! What is so now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::World;
use super::records::Place;
use super::resource::Resource;

/// What Clerk itself knows of everything that ever existed. In JSON `{"users": {"user_…": {"exists": …}}, …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Truth {
    /// By resource, all thirteen of them, and by id.
    pub resources: BTreeMap<Resource, BTreeMap<String, Fact>>,
}

/// What Clerk knows of one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Whether it is there. A thing that does not exist and has no `deleted_at_ms` ended silently, with the
    /// person or the organization it belonged to.
    pub exists: bool,
    /// Whether its last states were shown with the same `updated_at` and the same event time, so that no one
    /// who follows the stream can know which of them is `object`.
    pub ambiguous: bool,
    /// The object as an event would show it now, with all that is embedded; as it last was, if it is gone.
    pub object: Value,
    /// The object's `updated_at`.
    pub updated_at_ms: i64,
    /// The time of the deletion event, if there was one.
    pub deleted_at_ms: Option<i64>,
}

impl Truth {
    /// Everything of one resource that ever existed, by id.
    pub fn of(&self, resource: Resource) -> &BTreeMap<String, Fact> {
        &self.resources[&resource]
    }

    /// What is known of one thing; nothing if it never existed.
    pub fn fact(&self, resource: Resource, id: &str) -> Option<&Fact> {
        self.of(resource).get(id)
    }
}

impl World {
    /// What is so now.
    pub fn truth(&self) -> Truth {
        Truth {
            resources: Resource::ALL
                .into_iter()
                .map(|resource| (resource, self.facts(resource).collect()))
                .collect(),
        }
    }

    /// What is so now of one resource, oldest first, one by one: of a large world, all at once would take gigabytes.
    pub fn facts(&self, resource: Resource) -> impl Iterator<Item = (String, Fact)> {
        let places = 0..self.table(resource).records.len();
        places.map(move |index| self.fact(Place { resource, index }))
    }

    fn fact(&self, place: Place) -> (String, Fact) {
        let record = self.record(place);
        let fact = Fact {
            exists: record.exists,
            ambiguous: record.ambiguous,
            object: self.webhook_object(place),
            updated_at_ms: record.updated_at_ms(),
            deleted_at_ms: record.deleted_at_ms,
        };
        (record.id.clone(), fact)
    }
}
