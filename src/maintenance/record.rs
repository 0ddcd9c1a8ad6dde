//! `clerk.maintenance_rounds`: what the last rounds came to, so that it can be seen whether any happen.

use std::time::Duration;

use pgrx::prelude::*;
use serde_json::Value;

use super::round::Caller;
use crate::mirror::prepared::Prepared;

/// A round that is running.
pub struct Round(i64);

static BEGIN: Prepared = Prepared::new(
    "INSERT INTO clerk.maintenance_rounds (caller) VALUES ($1) RETURNING id",
    &[pg_sys::TEXTOID],
);

static END: Prepared = Prepared::new(
    "UPDATE clerk.maintenance_rounds AS r SET finished_at = clock_timestamp(), report = $2::jsonb, error = $3
     WHERE r.id = $1",
    &[pg_sys::INT8OID, pg_sys::TEXTOID, pg_sys::TEXTOID],
);

/// A thousand of them: most of a day at one a minute, in less than a megabyte.
static PRUNE: Prepared = Prepared::new(
    "DELETE FROM clerk.maintenance_rounds AS r WHERE r.id <= $1 - 1000",
    &[pg_sys::INT8OID],
);

impl Round {
    pub fn begin(caller: Caller) -> Self {
        let id = BEGIN.query(&[caller.as_str().into_datum()], |row| row.get(1));
        Self(id.into_iter().next().flatten().unwrap_or_default())
    }

    /// Notes what came of it, and forgets rounds long past.
    pub fn end(&self, report: &Value, errors: &[String]) {
        let error = (!errors.is_empty()).then(|| errors.join("; "));
        END.run(&[
            self.0.into_datum(),
            report.to_string().into_datum(),
            error.into_datum(),
        ]);
        PRUNE.run(&[self.0.into_datum()]);
    }
}

static NEXT_DUE: Prepared = Prepared::new(
    "SELECT EXTRACT(epoch FROM LEAST(
         (SELECT min(e.next_attempt_at) FROM clerk.webhook_events AS e WHERE e.state = 'failed'),
         (SELECT min(r.next_attempt_at) FROM clerk.handler_runs AS r WHERE r.quarantined_at IS NULL)
     ) - clock_timestamp())::double precision",
    &[],
);

/// In how long the next retry is due, if any is; zero if it is overdue.
pub fn next_due() -> Option<Duration> {
    let seconds = NEXT_DUE.query(&[], |row| row.get::<f64>(1)).pop().flatten()?;
    Some(Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0)))
}
