//! How things are shown: with what is embedded in them, in events and by the Backend API.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::World;
use super::members::{Source, keep_to};
use super::person::{identifier, profile, public_user_data};
use super::records::Place;
use super::resource::Resource;

/// What the Backend API lists at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiPage {
    /// The moment: later than every event so far, earlier than every event to come.
    pub observed_at_ms: i64,
    /// Everything that exists, oldest first.
    pub objects: Vec<Value>,
}

impl World {
    /// An object as the Backend API answers it now; nothing if it does not exist.
    pub fn api_object(&self, resource: Resource, id: &str) -> Option<Value> {
        let place = self.find(resource, id)?;
        Some(self.view(place, Source::Api))
    }

    /// Everything of a resource as the Backend API lists it now. Looking takes a moment of the world's time.
    pub fn api_page(&mut self, resource: Resource) -> ApiPage {
        let observed_at_ms = self.look();
        let objects = self.all(resource).map(|place| self.view(place, Source::Api));
        ApiPage {
            objects: objects.collect(),
            observed_at_ms,
        }
    }

    /// The object as the Backend API answers it now, as JSON; an organization counts its members if that is asked for.
    pub(super) fn api_text(&self, place: Place, counts_members: bool) -> String {
        match place.resource {
            Resource::Organizations if counts_members => {
                let mut organization = self.view(place, Source::Api);
                let members = self.belongings(place, Resource::OrganizationMemberships);
                organization["members_count"] = json!(members.len());
                organization.to_string()
            }
            // Nothing is embedded in these, and nothing of them is shown by events only.
            Resource::Users | Resource::Organizations | Resource::OrganizationDomains => {
                self.record(place).text().to_owned()
            }
            _ => self.view(place, Source::Api).to_string(),
        }
    }

    /// Lets somebody look: gives a moment later than every event so far and earlier than every event to come.
    pub(crate) fn look(&mut self) -> i64 {
        self.clock.thaw();
        self.clock.wait(1);
        let moment = self.clock.now_ms();
        self.clock.wait(1);
        moment
    }

    /// The object as an event about it shows it now.
    pub(super) fn webhook_object(&self, place: Place) -> Value {
        let mut object = self.view(place, Source::Webhook);
        if place.resource == Resource::Subscriptions {
            for item in object["items"].as_array_mut().expect("items are a list") {
                item["subscription_id"] = Value::Null;
            }
        }
        object
    }

    /// The object with what the source embeds, and with the members that it shows.
    pub(super) fn view(&self, place: Place, source: Source) -> Value {
        let record = self.record(place);
        let mut object = record.object();
        let person = || record.person.map(|person| self.record(person).object());
        match place.resource {
            Resource::Users => {
                if let Some(scim) = &record.scim {
                    object["scim"] = scim.clone();
                }
            }
            Resource::OrganizationMemberships => {
                let organization = record.organization.expect("a membership has an organization");
                object["organization"] = self.record(organization).object();
                object["public_user_data"] = public_user_data(&person().expect("a membership has a person"));
            }
            Resource::OrganizationInvitations => {
                object["public_inviter_data"] = person().as_ref().map_or(Value::Null, profile);
            }
            Resource::Sessions => {
                let user = self
                    .embedded(place)
                    .first()
                    .map(|person| self.record(*person).object());
                object["user"] = user.unwrap_or(Value::Null);
                object["latest_activity"] = self.latest_activity(place);
            }
            Resource::Roles => object["permissions"] = self.parts(place, source),
            Resource::WaitlistEntries => {
                let invitation = record
                    .parts
                    .first()
                    .map(|invitation| self.view(*invitation, source));
                object["invitation"] = json!(invitation);
            }
            Resource::Subscriptions => {
                object["payer"] = self.payer(place, source);
                object["items"] = self.parts(place, source);
            }
            Resource::SubscriptionItems => {
                let subscription = record.whole.expect("an item has a subscription");
                object["payer"] = self.payer(subscription, source);
                object["subscription_id"] = json!(self.record(subscription).id);
            }
            Resource::PaymentAttempts => {
                object["payer"] = self.payer(place, source);
                object["subscription_items"] = self.parts(place, source);
                for item in object["subscription_items"].as_array_mut().expect("a list") {
                    // Clerk shows less of them here.
                    let item = item.as_object_mut().expect("an object");
                    item.retain(|name, _| !matches!(name.as_str(), "is_free_trial" | "seats"));
                }
            }
            _ => {}
        }
        if source == Source::Api {
            self.add_of_api(place, &mut object);
        }
        keep_to(source, place.resource, &mut object);
        object
    }

    pub(super) fn parts(&self, place: Place, source: Source) -> Value {
        let parts = self.record(place).parts.iter();
        parts.map(|part| self.view(*part, source)).collect()
    }

    /// What an event about this shows whole, besides it.
    pub(super) fn embedded(&self, place: Place) -> Vec<Place> {
        let record = self.record(place);
        match place.resource {
            Resource::OrganizationMemberships => record.organization.into_iter().collect(),
            // `bare` sessions have a null user for as long as they last.
            Resource::Sessions if !record.bare => record.person.into_iter().collect(),
            _ => record.parts.clone(),
        }
    }

    /// Who pays. The side that is not used has empty strings in events, and is absent from the API.
    pub(super) fn payer(&self, place: Place, source: Source) -> Value {
        let record = self.record(place);
        let mut payer = json!({
            "object": "commerce_payer",
            "id": record.payer_id,
            "created_at": record.created_at_ms(),
            "updated_at": record.created_at_ms(),
        });
        match source {
            Source::Api => payer["instance_id"] = json!(self.options.instance_id),
            Source::Webhook => {
                for unused in [
                    "user_id",
                    "first_name",
                    "last_name",
                    "email",
                    "organization_id",
                    "organization_name",
                    "image_url",
                ] {
                    payer[unused] = json!("");
                }
            }
        }
        if let Some(organization) = record.organization {
            let organization = &self.record(organization).object();
            payer["organization_id"] = organization["id"].clone();
            payer["organization_name"] = organization["name"].clone();
            payer["image_url"] = organization["image_url"].clone();
        } else if let Some(person) = record.person {
            let user = &self.record(person).object();
            payer["user_id"] = user["id"].clone();
            payer["first_name"] = user["first_name"].clone();
            payer["last_name"] = user["last_name"].clone();
            payer["email"] = identifier(user);
            payer["image_url"] = user["image_url"].clone();
        }
        payer
    }

    /// Where a person was last: personal through and through.
    fn latest_activity(&self, place: Place) -> Value {
        let record = self.record(place);
        let marker = record
            .person
            .and_then(|person| self.record(person).marker.as_deref());
        let marked = |text: &str| format!("{text}{}", marker.unwrap_or_default());
        json!({
            "object": "session_activity",
            "id": record.id.replace("sess_", "sess_activity_"),
            "device_type": marked("Macintosh"),
            "is_mobile": false,
            "browser_name": marked("Firefox"),
            "browser_version": marked("131.0"),
            "ip_address": marked("203.0.113.7"),
            "city": marked("Reykjavík"),
            "country": marked("IS"),
        })
    }
}
