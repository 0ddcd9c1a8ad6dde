//! Makes the calls that are due.

use std::time::Duration;

use clerk_core::mirror::fit_json;
use clerk_core::quote;
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::function::Function;
use super::role;
use crate::as_role::AsRole;
use crate::clock;
use crate::error::Fault;
use crate::mirror::prepared::{Prepared, Row};
use crate::mirror::setup;
use crate::pg::deadline::{Deadline, within};
use crate::pg::guc_nesting::GucNesting;
use crate::settings;
use crate::subtransaction::{SqlError, attempt};
use crate::workers::run_handlers::{self, Round};
use crate::workers::session::show_activity;

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Failed,
    Quarantined,
}

static IS_ANY_DUE: Prepared = Prepared::new(
    "SELECT EXISTS (
         SELECT FROM clerk.handler_runs AS r WHERE r.quarantined_at IS NULL AND r.next_attempt_at <= clock_timestamp()
     )",
    &[],
);

/// The part of `maintain`: has a worker make the calls that are due, and waits for it a while. The worker goes on by itself
/// after that. Calls of events that the running transaction stores are made after its end.
pub fn run_due() -> Value {
    if !is_any_due() {
        return Round::default().to_json();
    }
    match run_handlers::run_now() {
        Ok(Some(round)) => round.to_json(),
        Ok(None) => json!({ "running": true }),
        Err(fault) => fault.raise(),
    }
}

/// As [`run_due`], without waiting.
pub fn start_due() -> Value {
    if !is_any_due() {
        return Round::default().to_json();
    }
    match run_handlers::start_now() {
        Ok(()) => json!({ "running": true }),
        Err(fault) => fault.raise(),
    }
}

fn is_any_due() -> bool {
    IS_ANY_DUE.query(&[], |row| row.get::<bool>(1)) == [Some(true)]
}

struct Run {
    id: i64,
    handler_id: i64,
    attempts: i32,
    svix_id: Option<String>,
    /// If it is a repair.
    event: Option<String>,
}

/// A call that another session is making, reviving or dropping is left to it.
static DUE: Prepared = Prepared::new(
    "SELECT r.id, r.handler_id, r.attempts, r.svix_id, r.event::text FROM clerk.handler_runs AS r
     WHERE r.quarantined_at IS NULL AND r.next_attempt_at <= clock_timestamp()
     ORDER BY r.next_attempt_at, r.id LIMIT 1 FOR UPDATE SKIP LOCKED",
    &[],
);

fn due() -> Option<Run> {
    let read = |row: &Row| Run {
        id: row.required(1),
        handler_id: row.required(2),
        attempts: row.required(3),
        svix_id: row.get(4),
        event: row.get(5),
    };
    DUE.query(&[], read).pop()
}

/// Whether there is a call to make that nobody is making.
pub fn any_due() -> bool {
    due().is_some()
}

static HANDLER: Prepared = Prepared::new(
    "SELECT h.handler, h.registered_by FROM clerk.event_handlers AS h WHERE h.id = $1",
    &[pg_sys::INT8OID],
);

static DONE: Prepared = Prepared::new(
    "DELETE FROM clerk.handler_runs AS r WHERE r.id = $1",
    &[pg_sys::INT8OID],
);

/// Makes the call that has been due longest, and notes what became of it. None if none is due.
pub fn run_next() -> Option<Outcome> {
    let run = due()?;
    let names = |row: &Row| {
        let text = |column| row.required::<String>(column);
        (text(1), text(2))
    };
    // An event may have been on its way while its handler was dropped; then there is nothing to call.
    let handler = HANDLER.query(&[run.handler_id.into_datum()], names).pop();
    let result = handler.map_or(Ok(()), |(function, registered_by)| {
        attempt(|| call(&run, &function, &registered_by)).map_err(|error| (function, error))
    });
    show_activity(None);
    Some(match result {
        Ok(()) => {
            DONE.run(&[run.id.into_datum()]);
            Outcome::Succeeded
        }
        Err((function, error)) => set_failed(&run, &function, &error),
    })
}

/// Calls the function as the role that registered it.
fn call(run: &Run, function: &str, registered_by: &str) {
    let (event, members) = event(run);
    let role = role::registrant(registered_by).unwrap_or_else(|fault| fault.raise());
    let _settings = settings_of_handlers();
    let _role = AsRole::enter(role);
    let function = Function::named(function).unwrap_or_else(|fault| fault.raise());
    let event_name = run.svix_id.as_deref().unwrap_or("of a repair");
    show_activity(Some(&format!("{}(jsonb), event {event_name}", function.name())));
    let limit = settings::handler_timeout();
    within(
        Some(Deadline::after(limit)),
        || function.call(&event, &members),
        || too_long(limit).raise(),
    );
}

