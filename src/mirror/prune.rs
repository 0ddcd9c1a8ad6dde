//! `prune_webhook_events`: forgets what is old.

use pgrx::prelude::*;
use serde_json::{Value, json};

use super::prepared::Prepared;
use crate::call::Call;
use crate::{c_function, json};

c_function!(clerk_prune_webhook_events, prune_webhook_events);

/// What has not been applied keeps its payload as long as it stays.
static PAYLOADS: Prepared = Prepared::new(
    "WITH pruned AS (
         UPDATE clerk.webhook_events AS e SET payload = NULL, erased_at = COALESCE(e.erased_at, clock_timestamp())
         WHERE e.received_at < clock_timestamp() - (SELECT s.payload_retention FROM clerk.settings AS s)
           AND e.payload IS NOT NULL AND e.state NOT IN ('failed', 'quarantined')
         RETURNING 1
     ) SELECT count(*) FROM pruned",
    &[],
);

static EVENTS: Prepared = Prepared::new(
    "WITH pruned AS (
         DELETE FROM clerk.webhook_events AS e
         WHERE e.received_at < clock_timestamp() - (SELECT s.event_retention FROM clerk.settings AS s)
           AND e.state <> 'failed'
           AND NOT EXISTS (SELECT FROM clerk.handler_runs AS r WHERE r.svix_id = e.svix_id)
         RETURNING 1
     ) SELECT count(*) FROM pruned",
    &[],
);

/// Calls that were given up that long ago, and would keep their events.
static RUNS: Prepared = Prepared::new(
    "WITH pruned AS (
         DELETE FROM clerk.handler_runs AS r
         WHERE r.quarantined_at < clock_timestamp() - (SELECT s.event_retention FROM clerk.settings AS s)
         RETURNING 1
     ) SELECT count(*) FROM pruned",
    &[],
);

static REJECTIONS: Prepared = Prepared::new(
    "WITH pruned AS (
         DELETE FROM clerk.webhook_rejections AS r
         WHERE r.minute < clock_timestamp() - (SELECT s.event_retention FROM clerk.settings AS s)
         RETURNING 1
     ) SELECT count(*) FROM pruned",
    &[],
);

/// `prune_webhook_events()`.
fn prune_webhook_events(_call: &Call) -> Option<pg_sys::Datum> {
    Some(json::to_datum(&json::to_jsonb(&prune_in(count).to_string())))
}

/// What is forgotten, in this order: a call that was given up keeps its event.
static KINDS: [(&str, &Prepared); 4] = [
    ("handler_runs", &RUNS),
    ("payloads", &PAYLOADS),
    ("events", &EVENTS),
    ("rejections", &REJECTIONS),
];

/// Forgets payloads, events and rejections that are older than they are to be kept. Each kind goes through `batch`, in a transaction
/// of its own if that makes one.
pub fn prune_in(batch: impl Fn(&Prepared) -> Option<i64>) -> Value {
    let counts = KINDS.map(|(kind, statement)| (kind.to_owned(), json!(batch(statement))));
    Value::Object(counts.into_iter().collect())
}

/// Runs one of the statements; how many rows went.
pub fn count(statement: &Prepared) -> Option<i64> {
    statement.query(&[], |row| row.get(1)).pop().flatten()
}
