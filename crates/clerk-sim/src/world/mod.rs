//! A population that lives at an imaginary Clerk, the webhooks its life gives rise to, and the truth about it.
//!
//! Everything follows from the seed: neither the wall clock nor any other chance has a part in it.
//!
//! ```
//! use clerk_sim::{Resource, World, WorldOptions};
//!
//! let mut world = World::new(WorldOptions { seed: 7, ..WorldOptions::default() });
//! let events = world.run(20);
//! assert_eq!(events[0].event_type, "user.created");
//!
//! let truth = world.truth();
//! assert!(truth.of(Resource::Users).values().any(|user| user.exists));
//! ```
//!
//! What holds in every world, so that the truth can be compared with what followed the stream:
//!
//! - An object changes only in a step that also sends an event of it, or (`embedded_only`) one that embeds it whole.
//! - `updated_at` and event times never go back. Deletion events carry no earlier time than the last change.
//! - An event and the API show the same object with the same `updated_at`, each with the members that the tables in
//!   `crates/clerk-core/members` list for it.
//! - With a deleted person or organization its memberships, sessions, pending invitations and domains end, told
//!   or silently; subscriptions and what was paid stay.

mod api_billing;
mod billing;
mod clock;
mod dice;
mod event;
mod invitations;
mod listing;
mod matching;
mod members;
mod memberships;
mod messages;
mod options;
mod organization_domains;
mod organization_invitations;
mod organizations;
mod payments;
mod pen;
mod people;
mod person;
mod ranks;
mod records;
mod resource;
mod roles;
mod sessions;
mod settle;
mod show;
mod step;
mod strangers;
mod truth;
mod waitlist;
mod words;

pub use event::Event;
pub use options::{Activity, Adversity, WorldOptions};
pub use resource::Resource;
pub use show::ApiPage;
pub use truth::{Fact, Truth};

pub(crate) use dice::{Dice, LETTERS};
pub(crate) use listing::{Condition, NoPage, Order, OrderBy, Page, Scope, Wanted};
pub(crate) use pen::Pen;
pub(crate) use person::public_user_data;

use serde_json::Value;

use clock::Clock;
use records::{Place, Record, Table};

/// A living population.
#[derive(Clone, Debug)]
pub struct World {
    options: WorldOptions,
    dice: Dice,
    clock: Clock,
    /// By [`Resource`].
    tables: [Table; Resource::ALL.len()],
    /// The events of the step that is under way.
    outbox: Vec<Event>,
}

impl World {
    /// A world in which nobody has signed up yet.
    pub fn new(options: WorldOptions) -> Self {
        Self {
            dice: Dice::new(options.seed),
            clock: Clock::new(options.start_ms),
            tables: Default::default(),
            outbox: Vec::new(),
            options,
        }
    }

    /// The options it was made with.
    pub fn options(&self) -> &WorldOptions {
        &self.options
    }

    /// The world's time. No event so far is later.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Lets time go by in which nothing happens.
    pub fn pass(&mut self, ms: i64) {
        self.clock.thaw();
        self.clock.wait(ms.max(0));
    }

    /// Lets the world's time be this at least.
    pub(crate) fn catch_up(&mut self, now_ms: i64) {
        if now_ms > self.now_ms() {
            self.pass(now_ms - self.now_ms());
        }
    }

    /// Lets one thing happen; gives its events, at least one, in the order in which they happened.
    pub fn step(&mut self) -> Vec<Event> {
        while self.outbox.is_empty() {
            self.act();
        }
        std::mem::take(&mut self.outbox)
    }

    /// Steps until there are at least this many events: whole steps, so a few more may come.
    pub fn run(&mut self, events: usize) -> Vec<Event> {
        let mut history = Vec::with_capacity(events + 4);
        while history.len() < events {
            history.append(&mut self.step());
        }
        history
    }

