//! `clerk.configure_mirror`: settings of the mirror and its ledger.

use clerk_core::quote;
use pgrx::prelude::*;

use super::sql;
use crate::error::Fault;
use crate::mirror::setup::DeletedUsers;

/// Clerk's sender tries for 28 hours, and people send failed deliveries again days later; a shorter memory would take those
/// for new ones.
const SHORTEST_EVENT_RETENTION_DAYS: i32 = 7;

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn configure_mirror(
    deleted_users: default!(Option<String>, "NULL"),
    payload_retention: default!(Option<Interval>, "NULL"),
    event_retention: default!(Option<Interval>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    notify: default!(Option<bool>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(deleted_users, String),
        name!(payload_retention, Interval),
        name!(event_retention, Interval),
        name!(max_attempts, i32),
        name!(notify, bool),
    ),
> {
    let before = lock();
    let after = Settings {
        deleted_users: deleted_users.unwrap_or(before.deleted_users),
        payload_retention: payload_retention.unwrap_or(before.payload_retention),
        event_retention: event_retention.unwrap_or(before.event_retention),
        max_attempts: max_attempts.unwrap_or(before.max_attempts),
        notify: notify.unwrap_or(before.notify),
    };
    after.check().unwrap_or_else(|fault| fault.raise());
    after.save();
    TableIterator::once((
        after.deleted_users,
        after.payload_retention,
        after.event_retention,
        after.max_attempts,
        after.notify,
    ))
}

/// The mirror's part of `clerk.settings`.
struct Settings {
    deleted_users: String,
    payload_retention: Interval,
    event_retention: Interval,
    max_attempts: i32,
    notify: bool,
}

impl Settings {
    fn check(&self) -> Result<(), Fault> {
        if DeletedUsers::parse(&self.deleted_users).is_none() {
            return Err(Fault::argument(
                format!("deleted_users cannot be {}", quote(&self.deleted_users)),
                "Use 'keep' (everything stays), 'scrub' (ids and times stay) or 'remove' (no payload stays either).",
            ));
        }
        if self.payload_retention < Interval::from_days(0) {
            return Err(Fault::argument(
                "payload_retention is negative",
                "Use an interval such as '30 days'; with '0' payloads go as soon as clerk.maintain() runs.",
            ));
        }
        if self.event_retention < Interval::from_days(SHORTEST_EVENT_RETENTION_DAYS) {
            return Err(Fault::argument(
                format!("event_retention is shorter than {SHORTEST_EVENT_RETENTION_DAYS} days"),
                "Deliveries can come again for days, and are known by the ids that are kept: use an interval such as '90 days'.",
            ));
        }
        if self.payload_retention > self.event_retention {
            return Err(Fault::argument(
                "payload_retention is longer than event_retention",
                "Payloads go with their events at the latest: use a shorter payload_retention or a longer event_retention.",
            ));
        }
        if self.max_attempts < 1 {
            return Err(Fault::argument(
                format!("max_attempts cannot be {}", self.max_attempts),
                "Use 1 or more; with 1 nothing that failed is tried again by itself.",
            ));
        }
        Ok(())
    }

    fn save(&self) {
        let update = "UPDATE clerk.settings AS s
             SET deleted_users = $1, payload_retention = $2, event_retention = $3, max_attempts = $4, notify = $5
             WHERE s.only_row";
        sql::run(
            update,
            &[
                self.deleted_users.as_str().into(),
                self.payload_retention.into(),
                self.event_retention.into(),
                self.max_attempts.into(),
                self.notify.into(),
            ],
        );
    }
}

/// The settings, locked against other administrators. The table has the defaults, so the row is made if it is not there.
fn lock() -> Settings {
    sql::run("LOCK TABLE clerk.settings IN SHARE ROW EXCLUSIVE MODE", &[]);
    let insert = "INSERT INTO clerk.settings (only_row) VALUES (true) ON CONFLICT (only_row) DO NOTHING";
    sql::run(insert, &[]);
    let select = "SELECT s.deleted_users, s.payload_retention, s.event_retention, s.max_attempts, s.notify
         FROM clerk.settings AS s";
    let read = || {
        Spi::connect_mut(|client| {
            let row = client.update(select, Some(1), &[])?.first();
            let (deleted_users, payload_retention, event_retention) = row.get_three()?;
            Ok::<_, pgrx::spi::Error>(Settings {
                deleted_users: deleted_users.unwrap_or_default(),
                payload_retention: payload_retention.unwrap_or_else(|| Interval::from_days(0)),
                event_retention: event_retention.unwrap_or_else(|| Interval::from_days(0)),
                max_attempts: row.get(4)?.unwrap_or_default(),
                notify: row.get(5)?.unwrap_or_default(),
            })
        })
    };
    sql::query(read)
}
