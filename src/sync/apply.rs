//! Joins what Clerk listed into the mirror, the way webhooks go.

use clerk_core::mirror::{ObjectError, Observation, Resource, observe_object, split_objects};
use clerk_core::quote;
use serde_json::{Value, json};

use crate::clock;
use crate::mirror::handlers::Repairs;
use crate::mirror::lock_budget::{LockBudget, WAIT};
use crate::mirror::setup::{Setup, Source};
use crate::mirror::write::{Changes, write_counting};
use crate::subtransaction::attempt;

/// How many of a page's errors are kept.
const MOST_ERRORS: usize = 5;

/// Whether an error of one object costs its page, or the object alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// The error is raised.
    Together,
    /// What cannot be applied is left out and counted.
    Apart,
}

/// What came of objects that were applied, and rows that were found gone.
#[derive(Debug, Default)]
pub struct Tally {
    pub pages: i64,
    pub changes: Changes,
    pub missing: i64,
    pub failed: i64,
    errors: Vec<(String, String)>,
}

impl Tally {
    /// Of one answer.
    pub fn of_page() -> Self {
        Self {
            pages: 1,
            ..Self::default()
        }
    }

    fn fail(&mut self, id: &str, error: String) {
        self.failed += 1;
        if self.errors.len() < MOST_ERRORS {
            self.errors.push((id.to_owned(), error));
        }
    }

    /// Takes over what failed elsewhere.
    pub fn absorb_failures(&mut self, other: Self) {
        self.failed += other.failed;
        self.errors.extend(other.errors);
        self.errors.truncate(MOST_ERRORS);
    }

    pub fn errors_json(&self) -> String {
        let errors = self.errors.iter();
        let list: Vec<_> = errors
            .map(|(id, error)| json!({ "id": id, "error": error }))
            .collect();
        json!(list).to_string()
    }
}

/// Where objects come from.
pub struct Origin<'s> {
    pub setup: &'s Setup,
    pub source: &'s Source,
    /// Clerk's time of the answer.
    pub observed_at: i64,
}

/// Applies a JSON array of objects of one resource.
pub fn apply_objects(resource: Resource, objects: &str, origin: &Origin, manner: Manner, tally: &mut Tally) {
    let list = match split_objects(objects) {
        Ok(list) => list,
        Err(error) => return tally.fail("", format!("the answer is no list of objects: {error:?}")),
    };
    let (source, now) = (origin.source, clock::now_micros());
    let mut said: Vec<Vec<Observation>> = Vec::with_capacity(list.len());
    for object in list {
        let instance_id = source.instance_id.as_deref();
        match observe_object(
            resource,
            object,
            origin.observed_at,
            instance_id,
            &source.policy,
            now,
        ) {
            Ok(observations) => said.push(observations),
            Err(ObjectError::NoId) => tally.fail("", "an object without an id".to_owned()),
            Err(ObjectError::FromTheFuture(time)) => tally.fail(
                &id_of(object),
                format!(
                    "{} is {}, more than a day ahead of the database's clock",
                    time.member,
                    quote(&time.value)
                ),
            ),
        }
    }
    let locks = LockBudget::start(WAIT);
    apply(resource, said, origin.setup, &locks, manner, tally);
}

/// Empty if there is none.
fn id_of(object: &str) -> String {
    let object: Value = serde_json::from_str(object).unwrap_or_default();
    object["id"].as_str().unwrap_or_default().to_owned()
}

/// Applies what was said object by object.
pub fn apply(
    resource: Resource,
    said: Vec<Vec<Observation>>,
    setup: &Setup,
    locks: &LockBudget,
    manner: Manner,
    tally: &mut Tally,
) {
    if manner == Manner::Together {
        tally.changes += write(resource, said.into_iter().flatten().collect(), setup, locks);
        return;
    }
    let together: Vec<Observation> = said.iter().flatten().cloned().collect();
    match attempt(|| {
        locks.apply();
        write(resource, together, setup, locks)
    }) {
        Ok(changes) => tally.changes += changes,
        Err(error) if said.len() <= 1 => {
            let id = said
                .first()
                .and_then(|said| said.first())
                .map_or("", |own| own.id.as_str());
            tally.fail(id, error.to_string());
        }
        Err(_) => {
            let mut one = said;
            let other = one.split_off(one.len() / 2);
            apply(resource, one, setup, locks, manner, tally);
            apply(resource, other, setup, locks, manner, tally);
        }
    }
}

fn write(resource: Resource, observations: Vec<Observation>, setup: &Setup, locks: &LockBudget) -> Changes {
    let repairs = Repairs::watch(&observations, setup);
    let changes = write_counting(observations, resource, setup.deleted_users, locks);
    repairs.queue();
    changes
}
