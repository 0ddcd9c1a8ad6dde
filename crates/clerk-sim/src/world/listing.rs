//! Pages of what exists, as a client of the Backend API asks for them.
//!
//! A page in order of creation costs its own length, however long the list is; so does a page by `updated_at`, besides
//! what lies before its offset. Everything else is looked through from end to end.

use serde_json::Value;

use super::World;
use super::records::Place;
use super::resource::Resource;

/// A page of a list that somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) resource: Resource,
    pub(crate) scope: Scope,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) order: Order,
    pub(crate) limit: usize,
    pub(crate) offset: usize,
    /// The page begins after this one.
    pub(crate) after: Option<String>,
    /// Whether organizations tell how many members they have.
    pub(crate) counts_members: bool,
    /// If told, things of one time of creation are listed in an order that follows from it.
    pub(crate) shuffle: Option<u64>,
}

/// Whose things are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    Instance,
    /// Those of the person of this id.
    Person(String),
    /// Those of the organization of this id.
    Organization(String),
    /// Attempts to pay, one for each statement, which is listed in its place.
    Statements,
    /// Attempts to pay the statement of this id.
    Statement(String),
}

/// What a thing must fulfil to be listed; the names are Clerk's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// One of the first, if there are any, and none of the second.
    Signed(&'static str, Vec<String>, Vec<String>),
    /// One of these.
    OneOf(&'static str, Vec<String>),
    /// Before or after this time in milliseconds.
    Time(&'static str, i64),
    /// True or false.
    Flag(&'static str, bool),
    /// Not for nothing.
    Paid,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) by: OrderBy,
    pub(crate) descending: bool,
}

/// What a list is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderBy {
    /// Ties are in the order of creation too.
    CreatedAt,
    UpdatedAt,
    /// A member of the object.
    Field(&'static str),
    /// The first of a list's elements, and the member of it.
    First(&'static str, &'static str),
}

impl OrderBy {
    /// By Clerk's name for it; nothing if the simulator does not know how.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "created_at" => Self::CreatedAt,
            "updated_at" => Self::UpdatedAt,
            "first_name" => Self::Field("first_name"),
            "last_name" => Self::Field("last_name"),
            "username" => Self::Field("username"),
            "last_active_at" => Self::Field("last_active_at"),
            "last_sign_in_at" => Self::Field("last_sign_in_at"),
            "name" => Self::Field("name"),
            "key" => Self::Field("key"),
            "expires_at" => Self::Field("expires_at"),
            "email_address" => Self::First("email_addresses", "email_address"),
            "phone_number" => Self::First("phone_numbers", "phone_number"),
            _ => return None,
        })
    }
}

/// A page, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The objects with commas between them.
    pub(crate) objects: String,
    /// How many there are on all pages.
    pub(crate) total: usize,
}

impl Page {
    /// A page to be filled.
    pub(crate) fn of(total: usize) -> Self {
        Self {
            objects: String::new(),
            total,
        }
    }

    /// Adds an object.
    pub(crate) fn push(&mut self, object: &str) {
        self.push_with(|text| text.push_str(object));
    }

