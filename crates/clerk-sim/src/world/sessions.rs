//! People sign in and out.

use serde_json::json;

use super::World;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_in_sessions(&mut self) {
        match (self.any(Resource::Sessions), self.dice.below(5)) {
            (Some(session), 0) => self.end_session(session, "ended"),
            (Some(session), 1) => self.end_session(session, "removed"),
            (Some(session), 2) => self.end_session(session, "revoked"),
            _ => self.sign_in(),
        }
    }

    fn sign_in(&mut self) {
        let Some(person) = self.any(Resource::Users) else {
            return;
        };
        let now_ms = self.clock.now_ms();
        let embedded_only = self.dice.chance(self.options.adversity.embedded_only);
        let signed_in = move |user: &mut serde_json::Value, _: &mut super::Pen<'_>| {
            user["last_sign_in_at"] = json!(now_ms);
            if let Some(last_active_at) = user.get_mut("last_active_at") {
                *last_active_at = json!(now_ms / 86_400_000 * 86_400_000);
            }
        };
        if embedded_only {
            self.change_with(person, true, signed_in);
        } else {
            self.change(person, signed_in);
        }
        let memberships = self.belongings(person, Resource::OrganizationMemberships);
        let organization = self
            .any_of(&memberships)
            .and_then(|membership| self.record(membership).organization)
            .map(|organization| self.record(organization).id.clone());
        let session = json!({
            "object": "session",
            "id": self.dice.id("sess_"),
            "client_id": self.dice.id("client_"),
            "user_id": self.record(person).id,
            "actor": null,
            "status": "active",
            "last_active_organization_id": organization,
            "last_active_at": now_ms,
            "expire_at": now_ms + 7 * 86_400_000,
            "abandon_at": now_ms + 30 * 86_400_000,
            "created_at": now_ms,
            "updated_at": now_ms,
        });
        let mut record = Record::new(session).of_person(person);
        record.bare = !embedded_only && self.dice.chance(0.2);
        let session = self.add(Resource::Sessions, record);
        self.announce(session, "session.created");
        if !embedded_only {
            self.announce(person, "user.updated");
        }
    }

    /// Ends a session as `ended`, `removed` or `revoked`, which names the event too. Ended sessions stay on record.
    pub(super) fn end_session(&mut self, session: Place, status: &str) {
        self.change(session, |session, _| session["status"] = json!(status));
        self.announce(session, &format!("session.{status}"));
        self.close(session);
    }

    pub(super) fn active_sessions_of(&self, person: Place) -> Vec<Place> {
        let mut sessions = self.belongings(person, Resource::Sessions);
        sessions.retain(|session| self.record(*session).object()["status"] == "active");
        sessions
    }
}