fn too_long(limit: Duration) -> Fault {
    Fault::new(
        PgSqlErrorCode::ERRCODE_OPERATOR_INTERVENTION,
        format!(
            "the handler took longer than clerk.handler_timeout allows, {} ms",
            limit.as_millis()
        ),
        "Let it do less, or leave work to a job of your own.",
    )
}

/// Settings that hold while a handler runs; what it sets itself ends with them.
fn settings_of_handlers() -> GucNesting {
    let settings = GucNesting::begin();
    settings.set(c"search_path", c"pg_catalog, pg_temp");
    // The worker itself waits for locks only shortly; a handler may use its time as it likes.
    settings.set(c"lock_timeout", c"0");
    settings
}

static STORED: Prepared = Prepared::new(
    "SELECT e.payload, e.event_type, e.event_at, e.instance_id, e.subject_id FROM clerk.webhook_events AS e WHERE e.svix_id = $1",
    &[pg_sys::TEXTOID],
);

/// The event of a call, and what is added to it.
fn event(run: &Run) -> (String, String) {
    let Some(svix_id) = &run.svix_id else {
        return (run.event.clone().unwrap_or_default(), "{}".to_owned());
    };
    let stored = STORED.query(&[svix_id.as_str().into_datum()], |row| {
        row.get::<String>(1).unwrap_or_else(|| what_is_left(row))
    });
    let Some(event) = stored.into_iter().next() else {
        Fault::missing(
            format!("event {} is not in the ledger any more", quote(svix_id)),
            "Somebody deleted it from clerk.webhook_events; delete its rows of clerk.handler_runs too.",
        )
        .raise()
    };
    let event = fit_json(&event).map_or_else(|_| "{}".to_owned(), |event| event.into_owned());
    (event, json!({ "svix_id": svix_id }).to_string())
}

/// The event when its payload is not kept any more, because it was about somebody who was deleted, or is old.
fn what_is_left(row: &Row) -> String {
    let event_at = row.get::<TimestampWithTimeZone>(3);
    let event = json!({
        "object": "event",
        "type": row.get::<String>(2),
        "timestamp": event_at.map(|time| clock::unix_micros(time.into()) / 1_000),
        "instance_id": row.get::<String>(4),
        "data": { "id": row.get::<String>(5) },
    });
    event.to_string()
}

/// As in the ledger: five seconds, doubled with every attempt up to an hour, ±20 %.
static FAILED: Prepared = Prepared::new(
    "UPDATE clerk.handler_runs AS r
     SET attempts = $2, last_error = $3, quarantined_at = CASE WHEN $2 >= $4 THEN clock_timestamp() END,
         next_attempt_at =
             clock_timestamp() + LEAST(5 * 2.0 ^ LEAST($2 - 1, 20), 3600) * (0.8 + 0.4 * random()) * interval '1 second'
     WHERE r.id = $1",
    &[pg_sys::INT8OID, pg_sys::INT4OID, pg_sys::TEXTOID, pg_sys::INT4OID],
);

/// Notes that the call failed. It is made again later, or given up.
fn set_failed(run: &Run, function: &str, error: &SqlError) -> Outcome {
    let max_attempts = setup::current().max_attempts;
    let attempts = run.attempts.saturating_add(1);
    FAILED.run(&[
        run.id.into_datum(),
        attempts.into_datum(),
        error.to_string().into_datum(),
        max_attempts.into_datum(),
    ]);
    if attempts < max_attempts {
        return Outcome::Failed;
    }
    let (event, mend) = match &run.svix_id {
        Some(svix_id) => (quote(svix_id), "run SELECT clerk.replay_event(svix_id)"),
        None => (
            "of a repair".to_owned(),
            "set quarantined_at to NULL in clerk.handler_runs",
        ),
    };
    Fault::new(
        PgSqlErrorCode::ERRCODE_WARNING,
        format!(
            "call {} of handler {} ({function}) with event {event} is quarantined after {attempts} attempts: {error}",
            run.id, run.handler_id
        ),
        format!("Mend the cause, then {mend}."),
    )
    .warn();
    Outcome::Quarantined
}
