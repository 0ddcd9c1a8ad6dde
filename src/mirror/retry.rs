//! `retry_failed` and `replay_event`: stored events are applied again.

use std::time::{Duration, Instant};

use clerk_core::quote;
use pgrx::prelude::*;

use super::answer::Answer;
use super::deliver::Reading;
use super::ledger::{self, Entry, State};
use super::lock_budget::LockBudget;
use super::prepared::{Prepared, Row};
use super::setup::{self, Setup};
use super::time_limit::TimeLimit;
use super::write::write;
use crate::call::Call;
use crate::error::Fault;
use crate::subtransaction::SqlError;
use crate::{c_function, clock, json};

c_function!(clerk_retry_failed, retry_failed);
c_function!(clerk_replay_event, replay_event);

/// How long one event may wait for locks: others are due too.
const WAIT: Duration = Duration::from_millis(200);
/// A round ends after this, however many events are due; the rest stays due.
const ROUND: Duration = Duration::from_secs(20);

/// A stored event.
struct Stored {
    svix_id: String,
    event_at: i64,
    attempts: i32,
    instance_id: Option<String>,
    payload: Option<String>,
}

fn stored(row: &Row) -> Stored {
    Stored {
        svix_id: row.required(1),
        event_at: row
            .get::<TimestampWithTimeZone>(2)
            .map_or(0, |time| clock::unix_micros(time.into())),
        attempts: row.required(3),
        instance_id: row.get(4),
        payload: row.get(5),
    }
}

/// Rows that another session is retrying are left to it.
static DUE: Prepared = Prepared::new(
    "SELECT e.svix_id, e.event_at, e.attempts, e.instance_id, e.payload FROM clerk.webhook_events AS e
     WHERE e.state = 'failed' AND e.next_attempt_at <= clock_timestamp()
     ORDER BY e.next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED",
    &[pg_sys::INT4OID],
);

/// What a round of retries came to.
#[derive(Default)]
pub struct Retried {
    applied: usize,
    ignored: usize,
    failed: usize,
    quarantined: usize,
}

impl Retried {
    /// Events that were tried.
    pub fn count(&self) -> usize {
        self.applied + self.ignored + self.failed + self.quarantined
    }

    pub fn add(&mut self, more: &Self) {
        self.applied += more.applied;
        self.ignored += more.ignored;
        self.failed += more.failed;
        self.quarantined += more.quarantined;
    }

    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "applied": self.applied,
            "ignored": self.ignored,
            "failed": self.failed,
            "quarantined": self.quarantined,
        })
    }
}

/// `retry_failed(max_rows int)`, strict.
fn retry_failed(call: &Call) -> Option<pg_sys::Datum> {
    // SAFETY: the argument is declared as integer and is not NULL.
    let max_rows = unsafe { i32::from_datum(call.argument(0)?, false) }?;
    let retried = retry_due(max_rows.max(0), &setup::current());
    Some(json::to_datum(&json::to_jsonb(&retried.to_json().to_string())))
}

/// Tries failed events whose time has come, oldest first.
pub fn retry_due(max_rows: i32, setup: &Setup) -> Retried {
    let (started, limit) = (Instant::now(), TimeLimit::of_statement());
    let mut retried = Retried::default();
    for event in DUE.query(&[max_rows.into_datum()], stored) {
        if started.elapsed() > ROUND || limit.is_over() {
            break;
        }
        match again(&event, setup, &limit).1 {
            State::Applied | State::Stale => retried.applied += 1,
            State::Ignored(_) => retried.ignored += 1,
            State::Failed => retried.failed += 1,
            State::Quarantined => retried.quarantined += 1,
        }
    }
    retried
}

static DONE: Prepared = Prepared::new(
    "UPDATE clerk.webhook_events AS e
     SET state = $2, reason = $3, attempts = $4, last_error = NULL, next_attempt_at = NULL
     WHERE e.svix_id = $1",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::INT4OID],
);

/// Applies a stored event and notes the outcome.
fn again(event: &Stored, setup: &Setup, limit: &TimeLimit) -> (Entry, State, Option<SqlError>) {
    let source = setup.source_of_event(event.instance_id.as_deref());
    let payload = event.payload.as_deref().unwrap_or_default();
    let mut reading = Reading::of(payload, event.svix_id.clone(), event.event_at, source);
    let observations = std::mem::take(&mut reading.observations);
    let attempts = event.attempts.saturating_add(1);
    let outcome = limit.attempt(|| {
        let written = write(observations, setup.deleted_users, &LockBudget::start(WAIT));
        reading.outcome(&written)
    });
    match outcome {
        Ok(state) => {
            DONE.run(&[
                event.svix_id.as_str().into_datum(),
                state.as_str().into_datum(),
                state.reason().into_datum(),
                attempts.into_datum(),
            ]);
            (reading.entry, state, None)
        }
        Err(error) => {
            let state = ledger::set_failed(&event.svix_id, attempts, &error.to_string(), setup.max_attempts);
            (reading.entry, state, Some(error))
        }
    }
}

static CHOSEN: Prepared = Prepared::new(
    "SELECT e.svix_id, e.event_at, 0, e.instance_id, CASE WHEN e.erased_at IS NULL THEN e.payload END
     FROM clerk.webhook_events AS e WHERE e.svix_id = $1 FOR UPDATE",
    &[pg_sys::TEXTOID],
);

static REVIVE_RUNS: Prepared = Prepared::new(
    "UPDATE clerk.handler_runs AS r SET quarantined_at = NULL, attempts = 0, next_attempt_at = clock_timestamp()
     WHERE r.svix_id = $1 AND r.quarantined_at IS NOT NULL",
    &[pg_sys::TEXTOID],
);

/// `replay_event(svix_id text)`, strict: whatever its state, its attempts are counted anew.
fn replay_event(call: &Call) -> Option<pg_sys::Datum> {
    let svix_id = call.text(0)?;
    let event = CHOSEN.query(&[svix_id.as_str().into_datum()], stored).pop();
    let Some(event) = event else {
        Fault::missing(
            format!("no event with the svix id {} is in the ledger", quote(&svix_id)),
            "Look it up in clerk.webhook_events, or replay it from Clerk's dashboard.",
        )
        .raise()
    };
    if event.payload.is_none() {
        Fault::prerequisite(
            format!("the payload of event {} is not kept any more", quote(&svix_id)),
            "Replay it from Clerk's dashboard.",
        )
        .raise();
    }
    REVIVE_RUNS.run(&[svix_id.as_str().into_datum()]);
    let (entry, state, error) = again(&event, &setup::current(), &TimeLimit::of_statement());
    let answer = match error {
        None => Answer::stored(&entry, state),
        Some(error) => Answer::failed(&entry, state, &error),
    };
    Some(answer.into_datum())
}
