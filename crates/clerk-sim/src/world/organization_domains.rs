//! Organizations claim domains.

use serde_json::json;

use super::World;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_under_domain(&mut self) {
        match (self.any(Resource::OrganizationDomains), self.dice.below(5)) {
            (Some(domain), 0) => self.delete_domain(domain),
            (Some(domain), 1..=2) => self.change_domain(domain),
            _ => self.claim_domain(),
        }
    }

    fn claim_domain(&mut self) {
        let Some(organization) = self.any(Resource::Organizations) else {
            return;
        };
        let organization_id = self.record(organization).id.clone();
        let pen = self.pen();
        let verification = json!({ "status": "unverified", "strategy": "email_code", "attempts": 0,
            "expire_at": pen.now_ms + 600_000 });
        let domain = json!({
            "object": "organization_domain",
            "id": pen.dice.id("orgdmn_"),
            "organization_id": organization_id,
            "name": format!("{}.example", pen.dice.token(8).to_lowercase()),
            "enrollment_mode": "manual_invitation",
            "affiliation_email_address": null,
            "affiliation_verification": verification,
            "ownership_verification": null,
            "verification": verification,
            "total_pending_invitations": 0,
            "total_pending_suggestions": 0,
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        let record = Record::new(domain).of_organization(organization);
        let domain = self.add(Resource::OrganizationDomains, record);
        self.announce(domain, "organizationDomain.created");
    }

    fn change_domain(&mut self, domain: Place) {
        self.change(domain, |domain, pen| {
            let modes = [
                "manual_invitation",
                "automatic_invitation",
                "automatic_suggestion",
            ];
            domain["enrollment_mode"] = json!(modes[pen.dice.below(modes.len())]);
            domain["affiliation_email_address"] = pen.strangers_address();
            let verification = json!({ "status": "verified", "strategy": "email_code", "attempts": 1,
                "expire_at": null, "verified_at": pen.now_ms });
            domain["affiliation_verification"] = verification.clone();
            domain["verification"] = verification;
        });
        self.announce(domain, "organizationDomain.updated");
    }

    pub(super) fn delete_domain(&mut self, domain: Place) {
        let id = &self.record(domain).id;
        let stub = json!({ "object": "organization_domain", "id": id, "slug": null, "deleted": true });
        self.announce_stub(domain, "organizationDomain.deleted", stub);
    }
}
