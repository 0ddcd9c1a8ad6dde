//! Organizations come, change and go.

use serde_json::json;

use super::World;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_as_organization(&mut self) {
        let is_room = self.living(Resource::Organizations) < self.options.organizations;
        match (self.any(Resource::Organizations), self.dice.below(10)) {
            (None, _) | (_, 0..=3) if is_room => self.create_organization(),
            (Some(organization), 4..=6) => self.rename_organization(organization),
            (Some(organization), 7..=8) => self.set_organization_metadata(organization),
            (Some(organization), 9) => self.delete_organization(organization),
            _ => {}
        }
    }

    /// Who creates an organization is its first member.
    pub(super) fn create_organization(&mut self) {
        let Some(creator) = self.any(Resource::Users) else {
            return;
        };
        let organization = self.new_organization(creator);
        self.announce(organization, "organization.created");
        self.join(creator, organization, "org:admin");
    }

    /// An organization of which nothing is told yet.
    pub(super) fn new_organization(&mut self, creator: Place) -> Place {
        let created_by = self.record(creator).id.clone();
        let mut pen = self.pen();
        let now_ms = pen.now_ms;
        let slug = pen.dice.chance(0.7).then(|| pen.dice.token(10).to_lowercase());
        let organization = json!({
            "object": "organization",
            "id": pen.dice.id("org_"),
            "name": pen.organization_name(),
            "slug": slug,
            "image_url": pen.image_url(),
            "has_image": false,
            "max_allowed_memberships": 5,
            "admin_delete_enabled": true,
            "public_metadata": pen.metadata(),
            "private_metadata": pen.metadata(),
            "created_by": created_by,
            "created_at": now_ms,
            "updated_at": now_ms,
        });
        self.add(Resource::Organizations, Record::new(organization))
    }

    pub(super) fn rename_organization(&mut self, organization: Place) {
        self.change(organization, |organization, pen| {
            organization["name"] = pen.organization_name();
            organization["image_url"] = pen.image_url();
        });
        self.announce(organization, "organization.updated");
    }

    fn set_organization_metadata(&mut self, organization: Place) {
        self.change(organization, |organization, pen| {
            let field = pen.dice.pick(&["public_metadata", "private_metadata"]);
            organization[field] = pen.metadata();
        });
        self.announce(organization, "organization.updated");
    }

    /// Deletes an organization. What belongs to it ends too, before or after, told or not.
    pub(super) fn delete_organization(&mut self, organization: Place) {
        let told = !self.dice.chance(self.options.adversity.silent_cascades);
        let first = self.dice.chance(0.5);
        if told && first {
            self.tell_what_ends_with_organization(organization);
        }
        let record = self.record(organization);
        let (id, slug) = (record.id.clone(), record.object()["slug"].take());
        let stub = json!({ "object": "organization", "id": id, "slug": slug, "deleted": true });
        self.announce_stub(organization, "organization.deleted", stub);
        if told && !first {
            self.tell_what_ends_with_organization(organization);
        }
        for resource in [
            Resource::OrganizationMemberships,
            Resource::OrganizationInvitations,
            Resource::OrganizationDomains,
        ] {
            for ended in self.belongings(organization, resource) {
                self.end(ended, None);
            }
        }
    }

    /// Of invitations there is no deletion event.
    fn tell_what_ends_with_organization(&mut self, organization: Place) {
        for membership in self.belongings(organization, Resource::OrganizationMemberships) {
            self.leave(membership);
        }
        for domain in self.belongings(organization, Resource::OrganizationDomains) {
            self.delete_domain(domain);
        }
    }
}
