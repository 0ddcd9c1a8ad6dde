//! People join organizations, change role, leave and join again.

use serde_json::{Value, json};

use super::World;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_as_member(&mut self) {
        match (self.any(Resource::OrganizationMemberships), self.dice.below(10)) {
            (Some(membership), 4..=6) => self.change_role(membership),
            (Some(membership), 7) => self.leave(membership),
            (Some(membership), 8) => self.leave_and_rejoin(membership),
            (Some(membership), 9) => self.set_membership_metadata(membership),
            _ => self.join_some_organization(),
        }
    }

    fn join_some_organization(&mut self) {
        let (Some(person), Some(organization)) =
            (self.any(Resource::Users), self.any(Resource::Organizations))
        else {
            return;
        };
        let role = self.some_role();
        self.join(person, organization, &role);
    }

    /// Makes a person a member under a new membership id, unless they are one.
    pub(super) fn join(&mut self, person: Place, organization: Place, role: &str) {
        if self.is_member(person, organization) {
            return;
        }
        let membership = self.new_membership(person, organization, role);
        self.announce(membership, "organizationMembership.created");
    }

    /// Whether a person is a member now.
    pub(super) fn is_member(&self, person: Place, organization: Place) -> bool {
        let memberships = self.belongings(person, Resource::OrganizationMemberships);
        let mut memberships = memberships.iter();
        memberships.any(|membership| self.record(*membership).organization == Some(organization))
    }

    /// A membership of which nothing is told yet.
    pub(super) fn new_membership(&mut self, person: Place, organization: Place, role: &str) -> Place {
        let mut pen = self.pen();
        let mut membership = json!({
            "object": "organization_membership",
            "id": pen.dice.id("orgmem_"),
            "public_metadata": pen.metadata(),
            "private_metadata": pen.metadata(),
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        set_role(&mut membership, role);
        let record = Record::new(membership)
            .of_person(person)
            .of_organization(organization);
        self.add(Resource::OrganizationMemberships, record)
    }

    pub(super) fn change_role(&mut self, membership: Place) {
        let role = self.some_role();
        self.change(membership, |membership, _| set_role(membership, &role));
        self.announce(membership, "organizationMembership.updated");
    }

    fn set_membership_metadata(&mut self, membership: Place) {
        self.change(membership, |membership, pen| {
            membership["public_metadata"] = pen.metadata()
        });
        self.announce(membership, "organizationMembership.updated");
    }

    /// The deletion event shows the whole membership.
    pub(super) fn leave(&mut self, membership: Place) {
        let at_ms = self.announce(membership, "organizationMembership.deleted");
        self.end(membership, Some(at_ms));
    }

    fn leave_and_rejoin(&mut self, membership: Place) {
        self.leave(membership);
        let record = self.record(membership);
        if let (Some(person), Some(organization)) = (record.person, record.organization) {
            self.clock.pass(&mut self.dice);
            let role = self.some_role();
            self.join(person, organization, &role);
        }
    }
}

/// A membership keeps the permissions its role had when it was given.
fn set_role(membership: &mut Value, role: &str) {
    membership["role"] = json!(role);
    membership["role_name"] = json!(role.trim_start_matches("org:"));
    membership["permissions"] = match role {
        "org:admin" => json!([
            "org:sys_profile:manage",
            "org:sys_memberships:manage",
            "org:sys_memberships:read"
        ]),
        "org:member" => json!(["org:sys_memberships:read"]),
        _ => json!([]),
    };
}
