//! `clerk.configure_mirror`: settings of the mirror and its ledger.

use clerk_core::mirror::DeletedUsers;
use clerk_core::quote;
use pgrx::prelude::*;

use super::sql::{self, required};
use crate::catalog;
use crate::error::Fault;

/// Clerk's sender tries for 28 hours, and people send failed deliveries again days later; a shorter memory would take those
/// for new ones.
const SHORTEST_EVENT_RETENTION_DAYS: i32 = 7;

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // the SQL interface: all optional, called by name
#[allow(clippy::type_complexity)]
fn configure_mirror(
    deleted_users: default!(Option<String>, "NULL"),
    payload_retention: default!(Option<Interval>, "NULL"),
    event_retention: default!(Option<Interval>, "NULL"),
    max_attempts: default!(Option<i32>, "NULL"),
    notify: default!(Option<bool>, "NULL"),
    reconcile_every: default!(Option<Interval>, "NULL"),
    full_reconcile_every: default!(Option<Interval>, "NULL"),
    missing_threshold: default!(Option<f64>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(deleted_users, String),
        name!(payload_retention, Interval),
        name!(event_retention, Interval),
        name!(max_attempts, i32),
        name!(notify, bool),
        name!(reconcile_every, Interval),
        name!(full_reconcile_every, Interval),
        name!(missing_threshold, f64),
    ),
> {
    let before = lock();
    let after = Settings {
        deleted_users: deleted_users.unwrap_or(before.deleted_users),
        payload_retention: payload_retention.unwrap_or(before.payload_retention),
        event_retention: event_retention.unwrap_or(before.event_retention),
        max_attempts: max_attempts.unwrap_or(before.max_attempts),
        notify: notify.unwrap_or(before.notify),
        reconcile_every: reconcile_every.unwrap_or(before.reconcile_every),
        full_reconcile_every: full_reconcile_every.unwrap_or(before.full_reconcile_every),
        missing_threshold: missing_threshold.unwrap_or(before.missing_threshold),
    };
    after.check().unwrap_or_else(|fault| fault.raise());
    after.save();
    TableIterator::once((
        after.deleted_users,
        after.payload_retention,
        after.event_retention,
        after.max_attempts,
        after.notify,
        after.reconcile_every,
        after.full_reconcile_every,
        after.missing_threshold,
    ))
}

/// The mirror's part of `clerk.settings`.
struct Settings {
    deleted_users: String,
    payload_retention: Interval,
    event_retention: Interval,
    max_attempts: i32,
    notify: bool,
    reconcile_every: Interval,
    full_reconcile_every: Interval,
    missing_threshold: f64,
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
        for (name, every) in [
            ("reconcile_every", self.reconcile_every),
            ("full_reconcile_every", self.full_reconcile_every),
        ] {
            if every < Interval::from_days(0) {
                return Err(Fault::argument(
                    format!("{name} is negative"),
                    "Use an interval such as '1 hour', or '0' for never.",
                ));
            }
        }
        if !(0.0..=1.0).contains(&self.missing_threshold) {
            return Err(Fault::argument(
                format!("missing_threshold cannot be {}", self.missing_threshold),
                "Use a share from 0 to 1, such as 0.2 for a fifth of a table's rows.",
            ));
        }
        Ok(())
    }

    fn save(&self) {
        let update = "UPDATE clerk.settings AS s
             SET deleted_users = $1, payload_retention = $2, event_retention = $3, max_attempts = $4, notify = $5,
                 reconcile_every = $6, full_reconcile_every = $7, missing_threshold = $8
             WHERE s.only_row";
        sql::set(
            update,
            &[
                self.deleted_users.as_str().into(),
                self.payload_retention.into(),
                self.event_retention.into(),
                self.max_attempts.into(),
                self.notify.into(),
                self.reconcile_every.into(),
                self.full_reconcile_every.into(),
                self.missing_threshold.into(),
            ],
        );
    }
}

/// The settings, locked against other administrators.
fn lock() -> Settings {
    sql::run("LOCK TABLE clerk.settings IN SHARE ROW EXCLUSIVE MODE", &[]);
    let select = "SELECT s.deleted_users, s.payload_retention, s.event_retention, s.max_attempts, s.notify,
                s.reconcile_every, s.full_reconcile_every, s.missing_threshold
         FROM clerk.settings AS s";
    let read = || {
        Spi::connect_mut(|client| {
            let row = client.update(select, Some(1), &[])?.first();
            if row.is_empty() {
                catalog::settings_missing().raise();
            }
            Ok::<_, pgrx::spi::Error>(Settings {
                deleted_users: required(row.get(1)?, "deleted_users"),
                payload_retention: required(row.get(2)?, "payload_retention"),
                event_retention: required(row.get(3)?, "event_retention"),
                max_attempts: required(row.get(4)?, "max_attempts"),
                notify: required(row.get(5)?, "notify"),
                reconcile_every: required(row.get(6)?, "reconcile_every"),
                full_reconcile_every: required(row.get(7)?, "full_reconcile_every"),
                missing_threshold: required(row.get(8)?, "missing_threshold"),
            })
        })
    };
    sql::query(read)
}
