//! The ledger, `clerk.webhook_events`: what came and what became of it.

use std::time::Duration;

use clerk_core::mirror::Ignored;
use pgrx::prelude::*;

use super::prepared::Prepared;
use super::statement::ParameterType;
use super::values::array;
use crate::clock;
use crate::workers::wake::wake_at_commit;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Applied,
    Stale,
    Ignored(Ignored),
    Failed,
    Quarantined,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Stale => "stale",
            Self::Ignored(_) => "ignored",
            Self::Failed => "failed",
            Self::Quarantined => "quarantined",
        }
    }

    /// Why it was ignored.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Ignored(reason) => Some(reason.as_str()),
            _ => None,
        }
    }
}

/// A row to be.
#[derive(Debug, Clone)]
pub struct Entry {
    pub svix_id: String,
    pub event_type: String,
    pub subject_id: Option<String>,
    pub user_id: Option<String>,
    /// Hash of an address in the payload that may be anybody's.
    pub address_hash: Option<i64>,
    /// Of what that address is in; microseconds since 1970.
    pub subject_created_at: Option<i64>,
    pub instance_id: Option<String>,
    /// Microseconds since 1970.
    pub event_at: i64,
    pub state: State,
    pub payload: String,
}

static INSERT: Prepared = Prepared::new(
    "INSERT INTO clerk.webhook_events (svix_id, event_type, subject_id, user_id, instance_id, event_at, state, reason, payload,
                                       address_hash, subject_created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     ON CONFLICT (svix_id) DO NOTHING
     RETURNING svix_id",
    &[
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::INT8OID,
        pg_sys::TIMESTAMPTZOID,
    ],
);

/// Sorted, so that batches with the same events wait for each other in one order only.
static INSERT_MANY: Prepared = Prepared::new(
    "INSERT INTO clerk.webhook_events (svix_id, event_type, subject_id, user_id, instance_id, event_at, state, reason, payload,
                                       address_hash, subject_created_at)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
                          $9::text[], $10::bigint[], $11::timestamptz[]) AS n (svix_id)
     ORDER BY n.svix_id COLLATE \"C\"
     ON CONFLICT (svix_id) DO NOTHING
     RETURNING svix_id",
    &[
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TIMESTAMPTZARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::TEXTARRAYOID,
        pg_sys::INT8ARRAYOID,
        pg_sys::TIMESTAMPTZARRAYOID,
    ],
);

fn arguments(entry: &Entry) -> [Option<pg_sys::Datum>; 11] {
    let time = |micros| pg_sys::Datum::from(clock::timestamp_tz(micros));
    [
        entry.svix_id.as_str().into_datum(),
        entry.event_type.as_str().into_datum(),
        entry.subject_id.as_deref().into_datum(),
        entry.user_id.as_deref().into_datum(),
        entry.instance_id.as_deref().into_datum(),
        Some(time(entry.event_at)),
        entry.state.as_str().into_datum(),
        entry.state.reason().into_datum(),
        entry.payload.as_str().into_datum(),
        entry.address_hash.into_datum(),
        entry.subject_created_at.map(time),
    ]
}

/// Stores the event. False if its id is there already; waits for another transaction that is storing it.
pub fn insert(entry: &Entry) -> bool {
    !INSERT.query(&arguments(entry), |_| ()).is_empty()
}

/// Stores events; gives the ids of those that were not there.
pub fn insert_many(entries: &[Entry]) -> Vec<String> {
    let rows: Vec<_> = entries.iter().map(arguments).collect();
    let columns: Vec<Option<pg_sys::Datum>> = (0..11)
        .map(|column| {
            let values: Vec<_> = rows.iter().map(|row| row[column]).collect();
            let element = match column {
                5 | 10 => ParameterType::Time,
                9 => ParameterType::Integer,
                _ => ParameterType::Text,
            };
            Some(array(&values, element))
        })
        .collect();
    INSERT_MANY.query(&columns, |row| row.required::<String>(1))
}

/// An event whose id came again.
#[derive(Debug)]
pub struct Known {
    pub state: String,
    pub event_type: String,
    pub subject_id: Option<String>,
}

static SELECT: Prepared = Prepared::new(
    "SELECT e.state, e.event_type, e.subject_id FROM clerk.webhook_events AS e WHERE e.svix_id = $1",
    &[pg_sys::TEXTOID],
);

/// The event with that id.
pub fn find(svix_id: &str) -> Option<Known> {
    let read = |row: &super::prepared::Row| Known {
        state: row.required(1),
        event_type: row.required(2),
        subject_id: row.get(3),
    };
    SELECT.query(&[svix_id.into_datum()], read).pop()
}

static SET_STATE: Prepared = Prepared::new(
    "UPDATE clerk.webhook_events AS e SET state = $2, reason = $3 WHERE e.svix_id = $1",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
);

/// Corrects the state that the event was stored with.
pub fn set_state(svix_id: &str, state: State) {
    SET_STATE.run(&[
        svix_id.into_datum(),
        state.as_str().into_datum(),
        state.reason().into_datum(),
    ]);
}

/// Five seconds, doubled with every attempt up to an hour, ±20 % so that what failed together is not retried together.
static SET_FAILED: Prepared = Prepared::new(
    "UPDATE clerk.webhook_events AS e
     SET state = CASE WHEN $2 >= $4 THEN 'quarantined' ELSE 'failed' END, attempts = $2, last_error = $3,
         next_attempt_at = CASE WHEN $2 < $4 THEN
             clock_timestamp() + LEAST(5 * 2.0 ^ LEAST($2 - 1, 20), 3600) * (0.8 + 0.4 * random()) * interval '1 second' END
     WHERE e.svix_id = $1
     RETURNING e.state = 'quarantined'",
    &[pg_sys::TEXTOID, pg_sys::INT4OID, pg_sys::TEXTOID, pg_sys::INT4OID],
);

/// When a first failure is due for certain. Later ones are found by rounds of maintenance, which know when the next is due.
const FIRST_RETRY: Duration = Duration::from_secs(6);

/// Notes that applying the event failed for the `attempts`th time. It is tried again later, or given up.
pub fn set_failed(svix_id: &str, attempts: i32, error: &str, max_attempts: i32) -> State {
    let arguments = [
        svix_id.into_datum(),
        attempts.into_datum(),
        error.into_datum(),
        max_attempts.into_datum(),
    ];
    let is_quarantined = SET_FAILED.query(&arguments, |row| row.get::<bool>(1).unwrap_or(false));
    if is_quarantined == [true] {
        crate::error::Fault::new(
            pgrx::PgSqlErrorCode::ERRCODE_WARNING,
            format!(
                "webhook event {} is quarantined after {attempts} attempts: {error}",
                clerk_core::quote(svix_id)
            ),
            "Mend the cause, then run SELECT clerk.replay_event(svix_id).",
        )
        .warn();
        return State::Quarantined;
    }
    if attempts == 1 {
        wake_at_commit(FIRST_RETRY);
    }
    State::Failed
}