    /// From now on every personal value of this person contains the marker, wherever it is shown; what there is
    /// already is written anew. Gives the event that tells so, none if there is no such person.
    ///
    /// Give a marker of letters and digits: it becomes a part of addresses.
    pub fn plant_marker(&mut self, user_id: &str, marker: &str) -> Vec<Event> {
        let Some(index) = self.table(Resource::Users).index_of(user_id) else {
            return Vec::new();
        };
        let person = Place {
            resource: Resource::Users,
            index,
        };
        if !self.record(person).exists {
            return Vec::new();
        }
        self.clock.wait(1);
        self.record_mut(person).marker = Some(marker.to_owned());
        self.change(person, |user, pen| pen.rewrite(user));
        self.announce(person, "user.updated");
        std::mem::take(&mut self.outbox)
    }

    fn table(&self, resource: Resource) -> &Table {
        &self.tables[resource as usize]
    }

    fn record(&self, place: Place) -> &Record {
        &self.tables[place.resource as usize].records[place.index]
    }

    fn record_mut(&mut self, place: Place) -> &mut Record {
        &mut self.tables[place.resource as usize].records[place.index]
    }

    fn add(&mut self, resource: Resource, record: Record) -> Place {
        let owners = [record.person, record.organization];
        let index = self.tables[resource as usize].add(record);
        let place = Place { resource, index };
        for owner in owners.into_iter().flatten() {
            self.record_mut(owner).belongings.push(place);
        }
        place
    }

    fn end(&mut self, place: Place, deleted_at_ms: Option<i64>) {
        self.tables[place.resource as usize].end(place.index, deleted_at_ms);
    }

    fn close(&mut self, place: Place) {
        self.tables[place.resource as usize].close(place.index);
    }

    /// How many of a resource there are, without those that are over.
    fn living(&self, resource: Resource) -> usize {
        self.table(resource).living.len()
    }

    /// Anything of a resource that something may still happen to.
    fn any(&mut self, resource: Resource) -> Option<Place> {
        let living = &self.tables[resource as usize].living;
        if living.len() == 0 {
            return None;
        }
        let index = living.nth(self.dice.below(living.len()))?;
        Some(Place { resource, index })
    }

    /// Any of these.
    fn any_of(&mut self, places: &[Place]) -> Option<Place> {
        if places.is_empty() {
            return None;
        }
        Some(places[self.dice.below(places.len())])
    }

    /// What belongs to a person or an organization and exists, oldest first.
    fn belongings(&self, owner: Place, resource: Resource) -> Vec<Place> {
        let belongings = self.record(owner).belongings.iter().copied();
        belongings
            .filter(|place| place.resource == resource && self.record(*place).exists)
            .collect()
    }

    /// Everything that exists, oldest first.
    fn all(&self, resource: Resource) -> impl Iterator<Item = Place> {
        let existing = self.table(resource).existing.iter();
        existing.map(move |index| Place { resource, index })
    }

    /// A pen for things that are no person's.
    fn pen(&mut self) -> Pen<'_> {
        Pen::new(&mut self.dice, &self.options.adversity, self.clock.now_ms())
    }

    /// Changes an object now. Its `updated_at` moves, unless the adversity says otherwise.
    fn change(&mut self, place: Place, edit: impl FnOnce(&mut Value, &mut Pen<'_>)) {
        let still = self.dice.chance(self.options.adversity.still_updated_at);
        self.change_with(place, still, edit);
    }

    /// Changes an object now, with `updated_at` standing still or not.
    fn change_with(&mut self, place: Place, still: bool, edit: impl FnOnce(&mut Value, &mut Pen<'_>)) {
        let now_ms = self.clock.now_ms();
        let table = &mut self.tables[place.resource as usize];
        let record = &table.records[place.index];
        let mut object = record.object();
        let mut pen = Pen {
            dice: &mut self.dice,
            adversity: &self.options.adversity,
            marker: record.marker.as_deref(),
            now_ms,
        };
        edit(&mut object, &mut pen);
        if !still {
            object["updated_at"] = now_ms.into();
        }
        table.write(place.index, &object);
    }
}
