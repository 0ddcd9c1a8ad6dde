//! `apply_event`, `apply_events` and `apply_objects`: the same way as webhooks, without a signature.

use clerk_core::mirror::{
    DeletedUsers, ObjectError, ObjectsError, Observation, Resource, content_id, is_from_the_future,
    list_events, observe_objects,
};
use clerk_core::quote;
use pgrx::prelude::*;

use super::deliver::{Reading, deliver};
use super::ledger::{self, State};
use super::lock_budget::{LockBudget, WAIT};
use super::setup::{self, Setup};
use super::time_limit::TimeLimit;
use super::write::{Written, write};
use super::{addresses, handlers, notify};
use crate::call::Call;
use crate::error::Fault;
use crate::subtransaction::SqlError;
use crate::{c_function, clock, json};

c_function!(clerk_apply_event, apply_event);
c_function!(clerk_apply_events, apply_events);
c_function!(clerk_apply_objects, apply_objects);

/// `apply_event(event jsonb, svix_id text)`.
fn apply_event(call: &Call) -> Option<pg_sys::Datum> {
    let event = json::text_of(call.argument(0)?);
    let svix_id = call.text(1).unwrap_or_else(|| content_id(&event));
    check_svix_id(&svix_id);
    let setup = setup::current();
    let reading = read(&event, svix_id, &setup);
    Some(deliver(reading, &setup).into_datum())
}

fn check_svix_id(svix_id: &str) {
    if svix_id.is_empty() || svix_id.len() > 256 {
        Fault::argument(
            format!("the svix id {} cannot be used", quote(svix_id)),
            "Pass the value of the header svix-id, 1 to 256 bytes, or leave it out.",
        )
        .raise();
    }
}

fn read(event: &str, svix_id: String, setup: &Setup) -> Reading {
    let instance_id = clerk_core::mirror::instance_of(event);
    let source = setup.source_of_event(instance_id.as_deref());
    Reading::of(event, svix_id, clock::now_micros(), source)
}

/// How many events, or objects, came to what.
#[derive(Default)]
struct Counts {
    received: usize,
    applied: usize,
    stale: usize,
    ignored: usize,
    failed: usize,
    duplicate: usize,
}

impl Counts {
    fn count(&mut self, state: State) {
        match state {
            State::Applied => self.applied += 1,
            State::Stale => self.stale += 1,
            State::Ignored(_) => self.ignored += 1,
            State::Failed | State::Quarantined => self.failed += 1,
        }
    }

    fn into_datum(self) -> pg_sys::Datum {
        let text = serde_json::json!({
            "received": self.received,
            "applied": self.applied,
            "stale": self.stale,
            "ignored": self.ignored,
            "failed": self.failed,
            "duplicate": self.duplicate,
        });
        json::to_datum(&json::to_jsonb(&text.to_string()))
    }
}

/// `apply_events(events jsonb)`, strict.
fn apply_events(call: &Call) -> Option<pg_sys::Datum> {
    let events = json::text_of(call.argument(0)?);
    let listed = list_events(&events).unwrap_or_else(|| {
        Fault::argument(
            "the events are no JSON array of objects",
            "Pass an array of events, or of {\"svix_id\": …, \"event\": {…}}.",
        )
        .raise()
    });
    let setup = setup::current();
    let mut counts = Counts {
        received: listed.len(),
        ..Counts::default()
    };
    let mut readings: Vec<Reading> = Vec::with_capacity(listed.len());
    for (svix_id, event) in listed {
        let svix_id = svix_id.unwrap_or_else(|| content_id(event));
        check_svix_id(&svix_id);
        readings.push(read(event, svix_id, &setup));
    }
    let (locks, limit) = (LockBudget::start(WAIT), TimeLimit::of_statement());
    let mut new = store(readings, &setup);
    counts.duplicate = counts.received - new.len();
    for (reading, outcome) in apply(&mut new, &setup, &locks, &limit) {
        let state = match outcome {
            Ok(state) => state,
            Err(error) => {
                ledger::set_failed(&reading.entry.svix_id, 1, &error.to_string(), setup.max_attempts)
            }
        };
        if state != reading.entry.state && !matches!(state, State::Failed | State::Quarantined) {
            ledger::set_state(&reading.entry.svix_id, state);
        }
        counts.count(state);
    }
    Some(counts.into_datum())
}

/// Stores the events; gives those that were not there, each once.
fn store(readings: Vec<Reading>, setup: &Setup) -> Vec<Reading> {
    let entries: Vec<_> = readings.iter().map(|reading| reading.entry.clone()).collect();
    let mut stored: std::collections::HashSet<String> = ledger::insert_many(&entries).into_iter().collect();
    let new: Vec<Reading> = readings
        .into_iter()
        .filter(|reading| stored.remove(&reading.entry.svix_id))
        .collect();
    for reading in &new {
        handlers::queue(&reading.entry, setup);
        notify::tell(&reading.entry, setup);
    }
    new
}

