//! The kinds of things that Clerk has and the mirror keeps.

use super::members::Member;
use super::raw::RawObject;
use super::redact::Treatment;
use super::resources::{
    invitations, memberships, organization_domains, organization_invitations, organizations,
    payment_attempts, permissions, roles, sessions, subscription_items, subscriptions, users,
    waitlist_entries,
};
use super::value::{ColumnType, Value};

/// A mirrored resource. The order is that in which tables are written: parents first, always the same, so that
/// transactions cannot wait for each other in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the table of the same name")]
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

/// A typed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// As in SQL.
    pub name: &'static str,
    /// Its type.
    pub column_type: ColumnType,
}

/// What differs from resource to resource.
pub(super) struct Shape {
    pub(super) table: &'static str,
    /// Name of the resource in event types; empty if it has no events of its own.
    pub(super) event_prefix: &'static str,
    pub(super) columns: &'static [Column],
    /// Members that are not stored as they are.
    pub(super) treatments: &'static [(&'static str, Treatment)],
    /// The values of `columns`, in their order, of an object whose members have their one names.
    pub(super) read: fn(&RawObject) -> Vec<Value>,
}

impl Resource {
    /// Every resource.
    pub const ALL: &[Resource] = &[
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

    /// Those that are mirrored unless the administrator says otherwise.
    pub const ON_BY_DEFAULT: &[Resource] = &[
        Self::Users,
        Self::Organizations,
        Self::OrganizationMemberships,
        Self::OrganizationInvitations,
        Self::OrganizationDomains,
        Self::Invitations,
        Self::Roles,
        Self::Permissions,
    ];

    pub(super) fn shape(self) -> &'static Shape {
        match self {
            Self::Users => &users::SHAPE,
            Self::Organizations => &organizations::SHAPE,
            Self::OrganizationMemberships => &memberships::SHAPE,
            Self::OrganizationInvitations => &organization_invitations::SHAPE,
            Self::OrganizationDomains => &organization_domains::SHAPE,
            Self::Invitations => &invitations::SHAPE,
            Self::Roles => &roles::SHAPE,
            Self::Permissions => &permissions::SHAPE,
            Self::Sessions => &sessions::SHAPE,
            Self::WaitlistEntries => &waitlist_entries::SHAPE,
            Self::Subscriptions => &subscriptions::SHAPE,
            Self::SubscriptionItems => &subscription_items::SHAPE,
            Self::PaymentAttempts => &payment_attempts::SHAPE,
        }
    }

    /// Its table in schema `clerk`.
    pub fn table(self) -> &'static str {
        self.shape().table
    }

    /// The resource with that table.
    pub fn from_table(table: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|resource| resource.table() == table)
    }

    /// Its typed columns, in the order of [`super::Live::values`].
    pub fn columns(self) -> &'static [Column] {
        self.shape().columns
    }

    /// The typed columns of an object whose members have their one names.
    pub(super) fn values(self, object: &RawObject) -> Vec<Value> {
        (self.shape().read)(object)
    }

    /// The typed columns of a row of which nothing is known.
    pub(super) fn no_values(self) -> Vec<Value> {
        self.values(&RawObject::default())
    }

    /// Members that both sources leave out instead of saying null.
    pub(super) fn null_if_absent(self) -> &'static [&'static str] {
        match self {
            Self::Sessions => &["actor", "last_active_organization_id"],
            _ => &[],
        }
    }

    /// Whether a member stays when a row is erased because of a deleted person: one that feeds a column and is nothing that people
    /// say of themselves.
    pub(super) fn outlasts_erasure(self, name: &str) -> bool {
        const PERSONAL: &[&str] = &[
            "email_address",
            "affiliation_email_address",
            "public_metadata",
            "private_metadata",
            "actor",
        ];
        !PERSONAL.contains(&name) && self.of_member(name).any(|member| !member.columns.is_empty())
    }

    /// Whether one of these columns is read from the member.
    pub(super) fn feeds(self, name: &str, columns: &[&str]) -> bool {
        self.of_member(name)
            .any(|member| member.columns.iter().any(|column| columns.contains(column)))
    }

    /// The entries of the table of members for what is stored under that name.
    fn of_member(self, name: &str) -> impl Iterator<Item = &'static Member> {
        self.members()
            .iter()
            .filter(move |member| member.name.split('.').next() == Some(name))
    }

    /// Whether the rows are a person's data, which goes when the person is deleted.
    pub fn is_personal(self) -> bool {
        self == Self::Users
    }

    /// What its types of events begin with: `user` of `user.created`.
    pub fn event_prefix(self) -> &'static str {
        self.shape().event_prefix
    }

    /// The resource whose events are called `prefix.…`.
    pub(super) fn from_event_prefix(prefix: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|resource| resource.event_prefix() == prefix)
    }
}

pub(super) const fn text(name: &'static str) -> Column {
    column(name, ColumnType::Text)
}

pub(super) const fn time(name: &'static str) -> Column {
    column(name, ColumnType::Time)
}

pub(super) const fn boolean(name: &'static str) -> Column {
    column(name, ColumnType::Boolean)
}

pub(super) const fn integer(name: &'static str) -> Column {
    column(name, ColumnType::Integer)
}

pub(super) const fn texts(name: &'static str) -> Column {
    column(name, ColumnType::Texts)
}

pub(super) const fn json(name: &'static str) -> Column {
    column(name, ColumnType::Json)
}

const fn column(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type }
}
