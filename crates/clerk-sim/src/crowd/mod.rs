//! A crowd of any size that takes no room: every object follows from its place in the list.
//!
//! A world that lives is held in memory, a few hundred megabytes for a hundred thousand people. For benches over a
//! million and more, a crowd stands in for it at the Backend API. Its people are as large as the world's and have
//! addresses, a telephone and an account each; they are members of organizations; and some change, if it drifts.

mod drift;
mod ids;
mod listing;
mod models;
mod template;

use serde::{Deserialize, Serialize};

use drift::Drift;
use models::{Person, VARIANTS};
use template::{Filling, Template};

use crate::world::Resource;

/// How large a crowd is, and how restless. In JSON everything may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrowdOptions {
    /// The same options give the same crowd.
    pub seed: u64,
    /// How many people there are; a million by default.
    pub users: u64,
    /// How many organizations.
    pub organizations: u64,
    /// How many memberships, spread evenly over both.
    pub memberships: u64,
    /// When the first person signed up, in milliseconds. The others follow every [`Crowd::PACE_MS`].
    pub start_ms: i64,
    /// How many people change with every request.
    pub drift: u64,
}

impl Default for CrowdOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            users: 1_000_000,
            organizations: 5_000,
            memberships: 150_000,
            start_ms: 1_700_000_000_000,
            drift: 0,
        }
    }
}

/// A synthetic population.
pub struct Crowd {
    options: CrowdOptions,
    now_ms: i64,
    people: Vec<Person>,
    organization: Template,
    membership: Template,
    drift: Drift,
}

/// What is between a person's sign-up and the first state of it that is shown.
const FIRST_UPDATE_MS: i64 = 18;

/// What every look takes of the crowd's time.
const LOOK_MS: i64 = 5;

impl Crowd {
    /// The time from one sign-up to the next: a million in 231 days.
    pub const PACE_MS: i64 = 20_000;

    /// A crowd whose last person has just signed up.
    pub fn new(options: CrowdOptions) -> Self {
        let most = options.users.max(options.organizations).max(options.memberships);
        Self {
            now_ms: options.start_ms + (most as i64 + 1) * Self::PACE_MS,
            people: models::people(options.seed),
            organization: models::organization(),
            membership: models::membership(),
            drift: Drift::new(options.seed),
            options,
        }
    }

    /// The options it was made with.
    pub fn options(&self) -> &CrowdOptions {
        &self.options
    }

    /// Adds a person as the Backend API shows them, in about three kilobytes of JSON.
    pub fn write_user(&self, place: u64, text: &mut String) {
        self.person(place).whole.fill(self.filling_of_user(place), text);
    }

    /// Lets the crowd's time be this at least.
    pub(crate) fn catch_up(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    fn person(&self, place: u64) -> &Person {
        &self.people[place as usize % VARIANTS]
    }

    fn filling(&self, place: u64) -> Filling {
        let created_at_ms = self.options.start_ms + place as i64 * Self::PACE_MS;
        Filling {
            place,
            created_at_ms,
            updated_at_ms: created_at_ms + FIRST_UPDATE_MS,
            revision: 0,
        }
    }

    fn filling_of_user(&self, place: u64) -> Filling {
        let filling = self.filling(place);
        match self.drift.of(place) {
            Some(change) => Filling {
                updated_at_ms: change.at_ms,
                revision: change.revision,
                ..filling
            },
            None => filling,
        }
    }

    fn write_organization(&self, place: u64, text: &mut String) {
        self.organization.fill(self.filling(place), text);
    }

    fn write_membership(&self, place: u64, text: &mut String) {
        self.membership.fill(self.filling(place), text);
        // The template ends with the object's brace.
        text.pop();
        let (user, organization) = self.sides(place);
        text.push_str(",\"organization\":");
        self.write_organization(organization, text);
        text.push_str(",\"public_user_data\":");
        let person = self.person(user);
        person.as_member.fill(self.filling_of_user(user), text);
        text.push('}');
    }

    /// Whose membership this is, and of which organization.
    fn sides(&self, place: u64) -> (u64, u64) {
        let (users, organizations) = (self.options.users, self.options.organizations);
        let user = place % users;
        // Somebody's second membership is of the next organization.
        (user, (user + place / users) % organizations)
    }

    /// How many members an organization has: of every round through the people, each that falls to it.
    fn members_count(&self, organization: u64) -> u64 {
        let (users, organizations) = (self.options.users, self.options.organizations);
        let memberships = self.size(Resource::OrganizationMemberships);
        let rounds = 0..memberships.div_ceil(users.max(1));
        let in_round = |round: u64| {
            let first = (organization + organizations - round % organizations) % organizations;
            let people = users.min(memberships - round * users);
            people.saturating_sub(first).div_ceil(organizations)
        };
        rounds.map(in_round).sum()
    }

    fn size(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Users => self.options.users,
            Resource::Organizations => self.options.organizations,
            Resource::OrganizationMemberships
                if self.options.users == 0 || self.options.organizations == 0 =>
            {
                0
            }
            Resource::OrganizationMemberships => self.options.memberships,
            _ => 0,
        }
    }
}
