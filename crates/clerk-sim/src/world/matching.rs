//! Whether a thing fulfils what a client of the Backend API asks for.

use serde_json::Value;

use super::World;
use super::listing::Condition;
use super::records::Place;
use super::resource::Resource;

impl World {
    pub(super) fn fulfils(&self, place: Place, conditions: &[Condition]) -> bool {
        conditions
            .iter()
            .all(|condition| self.fulfils_one(place, condition))
    }

    fn fulfils_one(&self, place: Place, condition: &Condition) -> bool {
        match condition {
            Condition::Signed(name, included, excluded) => {
                let values = self.values(place, name);
                let is_in = |wanted: &Vec<String>| values.iter().any(|value| wanted.contains(value));
                (included.is_empty() || is_in(included)) && !is_in(excluded)
            }
            Condition::OneOf(name, wanted) => {
                let values = self.values(place, name);
                values.iter().any(|value| wanted.contains(value))
            }
            Condition::Time(name, bound_ms) => self.is_in_time(place, name, *bound_ms),
            Condition::Flag(name, wanted) => self.record(place).object()[*name] == *wanted,
            Condition::Paid => self.record(place).object()["plan"]["amount"] != 0,
        }
    }

    /// What a thing has of what a parameter names.
    fn values(&self, place: Place, name: &str) -> Vec<String> {
        let record = self.record(place);
        let id = |place: Place| self.record(place).id.clone();
        match (place.resource, name) {
            (Resource::Users, "user_id") | (Resource::Organizations, "organization_id") => {
                vec![record.id.clone()]
            }
            (Resource::Users, "organization_id") => {
                self.others(place, |membership| self.record(membership).organization.map(id))
            }
            (Resource::Organizations, "user_id") => {
                self.others(place, |membership| self.record(membership).person.map(id))
            }
            (Resource::OrganizationMemberships, "user_id") => record.person.map(id).into_iter().collect(),
            (Resource::Users, "email_address") => {
                elements(&record.object(), "email_addresses", "email_address")
            }
            (Resource::Users, "phone_number") => elements(&record.object(), "phone_numbers", "phone_number"),
            (Resource::SubscriptionItems, "payer_type") => vec![self.payer_type(place).to_owned()],
            _ => record.object()[name]
                .as_str()
                .map(str::to_owned)
                .into_iter()
                .collect(),
        }
    }

    /// The other side of a person's or an organization's memberships.
    fn others(&self, place: Place, other: impl Fn(Place) -> Option<String>) -> Vec<String> {
        let memberships = self.belongings(place, Resource::OrganizationMemberships);
        memberships.into_iter().filter_map(other).collect()
    }

    fn payer_type(&self, item: Place) -> &'static str {
        let subscription = self.record(item).whole;
        match subscription.and_then(|subscription| self.record(subscription).organization) {
            Some(_) => "org",
            None => "user",
        }
    }

    /// `created_at_before` and its like: strictly before or after.
    fn is_in_time(&self, place: Place, name: &str, bound_ms: i64) -> bool {
        let (field, is_before) = match name.strip_suffix("_before") {
            Some(field) => (field, true),
            None => (name.trim_end_matches("_after"), false),
        };
        let time_ms = match field {
            "created_at" => Some(self.record(place).created_at_ms()),
            _ => self.record(place).object()[field].as_i64(),
        };
        time_ms.is_some_and(|time_ms| {
            if is_before {
                time_ms < bound_ms
            } else {
                time_ms > bound_ms
            }
        })
    }
}

fn elements(object: &Value, list: &str, field: &str) -> Vec<String> {
    let elements = object[list].as_array().into_iter().flatten();
    elements
        .filter_map(|element| element[field].as_str().map(str::to_owned))
        .collect()
}
