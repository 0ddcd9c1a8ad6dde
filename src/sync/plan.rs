//! Which tables a run is about, in which order, and whether Clerk lists them.

use clerk_core::mirror::Resource;

/// What can be read, in the order in which it is: first what others refer to.
pub const ORDER: &[Resource] = &[
    Resource::Permissions,
    Resource::Roles,
    Resource::Users,
    Resource::Organizations,
    Resource::OrganizationMemberships,
    Resource::OrganizationInvitations,
    Resource::Invitations,
    Resource::OrganizationDomains,
    Resource::WaitlistEntries,
    // Attempts to pay always tell who pays, items of subscriptions not.
    Resource::PaymentAttempts,
    Resource::Subscriptions,
];

/// Those of `mirror` that can be read, in their order. Items of subscriptions come with their subscriptions, and sessions only with
/// their person.
pub fn readable(mirror: &[Resource]) -> Vec<Resource> {
    let order = ORDER.iter().copied();
    order.filter(|resource| mirror.contains(resource)).collect()
}

/// How it is found out that a row is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Clerk is asked for it by its id.
    AskById,
    /// Clerk is asked for it by organization and person: a membership cannot be asked for by its id.
    AskByOrganization,
    /// It is not listed a second time.
    ListTwice,
    /// Not at all: Clerk keeps what was paid for, and lists only a part of it.
    Never,
}

/// How it is found out that a row of the resource is gone.
pub fn absence(resource: Resource) -> Absence {
    match resource {
        Resource::Users | Resource::Organizations => Absence::AskById,
        Resource::OrganizationMemberships => Absence::AskByOrganization,
        Resource::Permissions
        | Resource::Roles
        | Resource::OrganizationInvitations
        | Resource::Invitations
        | Resource::OrganizationDomains
        | Resource::WaitlistEntries => Absence::ListTwice,
        Resource::Sessions
        | Resource::Subscriptions
        | Resource::SubscriptionItems
        | Resource::PaymentAttempts => Absence::Never,
    }
}

/// Whether the listing is so short that an incremental reconcile reads it whole.
pub fn is_short(resource: Resource) -> bool {
    matches!(resource, Resource::Permissions | Resource::Roles)
}

/// Whether an instance may not have the feature, so that Clerk refuses to list it.
pub fn is_optional(resource: Resource) -> bool {
    resource != Resource::Users
}
