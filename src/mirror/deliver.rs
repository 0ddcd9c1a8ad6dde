//! Stores one event and applies it, so that nothing that was stored is lost and nothing stored twice.

use std::cell::Cell;

use clerk_core::mirror::{Event, Ignored, Observation};

use super::answer::Answer;
use super::ledger::{self, Entry, State};
use super::lock_budget::{LockBudget, WAIT};
use super::setup::{Setup, Source};
use super::time_limit::TimeLimit;
use super::write::{Written, write};
use super::{addresses, handlers, notify};
use crate::clock;
use crate::subtransaction::{SqlError, attempt};

/// An event read: its row of the ledger, and what it says.
pub struct Reading {
    pub entry: Entry,
    pub observations: Vec<Observation>,
    /// The event's own row is the first observation, if there is one.
    own: Option<Own>,
}

/// What the event says of its own row, to tell afterwards whether that was news.
struct Own {
    key: (clerk_core::mirror::Resource, String),
    version: (i64, i64),
    deleted_at: Option<i64>,
}

impl Reading {
    /// Reads a body. `fallback_at`, in microseconds since 1970, is when it happened if it does not say.
    pub fn of(body: &str, svix_id: String, fallback_at: i64, source: &Source) -> Self {
        let event = match Event::parse(body, fallback_at) {
            Ok(event) => event,
            Err(ignored) => return Self::unreadable(body, svix_id, fallback_at, ignored),
        };
        let ignored = event.ignored(&source.policy, &source.own_ids(), clock::now_micros());
        let mut observations = match ignored {
            None => event.observations(&source.policy),
            Some(_) => Vec::new(),
        };
        for observation in &mut observations {
            if observation.instance_id.is_none() {
                observation.instance_id = source.instance_id.clone();
            }
        }
        let addressee = event.addressee(&source.policy);
        Self {
            own: observations.first().map(own),
            observations,
            entry: Entry {
                svix_id,
                subject_id: event.subject_id.clone(),
                user_id: event.user_id(),
                address_hash: addressee
                    .as_ref()
                    .map(|addressee| addresses::hash(&addressee.address)),
                subject_created_at: addressee.and_then(|addressee| addressee.created_at),
                instance_id: event.instance_id.clone(),
                event_at: event.event_at,
                state: ignored.map_or(State::Applied, State::Ignored),
                payload: event.payload(&source.policy),
                event_type: event.event_type,
            },
        }
    }

    fn unreadable(body: &str, svix_id: String, event_at: i64, ignored: Ignored) -> Self {
        Self {
            own: None,
            observations: Vec::new(),
            entry: Entry {
                svix_id,
                event_type: String::new(),
                subject_id: None,
                user_id: None,
                address_hash: None,
                subject_created_at: None,
                instance_id: None,
                event_at,
                state: State::Ignored(ignored),
                payload: body.to_owned(),
            },
        }
    }

    /// Whether the event was news, judged by its row after the write.
    pub fn outcome(&self, written: &Written) -> State {
        if let State::Ignored(_) = self.entry.state {
            return self.entry.state;
        }
        let Some(own) = &self.own else {
            return State::Applied;
        };
        let Some(row) = written.get(&own.key) else {
            // The statement leaves rows of another instance alone.
            return State::Ignored(Ignored::ForeignInstance);
        };
        let is_news = match own.deleted_at {
            Some(_) => row.deleted_at == own.deleted_at,
            None => (row.updated_at, row.observed_at) == own.version,
        };
        if is_news { State::Applied } else { State::Stale }
    }
}

fn own(observation: &Observation) -> Own {
    let live = observation.live.as_ref();
    Own {
        key: (observation.resource, observation.id.clone()),
        version: live.map_or((i64::MIN, i64::MIN), |live| (live.updated_at, live.observed_at)),
        deleted_at: observation.deleted_at,
    }
}

/// Stores the event and applies it. It is stored whatever becomes of applying it, also if that takes longer than the statement may,
/// unless another transaction is storing the same one and does not end in time.
pub fn deliver(mut reading: Reading, setup: &Setup) -> Answer {
    let locks = LockBudget::start(WAIT);
    let is_stored = Cell::new(false);
    let observations = std::mem::take(&mut reading.observations);
    let both = TimeLimit::of_statement().attempt(|| {
        if !store(&reading.entry, setup) {
            return None;
        }
        is_stored.set(true);
        let written = write(observations, setup.deleted_users, &locks);
        let state = reading.outcome(&written);
        if state != reading.entry.state {
            ledger::set_state(&reading.entry.svix_id, state);
        }
        Some(state)
    });
    match both {
        Ok(Some(state)) => Answer::stored(&reading.entry, state),
        Ok(None) => Answer::duplicate(&reading.entry.svix_id),
        // Applying it failed, and that undid storing it: so store it alone.
        Err(error) if is_stored.get() => store_failed(&reading.entry, &error, setup, &locks),
        Err(error) => Answer::busy(&reading.entry.svix_id, &error),
    }
}

/// False if it is there already.
fn store(entry: &Entry, setup: &Setup) -> bool {
    let is_new = ledger::insert(entry);
    if is_new {
        handlers::queue(entry, setup);
        notify::tell(entry, setup);
    }
    is_new
}

fn store_failed(entry: &Entry, error: &SqlError, setup: &Setup, locks: &LockBudget) -> Answer {
    let stored = attempt(|| {
        locks.apply();
        store(entry, setup)
            .then(|| ledger::set_failed(&entry.svix_id, 1, &error.to_string(), setup.max_attempts))
    });
    match stored {
        Ok(Some(state)) => Answer::failed(entry, state, error),
        Ok(None) => Answer::duplicate(&entry.svix_id),
        Err(error) => Answer::busy(&entry.svix_id, &error),
    }
}
