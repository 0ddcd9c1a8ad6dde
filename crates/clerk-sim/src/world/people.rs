//! People sign up, change and go.

use serde_json::{Value, json};

use super::World;
use super::person::{list, verified};
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_as_person(&mut self) {
        let is_room = self.living(Resource::Users) < *self.options.users.end();
        let Some(person) = self.any(Resource::Users) else {
            return self.sign_up();
        };
        match self.dice.below(20) {
            0..=4 if is_room => self.sign_up(),
            0..=7 => self.rename_user(person),
            8..=10 => self.change_addresses(person),
            11 => self.verify_email(person),
            12..=14 => self.set_user_metadata(person),
            15 => self.ban_or_unban(person),
            16 => self.lock_or_unlock(person),
            17 => self.change_scim(person),
            _ => self.delete_user(person),
        }
    }

    pub(super) fn sign_up(&mut self) {
        let mut user = self.pen().user();
        // At Clerk the first object already shows a later updated_at.
        self.clock.wait(18);
        user["updated_at"] = json!(self.clock.now_ms());
        let person = self.new_person(user);
        if self.dice.chance(0.2) {
            let directory_id = self.dice.id("directory_");
            self.record_mut(person).scim =
                Some(json!({ "directory_id": directory_id, "directory_enabled": true }));
        }
        self.announce(person, "user.created");
    }

    /// Somebody of whom nothing is told yet.
    pub(super) fn new_person(&mut self, user: Value) -> Place {
        self.add(Resource::Users, Record::new(user))
    }

    pub(super) fn rename_user(&mut self, person: Place) {
        self.change(person, |user, pen| {
            match pen.dice.below(4) {
                0 => user["first_name"] = pen.first_name(),
                1 => user["last_name"] = pen.last_name(),
                2 => user["username"] = pen.username(),
                _ => user["external_id"] = pen.external_id(),
            }
            user["image_url"] = pen.image_url();
        });
        self.announce(person, "user.updated");
    }

    /// Another primary address; without a second one, a new one; or a telephone.
    fn change_addresses(&mut self, person: Place) {
        self.change(person, |user, pen| {
            let count = list(user, "email_addresses").len();
            match pen.dice.below(6) {
                0 => pen.add_phone_number(user),
                1..=3 if count > 1 => {
                    let chosen = pen.dice.below(count);
                    user["primary_email_address_id"] = user["email_addresses"][chosen]["id"].clone();
                }
                4 if count > 1 => {
                    let primary = user["primary_email_address_id"].clone();
                    list(user, "email_addresses").retain(|address| address["id"] == primary);
                }
                _ if count < 4 => pen.add_email_address(user),
                _ => list(user, "email_addresses").rotate_left(1),
            }
        });
        self.announce(person, "user.updated");
    }

    fn verify_email(&mut self, person: Place) {
        let object = self.record(person).object();
        let addresses = object["email_addresses"]
            .as_array()
            .expect("the field is an array");
        let unverified = |address: &Value| address["verification"]["status"] != "verified";
        let Some(index) = addresses.iter().position(unverified) else {
            return;
        };
        self.change(person, |user, pen| {
            let address = &mut user["email_addresses"][index];
            address["verification"] = verified();
            address["updated_at"] = json!(pen.now_ms);
        });
        self.announce(person, "user.updated");
    }

    fn set_user_metadata(&mut self, person: Place) {
        self.change(person, |user, pen| {
            let field = pen
                .dice
                .pick(&["public_metadata", "private_metadata", "unsafe_metadata"]);
            user[field] = pen.metadata();
        });
        self.announce(person, "user.updated");
    }

    fn ban_or_unban(&mut self, person: Place) {
        self.change(person, |user, _| user["banned"] = json!(user["banned"] != true));
        self.announce(person, "user.updated");
    }

    fn lock_or_unlock(&mut self, person: Place) {
        self.change(person, |user, _| user["locked"] = json!(user["locked"] != true));
        self.announce(person, "user.updated");
    }

    /// What only `user.*` events show never changes in a tie, where nobody could tell the newer one.
    fn change_scim(&mut self, person: Place) {
        self.clock.thaw();
        self.clock.wait(1);
        let enabled = self.dice.chance(0.5);
        let directory_id = self.dice.id("directory_");
        self.record_mut(person).scim =
            Some(json!({ "directory_id": directory_id, "directory_enabled": enabled, "external_id": null }));
        self.change_with(person, false, |_, _| {});
        self.announce(person, "user.updated");
    }

    /// Deletes a person. Memberships and sessions end too, before or after, told or not.
    pub(super) fn delete_user(&mut self, person: Place) {
        let told = !self.dice.chance(self.options.adversity.silent_cascades);
        let first = self.dice.chance(0.5);
        if told && first {
            self.tell_what_ends_with(person);
        }
        let record = self.record(person);
        let mut stub = json!({ "object": "user", "id": record.id, "deleted": true });
        let external_id = record.object()["external_id"].take();
        if !external_id.is_null() {
            stub["external_id"] = external_id;
        } else if self.dice.chance(0.3) {
            stub["slug"] = json!(null);
        }
        self.announce_stub(person, "user.deleted", stub);
        if told && !first {
            self.tell_what_ends_with(person);
        }
        for resource in [Resource::OrganizationMemberships, Resource::Sessions] {
            for ended in self.belongings(person, resource) {
                self.end(ended, None);
            }
        }
    }

    fn tell_what_ends_with(&mut self, person: Place) {
        for membership in self.belongings(person, Resource::OrganizationMemberships) {
            self.leave(membership);
        }
        for session in self.active_sessions_of(person) {
            self.end_session(session, "removed");
        }
    }
}
