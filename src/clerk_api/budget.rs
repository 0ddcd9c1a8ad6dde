//! The requests that Clerk allows an instance, shared by all workers of the server.
//!
//! One small row per instance in `clerk.api_budgets` holds two times: that is a whole bucket of tokens. Workers reserve several
//! requests at a time, in a transaction of their own that does not wait for the disk, so the row is written a few times a second
//! at the very most, and only while something is read. Shared memory would need preloading on most majors, and would forget
//! across a restart that Clerk asked for a pause.

use std::time::Duration;

use clerk_core::backend_api::{Budget, Rate, Slots};
use pgrx::prelude::*;

use crate::clock;
use crate::operations::sql;

/// One worker's part.
pub struct Share {
    issuer: String,
    rate: Rate,
    slots: Slots,
    /// How many to reserve next: twice as many each time, because most workers have only a few questions.
    next: u32,
}

impl Share {
    pub fn new(issuer: &str, rate: Rate) -> Self {
        Self {
            issuer: issuer.to_owned(),
            rate,
            slots: Slots::default(),
            next: 1,
        }
    }

    /// When the next request may go out, in microseconds since 1970, if one is reserved still.
    pub fn take(&mut self) -> Option<i64> {
        self.slots.take(clock::now_micros())
    }

    /// Reserves some requests, in the running transaction.
    pub fn reserve(&mut self) {
        let (rate, wanted) = (self.rate, self.next);
        let mut slots = Slots::default();
        self.change(|budget, now| slots = budget.reserve(rate, wanted, now));
        self.slots = slots;
        self.next = (2 * wanted).min(rate.at_a_time);
    }

    /// Keeps every worker from asking for that long, in the running transaction.
    pub fn block(&self, wait: Duration) {
        self.change(|budget, now| budget.block(now, wait.as_micros() as i64));
    }

    /// How long nobody may ask, in the running transaction.
    pub fn blocked_for(&self) -> Duration {
        let select =
            "SELECT b.blocked_until FROM clerk.api_budgets AS b WHERE b.issuer OPERATOR(pg_catalog.=) $1";
        let blocked_until: Option<TimestampWithTimeZone> = sql::query(|| {
            Spi::connect(|client| {
                let rows = client.select(select, Some(1), &[self.issuer.as_str().into()])?;
                rows.map(|row| row.get(1)).next().transpose()
            })
        })
        .flatten();
        let now = clock::now_micros();
        let budget = Budget {
            blocked_until: micros(blocked_until),
            ..Budget::default()
        };
        Duration::from_micros(u64::try_from(budget.blocked(now).saturating_sub(now)).unwrap_or(0))
    }

    fn change(&self, change: impl FnOnce(&mut Budget, i64)) {
        do_not_wait_for_the_disk();
        let insert = "INSERT INTO clerk.api_budgets (issuer)
             SELECT i.issuer FROM clerk.instances AS i WHERE i.issuer OPERATOR(pg_catalog.=) $1
             ON CONFLICT (issuer) DO NOTHING";
        sql::run(insert, &[self.issuer.as_str().into()]);
        let mut budget = self.lock();
        change(&mut budget, clock::now_micros());
        let update = "UPDATE clerk.api_budgets AS b SET next_at = $2, blocked_until = $3
             WHERE b.issuer OPERATOR(pg_catalog.=) $1";
        sql::run(
            update,
            &[
                self.issuer.as_str().into(),
                time(budget.next_at).into(),
                time(budget.blocked_until).into(),
            ],
        );
    }

    /// The budget as it is now; nobody else can change it until the transaction ends.
    fn lock(&self) -> Budget {
        let select = "SELECT b.next_at, b.blocked_until FROM clerk.api_budgets AS b
             WHERE b.issuer OPERATOR(pg_catalog.=) $1 FOR UPDATE";
        sql::query(|| {
            Spi::connect_mut(|client| {
                let rows = client.update(select, Some(1), &[self.issuer.as_str().into()])?;
                let read = |row: pgrx::spi::SpiHeapTupleData| {
                    Ok::<_, pgrx::spi::Error>(Budget {
                        next_at: micros(row.get(1)?),
                        blocked_until: micros(row.get(2)?),
                    })
                };
                rows.map(read).next().transpose()
            })
        })
        .unwrap_or_default()
    }
}

/// A reservation that a crash undoes does no harm.
fn do_not_wait_for_the_disk() {
    // SAFETY: a setting that every role may change, until the transaction ends; NUL-terminated strings.
    unsafe {
        pg_sys::set_config_option(
            c"synchronous_commit".as_ptr(),
            c"off".as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

fn micros(time: Option<TimestampWithTimeZone>) -> i64 {
    time.map_or(0, |time| clock::unix_micros(time.into()))
}

fn time(micros: i64) -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(clock::timestamp_tz(micros)).ok()
}
