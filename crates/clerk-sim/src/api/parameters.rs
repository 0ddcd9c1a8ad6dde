//! The parameters of each list, by Clerk's specification of 2026-05-12.

use crate::world::{Resource, Scope};

/// What a parameter's values are.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Several, each wanted (`+` or nothing before it) or unwanted (`-`).
    Signed,
    /// Several, of which one must fit.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Milliseconds since 1970.
    Time,
    /// `true` or `false`.
    Flag,
}

/// Parameters that Clerk has and the simulator has not: nobody shall believe that they did something.
pub(super) const NOT_SIMULATED: &[&str] = &[
    "query",
    "email_address_query",
    "phone_number_query",
    "username_query",
    "name_query",
    "web3_wallet",
    "provider",
    "provider_user_id",
    "last_active_at_since",
    "include_missing_member_with_elevated_permissions",
    "verified",
    "enrollment_mode",
    "domains",
];

const USERS: &[(&str, Kind)] = &[
    ("user_id", Kind::Signed),
    ("external_id", Kind::Signed),
    ("organization_id", Kind::Signed),
    ("email_address", Kind::Texts),
    ("phone_number", Kind::Texts),
    ("username", Kind::Texts),
    ("banned", Kind::Flag),
    ("created_at_before", Kind::Time),
    ("created_at_after", Kind::Time),
    ("last_active_at_before", Kind::Time),
    ("last_active_at_after", Kind::Time),
    ("last_sign_in_at_before", Kind::Time),
    ("last_sign_in_at_after", Kind::Time),
];

const ORGANIZATIONS: &[(&str, Kind)] = &[("organization_id", Kind::Signed), ("user_id", Kind::Signed)];

const MEMBERSHIPS: &[(&str, Kind)] = &[
    ("user_id", Kind::Signed),
    ("role", Kind::Texts),
    ("created_at_before", Kind::Time),
    ("created_at_after", Kind::Time),
];

const INVITATION_STATUS: Kind = Kind::Word(&["pending", "accepted", "revoked", "expired"]);

const WAITLIST_STATUS: Kind = Kind::Word(&["pending", "invited", "completed", "rejected"]);

const ITEM_STATUS: Kind = Kind::Word(&["active", "ended", "past_due", "upcoming", "free_trial"]);

const SESSIONS: &[(&str, Kind)] = &[
    ("client_id", Kind::Texts),
    ("user_id", Kind::Texts),
    (
        "status",
        Kind::Word(&[
            "abandoned",
            "active",
            "ended",
            "expired",
            "removed",
            "replaced",
            "revoked",
        ]),
    ),
];

const ITEMS: &[(&str, Kind)] = &[
    ("status", ITEM_STATUS),
    ("payer_type", Kind::Word(&["user", "org"])),
    ("plan_id", Kind::Texts),
];

/// The parameters that choose, besides limit, offset and order.
pub(super) fn of(resource: Resource, scope: &Scope) -> &'static [(&'static str, Kind)] {
    match (resource, scope) {
        (Resource::Users, _) => USERS,
        (Resource::Organizations, _) => ORGANIZATIONS,
        (Resource::OrganizationMemberships, Scope::Organization(_)) => MEMBERSHIPS,
        (Resource::OrganizationInvitations, Scope::Organization(_)) => {
            &[("status", INVITATION_STATUS), ("email_address", Kind::Texts)]
        }
        (Resource::OrganizationInvitations | Resource::Invitations, _) => &[("status", INVITATION_STATUS)],
        (Resource::OrganizationDomains, Scope::Instance) => &[("organization_id", Kind::Texts)],
        (Resource::WaitlistEntries, _) => &[("status", WAITLIST_STATUS)],
        (Resource::SubscriptionItems, _) => ITEMS,
        (Resource::Sessions, _) => SESSIONS,
        _ => &[],
    }
}

/// What a list can be ordered by; nothing if it has an order of its own.
pub(super) fn orders(resource: Resource) -> &'static [&'static str] {
    match resource {
        Resource::Users => &[
            "created_at",
            "updated_at",
            "email_address",
            "web3wallet",
            "first_name",
            "last_name",
            "phone_number",
            "username",
            "last_active_at",
            "last_sign_in_at",
        ],
        Resource::Organizations => &["name", "created_at", "members_count"],
        Resource::OrganizationMemberships => &[
            "phone_number",
            "email_address",
            "created_at",
            "first_name",
            "last_name",
            "username",
        ],
        Resource::OrganizationInvitations => &["created_at", "email_address"],
        Resource::Invitations => &["created_at", "email_address", "expires_at"],
        Resource::Roles | Resource::Permissions => &["created_at", "name", "key"],
        Resource::OrganizationDomains => &["name", "created_at"],
        Resource::WaitlistEntries => &["created_at", "email_address", "invited_at"],
        _ => &[],
    }
}
