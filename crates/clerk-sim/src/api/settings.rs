//! What kind of instance the API is one of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::ApiError;
use super::route::Endpoint;
use crate::random::random_hex;
use crate::world::{Condition, Resource, Scope, Wanted};

/// The instance as the Backend API shows it. In JSON everything may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// The one key that is let in: `sk_test_…` by default, of a development instance; `sk_live_…` of a production one.
    pub secret_key: String,
    /// How much may be asked; Clerk's 100 requests in 10 seconds by default, as of a development instance. None is
    /// no limit.
    pub rate_limit: Option<RateLimit>,
    /// Whether there are organizations; if not, whatever is about them is answered 403.
    pub organizations: bool,
    /// Whether people can pay.
    pub user_billing: bool,
    /// Whether organizations can pay.
    pub organization_billing: bool,
    /// Whether the instance has an app at Svix; if not, there is no delivery log.
    pub webhooks: bool,
    /// Whether `starting_after` may name a person who was deleted meanwhile. Clerk does not say what it does then; by
    /// default it is a 422.
    pub follow_deleted_cursor: bool,
    /// Whether things of one time of creation change places with every request: Clerk promises no order of them.
    pub shuffle_ties: bool,
    /// What moves the world's time besides its own life.
    pub clock: WorldClock,
}

/// So many requests in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// The most requests in one window.
    pub requests: u32,
    /// The window's length in milliseconds.
    pub window_ms: u64,
}

/// What moves the world's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorldClock {
    /// Nothing but what happens in it, and two milliseconds for every look at it: all follows from the seed.
    #[default]
    World,
    /// This machine's clock too: the world's time is never behind it, shifted by so many milliseconds.
    Wall {
        /// Negative, if the world's clock is slow.
        ahead_ms: i64,
    },
}

impl RateLimit {
    /// A development instance's.
    pub const DEVELOPMENT: Self = Self {
        requests: 100,
        window_ms: 10_000,
    };

    /// A production instance's.
    pub const PRODUCTION: Self = Self {
        requests: 1_000,
        window_ms: 10_000,
    };

    /// The length of the window.
    pub fn window(self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            secret_key: new_secret_key(),
            rate_limit: Some(RateLimit::DEVELOPMENT),
            organizations: true,
            user_billing: true,
            organization_billing: true,
            webhooks: true,
            follow_deleted_cursor: false,
            shuffle_ties: false,
            clock: WorldClock::World,
        }
    }
}

/// A new key of a development instance.
pub(crate) fn new_secret_key() -> String {
    format!("sk_test_{}", random_hex(21))
}

impl ApiSettings {
    /// `development` or `production`.
    pub(super) fn environment(&self) -> &'static str {
        if self.secret_key.starts_with("sk_live_") {
            "production"
        } else {
            "development"
        }
    }

    /// Refuses what this instance does not have.
    pub(super) fn allow(&self, endpoint: &Endpoint) -> Result<(), ApiError> {
        let is_of_organizations = match endpoint {
            Endpoint::List(list) => list.is_of_organizations(),
            Endpoint::One(resource, _) => *resource != Resource::Users,
            _ => false,
        };
        if is_of_organizations && !self.organizations {
            return Err(ApiError::no_organizations());
        }
        let (people, organizations) = (self.user_billing, self.organization_billing);
        match endpoint {
            Endpoint::Subscription(Scope::Organization(_)) if !organizations => {
                Err(ApiError::no_billing("organizations"))
            }
            Endpoint::SvixUrl if !self.webhooks => Err(ApiError::no_svix_app()),
            Endpoint::Subscription(_) if !people => Err(ApiError::no_billing("users")),
            Endpoint::List(list) if list.is_of_billing() && !people && !organizations => {
                Err(ApiError::no_billing("users"))
            }
            _ => Ok(()),
        }
    }

    /// Leaves out items of payers that do not pay here.
    pub(super) fn narrow(&self, wanted: &mut Wanted) {
        if wanted.resource == Resource::SubscriptionItems && self.user_billing != self.organization_billing {
            let payer = if self.user_billing { "user" } else { "org" };
            wanted
                .conditions
                .push(Condition::OneOf("payer_type", vec![payer.to_owned()]));
        }
    }
}
