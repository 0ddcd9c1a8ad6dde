//! The kinds of thing that Clerk keeps, by the names of the tables that mirror them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of thing that has an id, a history and an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the resource of its name")]
pub enum Resource {
    Users,
    Organizations,
    OrganizationMemberships,
    OrganizationInvitations,
    OrganizationDomains,
    Invitations,
    Roles,
    Permissions,
    Sessions,
    WaitlistEntries,
    Subscriptions,
    SubscriptionItems,
    PaymentAttempts,
}

impl Resource {
    /// Every resource; a resource's discriminant is its place here.
    pub const ALL: [Self; 13] = [
        Self::Users,
        Self::Organizations,
        Self::OrganizationMemberships,
        Self::OrganizationInvitations,
        Self::OrganizationDomains,
        Self::Invitations,
        Self::Roles,
        Self::Permissions,
        Self::Sessions,
        Self::WaitlistEntries,
        Self::Subscriptions,
        Self::SubscriptionItems,
        Self::PaymentAttempts,
    ];

    /// The table's name, such as `organization_memberships`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Organizations => "organizations",
            Self::OrganizationMemberships => "organization_memberships",
            Self::OrganizationInvitations => "organization_invitations",
            Self::OrganizationDomains => "organization_domains",
            Self::Invitations => "invitations",
            Self::Roles => "roles",
            Self::Permissions => "permissions",
            Self::Sessions => "sessions",
            Self::WaitlistEntries => "waitlist_entries",
            Self::Subscriptions => "subscriptions",
            Self::SubscriptionItems => "subscription_items",
            Self::PaymentAttempts => "payment_attempts",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.as_str() == name)
            .ok_or_else(|| format!("{name:?} is no resource of the simulator"))
    }
}
