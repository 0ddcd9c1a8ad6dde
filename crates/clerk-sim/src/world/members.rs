//! Which members each source shows, from the tables that the extension reads as well.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde_json::Value;

use super::resource::Resource;

/// Where an object is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Webhook,
    Api,
}

/// Removes the members that the source never shows.
pub(super) fn keep_to(source: Source, resource: Resource, object: &mut Value) {
    let shown = shown(source, resource);
    if let Some(members) = object.as_object_mut() {
        members.retain(|name, _| shown.contains(name.as_str()));
    }
}

fn shown(source: Source, resource: Resource) -> &'static BTreeSet<&'static str> {
    static SHOWN: [[OnceLock<BTreeSet<&str>>; 2]; Resource::ALL.len()] =
        [const { [const { OnceLock::new() }; 2] }; Resource::ALL.len()];
    SHOWN[resource as usize][source as usize].get_or_init(|| {
        let lines = table(resource).lines().skip(1);
        let member = |line: &'static str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let presence = match source {
                Source::Webhook => fields[1],
                Source::Api => fields[2],
            };
            (presence != "no").then_some(fields[0])
        };
        lines.filter_map(member).collect()
    })
}

fn table(resource: Resource) -> &'static str {
    match resource {
        Resource::Users => include_str!("../../../clerk-core/members/users.tsv"),
        Resource::Organizations => include_str!("../../../clerk-core/members/organizations.tsv"),
        Resource::OrganizationMemberships => {
            include_str!("../../../clerk-core/members/organization_memberships.tsv")
        }
        Resource::OrganizationInvitations => {
            include_str!("../../../clerk-core/members/organization_invitations.tsv")
        }
        Resource::OrganizationDomains => include_str!("../../../clerk-core/members/organization_domains.tsv"),
        Resource::Invitations => include_str!("../../../clerk-core/members/invitations.tsv"),
        Resource::Roles => include_str!("../../../clerk-core/members/roles.tsv"),
        Resource::Permissions => include_str!("../../../clerk-core/members/permissions.tsv"),
        Resource::Sessions => include_str!("../../../clerk-core/members/sessions.tsv"),
        Resource::WaitlistEntries => include_str!("../../../clerk-core/members/waitlist_entries.tsv"),
        Resource::Subscriptions => include_str!("../../../clerk-core/members/subscriptions.tsv"),
        Resource::SubscriptionItems => include_str!("../../../clerk-core/members/subscription_items.tsv"),
        Resource::PaymentAttempts => include_str!("../../../clerk-core/members/payment_attempts.tsv"),
    }
}
