//! Which paths there are.

use axum::http::Method;

use crate::world::{Resource, Scope};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Things of one kind.
    List(List),
    /// How many people there are.
    CountUsers,
    /// One thing, by its id.
    One(Resource, String),
    /// What a person or an organization subscribes to.
    Subscription(Scope),
    /// The instance itself.
    Instance,
    /// The signing keys.
    Jwks,
    /// The address of Clerk's delivery log.
    SvixUrl,
}

/// A list, and the form of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) resource: Resource,
    pub(crate) scope: Scope,
    pub(crate) form: Form,
}

/// How a list is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A bare array.
    Bare,
    /// A bare array, unless the query says `paginated=true`.
    BareUnlessPaginated,
    /// `{"data": […], "total_count": …}`.
    Counted,
}

impl List {
    /// Whether an instance without organizations refuses it.
    pub(crate) fn is_of_organizations(&self) -> bool {
        !matches!(
            self.resource,
            Resource::Users
                | Resource::Invitations
                | Resource::WaitlistEntries
                | Resource::Sessions
                | Resource::SubscriptionItems
                | Resource::PaymentAttempts
        )
    }

    /// Whether an instance in which nobody can pay refuses it.
    pub(crate) fn is_of_billing(&self) -> bool {
        matches!(
            self.resource,
            Resource::SubscriptionItems | Resource::PaymentAttempts
        )
    }
}

impl Endpoint {
    /// The endpoint at a path below `/v1`.
    pub(crate) fn find(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        if *method == Method::POST {
            return (parts == ["webhooks", "svix_url"]).then_some(Self::SvixUrl);
        }
        if *method != Method::GET {
            return None;
        }
        Some(match parts[..] {
            ["users"] => list(Resource::Users, Scope::Instance, Form::Bare),
            ["users", "count"] => Self::CountUsers,
            ["organizations"] => counted(Resource::Organizations),
            ["organization_memberships"] => counted(Resource::OrganizationMemberships),
            ["organization_invitations"] => counted(Resource::OrganizationInvitations),
            ["organization_domains"] => counted(Resource::OrganizationDomains),
            ["organization_roles"] => counted(Resource::Roles),
            ["organization_permissions"] => counted(Resource::Permissions),
            ["waitlist_entries"] => counted(Resource::WaitlistEntries),
            ["invitations"] => list(Resource::Invitations, Scope::Instance, Form::BareUnlessPaginated),
            ["billing", "subscription_items"] => counted(Resource::SubscriptionItems),
            ["billing", "statements"] => list(
                Resource::PaymentAttempts,
                Scope::Statements,
                Form::BareUnlessPaginated,
            ),
            ["billing", "statements", id, "payment_attempts"] => list(
                Resource::PaymentAttempts,
                Scope::Statement(id.to_owned()),
                Form::BareUnlessPaginated,
            ),
            ["sessions"] => list(Resource::Sessions, Scope::Instance, Form::BareUnlessPaginated),
            ["users", id] => Self::One(Resource::Users, id.to_owned()),
            ["organizations", id] => Self::One(Resource::Organizations, id.to_owned()),
            ["organization_roles", id] => Self::One(Resource::Roles, id.to_owned()),
            ["organization_permissions", id] => Self::One(Resource::Permissions, id.to_owned()),
            ["organizations", id, "memberships"] => of_organization(Resource::OrganizationMemberships, id),
            ["organizations", id, "invitations"] => of_organization(Resource::OrganizationInvitations, id),
            ["organizations", id, "domains"] => of_organization(Resource::OrganizationDomains, id),
            ["users", id, "organization_memberships"] => list(
                Resource::OrganizationMemberships,
                Scope::Person(id.to_owned()),
                Form::Counted,
            ),
            ["users", id, "billing", "subscription"] => Self::Subscription(Scope::Person(id.to_owned())),
            ["organizations", id, "billing", "subscription"] => {
                Self::Subscription(Scope::Organization(id.to_owned()))
            }
            ["instance"] => Self::Instance,
            ["jwks"] => Self::Jwks,
            _ => return None,
        })
    }
}

fn list(resource: Resource, scope: Scope, form: Form) -> Endpoint {
    Endpoint::List(List {
        resource,
        scope,
        form,
    })
}

fn counted(resource: Resource) -> Endpoint {
    list(resource, Scope::Instance, Form::Counted)
}

fn of_organization(resource: Resource, id: &str) -> Endpoint {
    list(resource, Scope::Organization(id.to_owned()), Form::Counted)
}
