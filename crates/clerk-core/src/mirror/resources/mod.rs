//! One file a resource: its table, its columns, what is cut from its objects, and how columns are read.

pub(super) mod invitations;
pub(super) mod memberships;
pub(super) mod organization_domains;
pub(super) mod organization_invitations;
pub(super) mod organizations;
pub(super) mod payment_attempts;
pub(super) mod permissions;
pub(super) mod roles;
pub(super) mod sessions;
pub(super) mod subscription_items;
pub(super) mod subscriptions;
pub(super) mod users;
pub(super) mod waitlist_entries;
