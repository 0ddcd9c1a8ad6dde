//! The lists of the Backend API, and how each is to be read (`bapi/2026-05-12.yml` of Clerk's OpenAPI specification).

use super::url::{Query, encode};
use crate::mirror::Resource;

/// The most ids that a list takes as a filter.
pub const MAX_IDS: usize = 100;

/// The most rows that a list answers at once.
pub(super) const MAX_LIMIT: u32 = 500;

/// What the rows of a list are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// `created_at`, `updated_at` or `timestamp`.
    pub(super) by: &'static str,
    pub(super) newest_first: bool,
    /// Whether it must be asked for; else the endpoint knows no other.
    pub(super) asked: bool,
}

impl Order {
    /// Whether the first comes before the second, for sure.
    pub(super) fn is_before(self, one: i64, other: i64) -> bool {
        if self.newest_first {
            one > other
        } else {
            one < other
        }
    }
}

const OLDEST_FIRST: Order = Order {
    by: "created_at",
    newest_first: false,
    asked: true,
};

/// A list of the Backend API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub(super) path: String,
    /// None: nothing is said about it.
    pub(super) order: Option<Order>,
    /// Whether a page begins behind the last row of the one before, by its id.
    pub(super) by_cursor: bool,
    /// Where the number of rows can be asked, if the pages do not tell.
    pub(super) count_path: Option<&'static str>,
    pub(super) filters: Query,
    /// The list is read once with each of these, because without it leaves rows out.
    pub(super) rounds: &'static [Option<(&'static str, &'static str)>],
}

impl Listing {
    /// Everything there is of a resource. None for what Clerk lists in parts only: sessions person by person, subscriptions payer by
    /// payer, and attempts to pay statement by statement.
    pub fn all(resource: Resource) -> Option<Self> {
        let list = |path: &str| Self::plain(path.to_owned());
        Some(match resource {
            Resource::Users => Self {
                by_cursor: true,
                count_path: Some("/users/count"),
                ..list("/users")
            },
            Resource::Organizations => Self {
                filters: vec![count_members()],
                ..list("/organizations")
            },
            Resource::OrganizationMemberships => list("/organization_memberships"),
            Resource::OrganizationInvitations => list("/organization_invitations"),
            Resource::OrganizationDomains => list("/organization_domains"),
            Resource::Roles => list("/organization_roles"),
            Resource::Permissions => list("/organization_permissions"),
            Resource::WaitlistEntries => list("/waitlist_entries"),
            // Without a status the list has all but the revoked ones.
            Resource::Invitations => Self {
                filters: vec![("paginated", "true".to_owned())],
                rounds: &[None, Some(("status", "revoked"))],
                ..list("/invitations")
            },
            Resource::SubscriptionItems => Self {
                filters: vec![
                    ("paginated", "true".to_owned()),
                    ("include_free", "true".to_owned()),
                ],
                ..Self::billing("/billing/subscription_items".to_owned())
            },
            Resource::Sessions | Resource::Subscriptions | Resource::PaymentAttempts => return None,
        })
    }

    /// The same, what is new first: users by their last change, everything else by when it was made, because Clerk sorts it by
    /// nothing better.
    pub fn newest_first(resource: Resource) -> Option<Self> {
        let all = Self::all(resource)?;
        let by = if resource == Resource::Users {
            "updated_at"
        } else {
            "created_at"
        };
        Some(Self {
            order: all.order.map(|order| Order {
                by,
                newest_first: true,
                ..order
            }),
            by_cursor: false,
            ..all
        })
    }

    /// The organizations that a person is a member of.
    pub fn memberships_of_user(user_id: &str) -> Self {
        let path = format!("/users/{}/organization_memberships", encode(user_id));
        Self {
            order: None,
            ..Self::plain(path)
        }
    }

    /// The members of an organization.
    pub fn memberships_of_organization(organization_id: &str) -> Self {
        let path = format!("/organizations/{}/memberships", encode(organization_id));
        Self::plain(path)
    }

    /// The invitations into an organization, but those that its domains made.
    pub fn invitations_of_organization(organization_id: &str) -> Self {
        let path = format!("/organizations/{}/invitations", encode(organization_id));
        Self::plain(path)
    }

    /// The domains of an organization.
    pub fn domains_of_organization(organization_id: &str) -> Self {
        Self {
            filters: vec![("organization_id", organization_id.to_owned())],
            ..Self::plain("/organization_domains".to_owned())
        }
    }

    /// The sessions of a person that Clerk still knows.
    pub fn sessions_of_user(user_id: &str) -> Self {
        let mut list = Self::billing("/sessions".to_owned());
        list.filters.push(("user_id", user_id.to_owned()));
        list
    }

    /// Billing statements, which tell what payments there were.
    pub fn statements() -> Self {
        let list = Self::billing("/billing/statements".to_owned());
        Self {
            order: list.order.map(|order| Order {
                by: "timestamp",
                ..order
            }),
            ..list
        }
    }

    /// The attempts to pay a statement.
    pub fn payment_attempts_of_statement(statement_id: &str) -> Self {
        Self::billing(format!(
            "/billing/statements/{}/payment_attempts",
            encode(statement_id)
        ))
    }

    /// The objects with these ids; at most [`MAX_IDS`]. None for a resource whose list takes no ids.
    pub fn with_ids(resource: Resource, ids: &[String]) -> Option<Self> {
        let (path, name) = match resource {
            Resource::Users => ("/users", "user_id"),
            Resource::Organizations => ("/organizations", "organization_id"),
            _ => return None,
        };
        let mut filters = named(name, ids);
        if resource == Resource::Organizations {
            filters.push(count_members());
        }
        Some(Self {
            filters,
            ..Self::plain(path.to_owned())
        })
    }

    /// The memberships of these people, at most [`MAX_IDS`], in one organization.
    pub fn memberships(organization_id: &str, user_ids: &[String]) -> Self {
        Self {
            filters: named("user_id", user_ids),
            ..Self::memberships_of_organization(organization_id)
        }
    }

    /// What is new comes first in the lists of billing and of sessions, and they know no other order.
    fn billing(path: String) -> Self {
        Self {
            order: Some(Order {
                by: "created_at",
                newest_first: true,
                asked: false,
            }),
            filters: vec![("paginated", "true".to_owned())],
            ..Self::plain(path)
        }
    }

    fn plain(path: String) -> Self {
        Self {
            path,
            order: Some(OLDEST_FIRST),
            by_cursor: false,
            count_path: None,
            filters: Vec::new(),
            rounds: &[None],
        }
    }

    /// The path of the list below the API's URL.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the number of rows can be asked, if the pages do not tell.
    pub fn count_path(&self) -> Option<&'static str> {
        self.count_path
    }

    /// The path of the subscription of a person or an organization, whose id tells which.
    pub fn subscription_path(payer_id: &str) -> String {
        let payers = if payer_id.starts_with("org_") {
            "organizations"
        } else {
            "users"
        };
        format!("/{payers}/{}/billing/subscription", encode(payer_id))
    }
}

/// Clerk counts the members of organizations only if that is asked for.
fn count_members() -> (&'static str, String) {
    ("include_members_count", "true".to_owned())
}

fn named(name: &'static str, ids: &[String]) -> Query {
    ids.iter().take(MAX_IDS).map(|id| (name, id.clone())).collect()
}
