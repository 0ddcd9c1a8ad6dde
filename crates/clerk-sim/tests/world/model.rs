//! A tiny mirror: it believes whatever it was told last, and stands or falls with the order of events.

use std::collections::BTreeMap;

use clerk_sim::{Event, Resource, Truth};
use serde_json::{Value, json};

/// What was last told of one thing.
#[derive(Clone, Debug)]
pub struct Belief {
    pub object: Value,
    pub deleted_at_ms: Option<i64>,
}

/// Everything that was told, by resource and id.
#[derive(Default)]
pub struct Model(pub BTreeMap<(Resource, String), Belief>);

impl Model {
    pub fn replay(events: &[Event]) -> Self {
        let mut model = Self::default();
        for event in events {
            model.hear(event);
        }
        model
    }

    fn hear(&mut self, event: &Event) {
        let envelope = event.envelope();
        let foreign = envelope
            .get("instance_id")
            .is_some_and(|instance| instance != "ins_sim");
        let (subject, action) = event.event_type.split_once('.').unwrap();
        let (Some(resource), false) = (resource(subject), foreign) else {
            return;
        };
        let data = &envelope["data"];
        let Some(id) = data["id"].as_str() else { return };
        if data["deleted"] != true {
            self.see(resource, data);
            for (embedded, object) in embedded(resource, data) {
                self.see(embedded, object);
            }
        }
        if action == "deleted" {
            self.0.get_mut(&(resource, id.to_owned())).unwrap().deleted_at_ms = Some(event.timestamp_ms);
        }
    }

    fn see(&mut self, resource: Resource, object: &Value) {
        let id = object["id"].as_str().unwrap().to_owned();
        let deleted_at_ms = self
            .0
            .get(&(resource, id.clone()))
            .and_then(|belief| belief.deleted_at_ms);
        let mut object = object.clone();
        // What an object does not show is still so: `scim`, or what an item lacks inside an attempt to pay.
        if let Some(known) = self.0.get(&(resource, id.clone())) {
            for (name, value) in known.object.as_object().unwrap() {
                if object.get(name).is_none() {
                    object[name] = value.clone();
                }
            }
        }
        let belief = Belief {
            object,
            deleted_at_ms,
        };
        self.0.insert((resource, id), belief);
    }

    /// Compares with the truth, and says how many things were compared.
    pub fn agrees_with(&self, truth: &Truth) -> usize {
        let known: usize = truth.resources.values().map(BTreeMap::len).sum();
        assert_eq!(self.0.len(), known, "everything was told of, and nothing else");
        for ((resource, id), belief) in &self.0 {
            let fact = truth
                .fact(*resource, id)
                .unwrap_or_else(|| panic!("{resource} {id} is true"));
            assert_eq!(
                own(*resource, &belief.object),
                own(*resource, &fact.object),
                "{id}"
            );
            assert_eq!(belief.deleted_at_ms, fact.deleted_at_ms, "{id}");
            assert_eq!(fact.object["updated_at"], fact.updated_at_ms, "{id}");
            assert!(!fact.exists || fact.deleted_at_ms.is_none(), "{id}");
        }
        known
    }
}

/// An object without other resources' data, which goes its own way.
fn own(resource: Resource, object: &Value) -> Value {
    let mut object = object.clone();
    let fields = object.as_object_mut().unwrap();
    for shown in [
        "organization",
        "public_user_data",
        "public_inviter_data",
        "user",
        "invitation",
        "payer",
        "latest_activity",
    ] {
        fields.remove(shown);
    }
    if resource == Resource::SubscriptionItems {
        // Null inside a subscription.
        fields.remove("subscription_id");
    }
    for list in ["permissions", "items", "subscription_items"] {
        if let Some(Value::Array(parts)) = fields.get_mut(list) {
            for part in parts.iter_mut().filter(|part| part.is_object()) {
                *part = json!(part["id"]);
            }
        }
    }
    object
}

fn embedded(resource: Resource, data: &Value) -> Vec<(Resource, &Value)> {
    let list = |resource, field: &str| {
        let parts = data[field].as_array().unwrap().iter();
        parts.map(|part| (resource, part)).collect()
    };
    match resource {
        Resource::OrganizationMemberships => vec![(Resource::Organizations, &data["organization"])],
        Resource::Sessions if data["user"].is_object() => vec![(Resource::Users, &data["user"])],
        Resource::WaitlistEntries if data["invitation"].is_object() => {
            vec![(Resource::Invitations, &data["invitation"])]
        }
        Resource::Roles => list(Resource::Permissions, "permissions"),
        Resource::Subscriptions => list(Resource::SubscriptionItems, "items"),
        Resource::PaymentAttempts => list(Resource::SubscriptionItems, "subscription_items"),
        _ => Vec::new(),
    }
}

/// The resource whose events are called so.
pub fn resource(subject: &str) -> Option<Resource> {
    Some(match subject {
        "user" => Resource::Users,
        "organization" => Resource::Organizations,
        "organizationMembership" => Resource::OrganizationMemberships,
        "organizationInvitation" => Resource::OrganizationInvitations,
        "organizationDomain" => Resource::OrganizationDomains,
        "invitation" => Resource::Invitations,
        "role" => Resource::Roles,
        "permission" => Resource::Permissions,
        "session" => Resource::Sessions,
        "waitlistEntry" => Resource::WaitlistEntries,
        "subscription" => Resource::Subscriptions,
        "subscriptionItem" => Resource::SubscriptionItems,
        "paymentAttempt" => Resource::PaymentAttempts,
        _ => return None,
    })
}