    /// Adds an object that is written straight to the page.
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        if !self.objects.is_empty() {
            self.objects.push(',');
        }
        write(&mut self.objects);
    }
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPage {
    /// The person or organization whose things were to be listed does not exist.
    NoOwner,
    /// The one after which the page was to begin does not exist.
    NoCursor,
    /// The population is not made for this.
    NotSimulated(&'static str),
}

impl World {
    /// A page of what exists now.
    pub(crate) fn page(&self, wanted: &Wanted, follow_deleted: bool) -> Result<Page, NoPage> {
        let is_plain = wanted.scope == Scope::Instance && wanted.conditions.is_empty();
        let (places, total) = if is_plain && wanted.shuffle.is_none() {
            match wanted.order.by {
                OrderBy::CreatedAt => self.slice_by_creation(wanted, follow_deleted)?,
                OrderBy::UpdatedAt => self.slice_by_update(wanted),
                _ => self.slice_of(self.all(wanted.resource).collect(), wanted),
            }
        } else {
            let mut places = self.candidates(wanted)?;
            places.retain(|place| self.fulfils(*place, &wanted.conditions));
            self.slice_of_after(places, wanted, follow_deleted)?
        };
        let mut page = Page::of(total);
        for place in places {
            if wanted.scope == Scope::Statements {
                page.push(&self.statement(place).to_string());
            } else {
                page.push(&self.api_text(place, wanted.counts_members));
            }
        }
        Ok(page)
    }

    /// How many people fulfil the conditions.
    pub(crate) fn count(&self, resource: Resource, conditions: &[Condition]) -> usize {
        if conditions.is_empty() {
            return self.table(resource).existing.len();
        }
        let all = self.all(resource);
        all.filter(|place| self.fulfils(*place, conditions)).count()
    }

    /// One thing as the Backend API answers it, if it exists.
    pub(crate) fn one(&self, resource: Resource, id: &str, counts_members: bool) -> Option<String> {
        let place = self.find(resource, id)?;
        Some(self.api_text(place, counts_members))
    }

    /// The newest subscription of a payer.
    pub(crate) fn subscription_of(&self, payer: &Scope) -> Result<Option<String>, NoPage> {
        let owner = self.owner(payer)?.ok_or(NoPage::NoOwner)?;
        let subscriptions = self.belongings(owner, Resource::Subscriptions);
        Ok(subscriptions.last().map(|place| self.api_text(*place, false)))
    }

    /// Where a thing is that exists.
    pub(super) fn find(&self, resource: Resource, id: &str) -> Option<Place> {
        let index = self.table(resource).index_of(id)?;
        let place = Place { resource, index };
        self.record(place).exists.then_some(place)
    }

    fn owner(&self, scope: &Scope) -> Result<Option<Place>, NoPage> {
        let found = match scope {
            Scope::Instance | Scope::Statements | Scope::Statement(_) => return Ok(None),
            Scope::Person(id) => self.find(Resource::Users, id),
            Scope::Organization(id) => self.find(Resource::Organizations, id),
        };
        found.map(Some).ok_or(NoPage::NoOwner)
    }

    /// Everything in scope, oldest first. Conditions on the id itself are used to look at little.
    fn candidates(&self, wanted: &Wanted) -> Result<Vec<Place>, NoPage> {
        if let Some(owner) = self.owner(&wanted.scope)? {
            return Ok(self.belongings(owner, wanted.resource));
        }
        let all = || self.all(wanted.resource).collect();
        match &wanted.scope {
            Scope::Statements => return Ok(self.one_of_each_statement(all())),
            Scope::Statement(id) => {
                let mut attempts: Vec<Place> = all();
                attempts.retain(|attempt| self.record(*attempt).object()["statement_id"] == **id);
                return if attempts.is_empty() {
                    Err(NoPage::NoOwner)
                } else {
                    Ok(attempts)
                };
            }
            _ => {}
        }
        let own_id = match wanted.resource {
            Resource::Users => "user_id",
            _ => "organization_id",
        };
        let has_own = matches!(wanted.resource, Resource::Users | Resource::Organizations);
        for condition in &wanted.conditions {
            if let Condition::Signed(name, included, _) = condition
                && has_own
                && *name == own_id
                && !included.is_empty()
            {
                let mut found: Vec<Place> = included
                    .iter()
                    .filter_map(|id| self.find(wanted.resource, id))
                    .collect();
                found.sort_unstable_by_key(|place| place.index);
                found.dedup();
                return Ok(found);
            }
        }
        Ok(self.all(wanted.resource).collect())
    }

    fn slice_by_creation(
        &self,
        wanted: &Wanted,
        follow_deleted: bool,
    ) -> Result<(Vec<Place>, usize), NoPage> {
        let (resource, existing) = (wanted.resource, &self.table(wanted.resource).existing);
        let total = existing.len();
        // Ranks count from the oldest; positions from the beginning of the list.
        let start = match &wanted.after {
            None => wanted.offset,
            Some(id) => {
                let index = self.cursor(resource, id, follow_deleted)?;
                match wanted.order.descending {
                    true => total - existing.before(index),
                    false => existing.before(index + 1),
                }
            }
        };
        let end = start.saturating_add(wanted.limit).min(total);
        let ranks = start..end;
        let rank = |position: usize| match wanted.order.descending {
            true => total - 1 - position,
            false => position,
        };
        let places = ranks.filter_map(|position| existing.nth(rank(position)));
        Ok((places.map(|index| Place { resource, index }).collect(), total))
    }

    /// Where the cursor stands. At Clerk it is not written what becomes of the cursor of somebody who was deleted.
    fn cursor(&self, resource: Resource, id: &str, follow_deleted: bool) -> Result<usize, NoPage> {
        let index = self.table(resource).index_of(id).ok_or(NoPage::NoCursor)?;
        let exists = self.record(Place { resource, index }).exists;
        if exists || follow_deleted {
            Ok(index)
        } else {
            Err(NoPage::NoCursor)
        }
    }

    fn slice_by_update(&self, wanted: &Wanted) -> (Vec<Place>, usize) {
        let (resource, updates) = (wanted.resource, &self.table(wanted.resource).by_update);
        let place = |(_, index): &(i64, usize)| Place {
            resource,
            index: *index,
        };
        let (skip, take) = (wanted.offset, wanted.limit);
        let places = match wanted.order.descending {
            true => updates.iter().rev().skip(skip).take(take).map(place).collect(),
            false => updates.iter().skip(skip).take(take).map(place).collect(),
        };
        (places, updates.len())
    }

    fn slice_of_after(
        &self,
        mut places: Vec<Place>,
        wanted: &Wanted,
        follow_deleted: bool,
    ) -> Result<(Vec<Place>, usize), NoPage> {
        let total = places.len();
        if let Some(seed) = wanted.shuffle {
            return self.slice_of_shuffled(places, wanted, seed, follow_deleted);
        }
        if let Some(id) = &wanted.after {
            let cursor = self.cursor(wanted.resource, id, follow_deleted)?;
            places.retain(|place| match wanted.order.descending {
                true => place.index < cursor,
                false => place.index > cursor,
            });
        }
        let (slice, _) = self.slice_of(places, wanted);
        Ok((slice, total))
    }

    /// What came to be at one time stands in any order; that of the cursor ends where the cursor stands.
    fn slice_of_shuffled(
        &self,
        mut places: Vec<Place>,
        wanted: &Wanted,
        seed: u64,
        follow_deleted: bool,
    ) -> Result<(Vec<Place>, usize), NoPage> {
        let total = places.len();
        let key = |place: &Place| {
            let record = self.record(*place);
            let time_ms = match wanted.order.by {
                OrderBy::UpdatedAt => record.updated_at_ms(),
                _ => record.created_at_ms(),
            };
            (time_ms, shuffled(place.index, seed))
        };
        places.sort_by_cached_key(key);
        if wanted.order.descending {
            places.reverse();
        }
        if let Some(id) = &wanted.after {
            let index = self.cursor(wanted.resource, id, follow_deleted)?;
            let cursor = key(&Place {
                resource: wanted.resource,
                index,
            });
            places.retain(|place| match wanted.order.descending {
                true => key(place) < cursor,
                false => key(place) > cursor,
            });
        }
        let slice = places.into_iter().skip(wanted.offset).take(wanted.limit);
        Ok((slice.collect(), total))
    }

    fn slice_of(&self, mut places: Vec<Place>, wanted: &Wanted) -> (Vec<Place>, usize) {
        let total = places.len();
        match wanted.order.by {
            OrderBy::CreatedAt => {}
            OrderBy::UpdatedAt => places.sort_by_key(|place| self.record(*place).updated_at_ms()),
            by => places.sort_by_cached_key(|place| self.key(*place, by)),
        }
        if wanted.order.descending {
            places.reverse();
        }
        let slice = places.into_iter().skip(wanted.offset).take(wanted.limit);
        (slice.collect(), total)
    }

    /// What an object is ordered by: a membership by its person's. What has nothing comes last.
    fn key(&self, place: Place, by: OrderBy) -> (bool, i64, String) {
        let person = self.record(place).person;
        let person = person.filter(|_| place.resource == Resource::OrganizationMemberships);
        let object = self.record(person.unwrap_or(place)).object();
        let value = match by {
            OrderBy::Field(field) => &object[field],
            OrderBy::First(list, field) if object[list].is_array() => &object[list][0][field],
            OrderBy::First(_, field) => &object[field],
            OrderBy::CreatedAt | OrderBy::UpdatedAt => &Value::Null,
        };
        let text = value.as_str().unwrap_or_default().to_owned();
        (value.is_null(), value.as_i64().unwrap_or_default(), text)
    }
}

/// A number that follows from both and says nothing about either.
fn shuffled(index: usize, seed: u64) -> u64 {
    let mixed =
        (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ seed.wrapping_mul(0xD1B5_4A32_D192_ED03);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}
