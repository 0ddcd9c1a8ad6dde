//! Invitations to the application.

use serde_json::json;

use super::World;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_by_invitation(&mut self) {
        let status = *self.dice.pick(&[&"pending", &"accepted", &"revoked"]);
        match self.any(Resource::Invitations) {
            Some(invitation) if status != "pending" => {
                self.change(invitation, |invitation, _| {
                    invitation["status"] = json!(status);
                    invitation["revoked"] = json!(status == "revoked");
                    invitation["url"] = json!(null);
                });
                self.announce(invitation, &format!("invitation.{status}"));
                self.close(invitation);
            }
            _ => self.invite(),
        }
    }

    fn invite(&mut self) {
        let invitation = self.new_invitation();
        self.announce(invitation, "invitation.created");
    }

    /// An invitation of which nothing is told yet.
    pub(super) fn new_invitation(&mut self) -> Place {
        let mut pen = self.pen();
        let ticket = pen.dice.token(40);
        let invitation = json!({
            "object": "invitation",
            "id": pen.dice.id("inv_"),
            "email_address": pen.strangers_address(),
            "public_metadata": pen.metadata(),
            "revoked": false,
            "status": "pending",
            "url": format!("https://accounts.sim.test/v1/tickets/accept?ticket={ticket}"),
            "expires_at": pen.now_ms + 30 * 86_400_000,
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        self.add(Resource::Invitations, Record::new(invitation))
    }
}
