//! Organizations invite people.

use serde_json::json;

use super::World;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_by_organization_invitation(&mut self) {
        match (self.any(Resource::OrganizationInvitations), self.dice.below(4)) {
            (Some(invitation), 0) => self.revoke_organization_invitation(invitation),
            (Some(invitation), 1) => self.accept_organization_invitation(invitation),
            _ => self.invite_to_organization(),
        }
    }

    fn invite_to_organization(&mut self) {
        let Some(organization) = self.any(Resource::Organizations) else {
            return;
        };
        let members = self.belongings(organization, Resource::OrganizationMemberships);
        let inviter = self
            .any_of(&members)
            .and_then(|membership| self.record(membership).person);
        let inviter_id = inviter.map(|inviter| self.record(inviter).id.clone());
        let organization_id = self.record(organization).id.clone();
        let role = self.some_role();
        let mut pen = self.pen();
        let ticket = pen.dice.token(40);
        let invitation = json!({
            "object": "organization_invitation",
            "id": pen.dice.id("orginv_"),
            "email_address": pen.strangers_address(),
            "role": role,
            "role_name": role.trim_start_matches("org:"),
            "organization_id": organization_id,
            "inviter_id": inviter_id,
            "status": "pending",
            "public_metadata": pen.metadata(),
            "private_metadata": pen.metadata(),
            "url": format!("https://accounts.sim.test/v1/tickets/accept?ticket={ticket}"),
            "expires_at": pen.now_ms + 30 * 86_400_000,
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        let mut record = Record::new(invitation).of_organization(organization);
        record.person = inviter;
        let invitation = self.add(Resource::OrganizationInvitations, record);
        self.announce(invitation, "organizationInvitation.created");
    }

    fn revoke_organization_invitation(&mut self, invitation: Place) {
        self.change(invitation, |invitation, _| {
            invitation["status"] = json!("revoked");
            invitation["url"] = json!(null);
        });
        self.announce(invitation, "organizationInvitation.revoked");
        self.close(invitation);
    }

    /// Somebody accepts and becomes a member.
    fn accept_organization_invitation(&mut self, invitation: Place) {
        let Some(person) = self.any(Resource::Users) else {
            return;
        };
        let user_id = self.record(person).id.clone();
        self.change(invitation, |invitation, _| {
            invitation["status"] = json!("accepted");
            invitation["user_id"] = json!(user_id);
            invitation["url"] = json!(null);
        });
        self.announce(invitation, "organizationInvitation.accepted");
        self.close(invitation);
        let record = self.record(invitation);
        let role = record.object()["role"]
            .as_str()
            .unwrap_or("org:member")
            .to_owned();
        if let Some(organization) = record.organization {
            self.join(person, organization, &role);
        }
    }
}
