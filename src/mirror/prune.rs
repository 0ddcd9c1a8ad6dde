//! `prune_webhook_events`: forgets what is old.

use pgrx::prelude::*;

use super::prepared::Prepared;
use crate::call::Call;
use crate::{c_function, json};

c_function!(clerk_prune_webhook_events, prune_webhook_events);

/// What has not been applied keeps its payload as long as it stays.
static PAYLOADS: Prepared = Prepared::new(
    "WITH pruned AS (
         UPDATE clerk.webhook_events AS e SET payload = NULL, erased_at = COALESCE(e.erased_at, clock_timestamp())
         WHERE e.received_at < clock_timestamp() - COALESCE((SELECT s.payload_retention FROM clerk.settings AS s), interval '30 days')
           AND e.payload IS NOT NULL AND e.state NOT IN ('failed', 'quarantined')
         RETURNING 1
     ) SELECT count(*) FROM pruned",
    &[],
);

static EVENTS: Prepared = Prepared::new(
    "WITH pruned AS (
         DELETE FROM clerk.webhook_events AS e
         WHERE e.received_at < clock_timestamp() - COALESCE((SELECT s.event_retention FROM clerk.settings AS s), interval '90 days')
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
         WHERE r.quarantined_at < clock_timestamp() - COALESCE((SELECT s.event_retention FROM clerk.settings AS s), interval '90 days')
         RETURNING 1
     ) SELECT count(*) FROM pruned",
    &[],
);

static REJECTIONS: Prepared = Prepared::new(
    "WITH pruned AS (
         DELETE FROM clerk.webhook_rejections AS r
         WHERE r.minute < clock_timestamp() - COALESCE((SELECT s.event_retention FROM clerk.settings AS s), interval '90 days')
         RETURNING 1
     ) SELECT count(*) FROM pruned",
    &[],
);

/// `prune_webhook_events()`.
fn prune_webhook_events(_call: &Call) -> Option<pg_sys::Datum> {
    Some(json::to_datum(&json::to_jsonb(&prune().to_string())))
}

/// Forgets payloads, events and rejections that are older than they are to be kept.
pub fn prune() -> serde_json::Value {
    let count = |statement: &Prepared| statement.query(&[], |row| row.get::<i64>(1)).pop().flatten();
    serde_json::json!({
        "handler_runs": count(&RUNS),
        "payloads": count(&PAYLOADS),
        "events": count(&EVENTS),
        "rejections": count(&REJECTIONS),
    })
}