/// Applies the events together. If that fails, each half on its own: one bad event does not hold up the others. What the time does
/// not suffice for has failed.
fn apply<'r>(
    readings: &'r mut [Reading],
    setup: &Setup,
    locks: &LockBudget,
    limit: &TimeLimit,
) -> Vec<(&'r Reading, Result<State, SqlError>)> {
    let observations: Vec<Observation> = readings
        .iter()
        .flat_map(|reading| reading.observations.iter().cloned())
        .collect();
    match write_in_time(observations, setup.deleted_users, locks, limit) {
        Ok(written) => readings
            .iter()
            .map(|reading| (reading, Ok(reading.outcome(&written))))
            .collect(),
        Err(error) if readings.len() == 1 || limit.is_over() => readings
            .iter()
            .map(|reading| (reading, Err(error.clone())))
            .collect(),
        Err(_) => {
            let (one, other) = readings.split_at_mut(readings.len() / 2);
            let mut outcomes = apply(one, setup, locks, limit);
            outcomes.extend(apply(other, setup, locks, limit));
            outcomes
        }
    }
}

/// All waits of a call count together: a row that somebody holds must not cost a second for every event about it.
fn write_in_time(
    observations: Vec<Observation>,
    deleted_users: DeletedUsers,
    locks: &LockBudget,
    limit: &TimeLimit,
) -> Result<Written, SqlError> {
    limit.attempt(|| {
        locks.apply();
        write(observations, deleted_users, locks)
    })
}

/// `apply_objects(resource text, objects jsonb, observed_at timestamptz, issuer text)`; nothing for NULL in the first three.
fn apply_objects(call: &Call) -> Option<pg_sys::Datum> {
    let (table, objects) = (call.text(0)?, json::text_of(call.argument(1)?));
    // SAFETY: the argument is declared as timestamptz, which is passed by value.
    let observed_at = unsafe { pg_sys::TimestampTz::from_datum(call.argument(2)?, false) }?;
    let resource = Resource::from_table(&table).unwrap_or_else(|| {
        let known: Vec<_> = Resource::ALL.iter().map(|resource| resource.table()).collect();
        Fault::argument(
            format!("there is no mirrored table {}", quote(&table)),
            format!("Use one of {}.", known.join(", ")),
        )
        .raise()
    });
    let setup = setup::current();
    let source = match call.text(3) {
        Some(issuer) => setup.source(&crate::operations::keys::named(&issuer).issuer),
        None => setup.source_of_event(None),
    };
    let (observed_at, now) = (finite(observed_at), clock::now_micros());
    let instance_id = source.instance_id.as_deref();
    let observations = observe_objects(resource, &objects, observed_at, instance_id, &source.policy, now)
        .unwrap_or_else(|error| objects_fault(error).raise());
    let own: Vec<_> = observations
        .iter()
        .filter(|observation| observation.resource == resource && observation.live.is_some())
        .map(|observation| {
            let version = observation
                .live
                .as_ref()
                .map(|live| (live.updated_at, live.observed_at));
            ((resource, observation.id.clone()), version)
        })
        .collect();
    let repairs = handlers::Repairs::watch(&observations, &setup);
    let listed = addresses::Listed::of(&observations);
    let written = write(observations, setup.deleted_users, &LockBudget::start(WAIT));
    listed.note_unshown(&written, setup.deleted_users);
    repairs.queue();
    let mut counts = Counts {
        received: own.len(),
        ..Counts::default()
    };
    for (key, version) in own {
        let is_news = written
            .get(&key)
            .is_some_and(|row| Some((row.updated_at, row.observed_at)) == version);
        counts.count(if is_news { State::Applied } else { State::Stale });
    }
    Some(counts.into_datum())
}

/// The time of the answer in microseconds since 1970, which must be one that the row can be compared with later.
fn finite(observed_at: pg_sys::TimestampTz) -> i64 {
    let micros = clock::unix_micros(observed_at);
    if matches!(observed_at, pg_sys::TimestampTz::MIN | pg_sys::TimestampTz::MAX) {
        Fault::argument("observed_at is infinite", OBSERVED_AT).raise();
    }
    if is_from_the_future(micros, clock::now_micros()) {
        Fault::argument(
            "observed_at lies more than a day ahead of the database's clock",
            OBSERVED_AT,
        )
        .raise();
    }
    micros
}

const OBSERVED_AT: &str = "Pass the time of the answer that listed the objects: its header Date.";

fn objects_fault(error: ObjectsError) -> Fault {
    let hint = "Pass the array that the Backend API answers, each object with its id.";
    match error {
        ObjectsError::NotJson(reason) => Fault::argument(format!("the objects are not JSON: {reason}"), hint),
        ObjectsError::NotAnArray => Fault::argument("the objects are no array", hint),
        ObjectsError::Element(index, ObjectError::NoId) => Fault::argument(
            format!("element {index} of the objects is no object with an id"),
            hint,
        ),
        ObjectsError::Element(index, ObjectError::FromTheFuture(time)) => Fault::argument(
            format!(
                "{} of element {index} of the objects is {}, more than a day ahead of the database's clock",
                time.member,
                quote(&time.value)
            ),
            "No later version could replace such a row. Pass the object as Clerk answers it, and check the server's clock.",
        ),
    }
}
