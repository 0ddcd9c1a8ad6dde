//! Pages of a crowd.

use super::{Crowd, LOOK_MS, ids};
use crate::api::Population;
use crate::world::{Condition, NoPage, OrderBy, Page, Resource, Scope, Wanted};

impl Population for Crowd {
    fn look(&mut self) -> i64 {
        let moment = self.now_ms;
        self.now_ms += LOOK_MS;
        if self.options.users > 0 {
            for _ in 0..self.options.drift {
                self.drift.change_somebody(self.options.users, self.now_ms);
            }
        }
        moment
    }

    fn page(&self, wanted: &Wanted, _follow_deleted: bool) -> Result<Page, NoPage> {
        let resource = wanted.resource;
        let (places, total) = match (&wanted.conditions[..], &wanted.scope, wanted.order.by) {
            (conditions, Scope::Instance, _) if is_told_by_id(resource, conditions) => {
                self.named(wanted, conditions)
            }
            ([], Scope::Instance, OrderBy::CreatedAt) => self.slice(wanted)?,
            ([], Scope::Instance, OrderBy::UpdatedAt) => self.slice_by_update(wanted),
            ([], Scope::Person(id), _) => self.of_person(wanted, id)?,
            _ => {
                return Err(NoPage::NotSimulated(
                    "this list of a crowd; only a world can do that",
                ));
            }
        };
        let mut page = Page::of(total as usize);
        for place in places {
            page.push_with(|text| self.write(resource, place, wanted.counts_members, text));
        }
        Ok(page)
    }

    fn count(&self, resource: Resource, conditions: &[Condition]) -> Result<usize, NoPage> {
        match conditions {
            [] => Ok(self.size(resource) as usize),
            _ => Err(NoPage::NotSimulated(
                "conditions on a crowd; only a world can do that",
            )),
        }
    }

    fn one(&self, resource: Resource, id: &str, counts_members: bool) -> Option<String> {
        let place = self.place(resource, id)?;
        let mut text = String::new();
        self.write(resource, place, counts_members, &mut text);
        Some(text)
    }

    fn subscription_of(&self, payer: &Scope) -> Result<Option<String>, NoPage> {
        let found = match payer {
            Scope::Instance | Scope::Statements | Scope::Statement(_) => None,
            Scope::Person(id) => self.place(Resource::Users, id),
            Scope::Organization(id) => self.place(Resource::Organizations, id),
        };
        found.map(|_| None).ok_or(NoPage::NoOwner)
    }
}

/// Whether all that is said is which ids are wanted. That nobody gets anything for nothing goes without saying.
fn is_told_by_id(resource: Resource, conditions: &[Condition]) -> bool {
    match conditions {
        [Condition::Signed(name, included, excluded)] => {
            *name == own_id(resource) && !included.is_empty() && excluded.is_empty()
        }
        [Condition::Paid] => true,
        _ => false,
    }
}

fn own_id(resource: Resource) -> &'static str {
    match resource {
        Resource::Users => "user_id",
        _ => "organization_id",
    }
}

fn prefix(resource: Resource) -> &'static str {
    match resource {
        Resource::Users => "user_",
        Resource::Organizations => "org_",
        _ => "orgmem_",
    }
}

impl Crowd {
    fn write(&self, resource: Resource, place: u64, counts_members: bool, text: &mut String) {
        match resource {
            Resource::Users => self.write_user(place, text),
            Resource::Organizations => {
                self.write_organization(place, text);
                if counts_members {
                    // The template ends with the object's brace.
                    text.pop();
                    text.push_str(&format!(",\"members_count\":{}}}", self.members_count(place)));
                }
            }
            _ => self.write_membership(place, text),
        }
    }

    fn place(&self, resource: Resource, id: &str) -> Option<u64> {
        ids::place(prefix(resource), id).filter(|place| *place < self.size(resource))
    }

    /// Those of these ids that exist.
    fn named(&self, wanted: &Wanted, conditions: &[Condition]) -> (Vec<u64>, u64) {
        let [Condition::Signed(_, included, _)] = conditions else {
            return (Vec::new(), 0);
        };
        let mut places: Vec<u64> = included
            .iter()
            .filter_map(|id| self.place(wanted.resource, id))
            .collect();
        places.sort_unstable();
        places.dedup();
        turn_and_cut(places, wanted)
    }

    fn of_person(&self, wanted: &Wanted, id: &str) -> Result<(Vec<u64>, u64), NoPage> {
        let user = self.place(Resource::Users, id).ok_or(NoPage::NoOwner)?;
        let memberships = self.size(Resource::OrganizationMemberships);
        let step = usize::try_from(self.options.users).unwrap_or(usize::MAX);
        let places = (user..memberships).step_by(step).collect();
        Ok(turn_and_cut(places, wanted))
    }

    fn slice(&self, wanted: &Wanted) -> Result<(Vec<u64>, u64), NoPage> {
        let total = self.size(wanted.resource);
        let position = |place: u64| match wanted.order.descending {
            true => total - 1 - place,
            false => place,
        };
        let start = match &wanted.after {
            None => wanted.offset as u64,
            Some(id) => position(self.place(wanted.resource, id).ok_or(NoPage::NoCursor)?) + 1,
        };
        let end = start.saturating_add(wanted.limit as u64).min(total);
        Ok(((start..end).map(position).collect(), total))
    }

    /// Who changed comes before or after all the others.
    fn slice_by_update(&self, wanted: &Wanted) -> (Vec<u64>, u64) {
        let total = self.size(wanted.resource);
        let is_still = |place: &u64| wanted.resource != Resource::Users || self.drift.of(*place).is_none();
        let changed = self.drift.latest().filter(|_| wanted.resource == Resource::Users);
        let (skip, take) = (wanted.offset, wanted.limit);
        let places = if wanted.order.descending {
            let still = (0..total).rev().filter(is_still);
            changed.chain(still).skip(skip).take(take).collect()
        } else {
            let still = (0..total).filter(is_still);
            still.chain(changed.rev()).skip(skip).take(take).collect()
        };
        (places, total)
    }
}

fn turn_and_cut(mut places: Vec<u64>, wanted: &Wanted) -> (Vec<u64>, u64) {
    let total = places.len() as u64;
    if wanted.order.descending {
        places.reverse();
    }
    let cut = places.into_iter().skip(wanted.offset).take(wanted.limit);
    (cut.collect(), total)
}
