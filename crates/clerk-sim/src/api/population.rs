//! Who is listed: the living world, or a synthetic crowd in its stead.

use super::error::ApiError;
use crate::server::Instance;
use crate::world::{Condition, NoPage, Page, Resource, Scope, Wanted, World};

/// What the API asks of a population.
pub(crate) trait Population {
    /// Lets somebody look; gives the moment.
    fn look(&mut self) -> i64;
    /// A page of a list.
    fn page(&self, wanted: &Wanted, follow_deleted: bool) -> Result<Page, NoPage>;
    /// How many fulfil the conditions.
    fn count(&self, resource: Resource, conditions: &[Condition]) -> Result<usize, NoPage>;
    /// One thing, if it exists; an organization with the number of its members if that is asked for.
    fn one(&self, resource: Resource, id: &str, counts_members: bool) -> Option<String>;
    /// The payer's subscription, if there is one.
    fn subscription_of(&self, payer: &Scope) -> Result<Option<String>, NoPage>;
}

impl Population for World {
    fn look(&mut self) -> i64 {
        self.look()
    }

    fn page(&self, wanted: &Wanted, follow_deleted: bool) -> Result<Page, NoPage> {
        self.page(wanted, follow_deleted)
    }

    fn count(&self, resource: Resource, conditions: &[Condition]) -> Result<usize, NoPage> {
        Ok(self.count(resource, conditions))
    }

    fn one(&self, resource: Resource, id: &str, counts_members: bool) -> Option<String> {
        self.one(resource, id, counts_members)
    }

    fn subscription_of(&self, payer: &Scope) -> Result<Option<String>, NoPage> {
        self.subscription_of(payer)
    }
}

impl Instance {
    /// Does something with the population, which stands still meanwhile.
    pub(super) fn with_population<T>(&self, look: impl FnOnce(&mut dyn Population) -> T) -> T {
        let mut crowd = self.api.crowd();
        match crowd.as_mut() {
            Some(crowd) => {
                if let Some(now_ms) = self.wall_ms() {
                    crowd.catch_up(now_ms);
                }
                look(crowd)
            }
            None => look(&mut *self.world()),
        }
    }
}

impl From<NoPage> for ApiError {
    fn from(reason: NoPage) -> Self {
        match reason {
            NoPage::NoOwner => Self::not_found("Resource not found".to_owned()),
            NoPage::NoCursor => Self::missing_resource("starting_after"),
            NoPage::NotSimulated(what) => Self::not_simulated(what),
        }
    }
}
