//! What the launcher knows of a database: when it is due, which rounds are running in it, how the last ones ended.
//!
//! Keys have a schedule of their own. As a rule both are due at once, and one round sees to both; while the mirror is at work for
//! long, or its rounds fail and become rarer, rounds of keys alone go on at the usual pace.

use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::board::Wake;
use super::maintain;
use super::one_shot::{self, OneShot};
use super::schedule::Schedule;
use crate::error::Fault;
use crate::maintenance::{Outcome, Progress, Scope};
use crate::settings;

pub struct Database {
    keys: Schedule,
    mirror: Schedule,
    /// At most one of each scope.
    rounds: Vec<Round>,
    /// Whether the log has been told that its owner cannot have workers.
    is_told: bool,
}

/// A round that was started.
struct Round {
    scope: Scope,
    worker: OneShot,
    since: Instant,
    /// Whether it took too long and was told to end.
    is_overlong: bool,
}

impl Database {
    /// One that was not known before; due at once.
    pub fn new() -> Self {
        Self {
            keys: Schedule::new(),
            mirror: Schedule::new(),
            rounds: Vec::new(),
            is_told: false,
        }
    }

    pub fn is_running(&self, scope: Scope) -> bool {
        self.rounds.iter().any(|round| round.scope == scope)
    }

    /// What is to be started next, and when.
    pub fn next(&self, may_start_all: bool, may_start_keys: bool) -> Option<(Instant, Scope)> {
        let all = (self.mirror.due(), Scope::All);
        let keys = (self.keys.due(), Scope::Keys);
        let all = Some(all).filter(|_| may_start_all && !self.is_running(Scope::All));
        let keys = Some(keys).filter(|_| may_start_keys && !self.is_running(Scope::Keys));
        // A round of everything does for the keys too.
        all.into_iter().chain(keys).min_by_key(|(due, _)| *due)
    }

    pub fn begin(&mut self, scope: Scope, interval: Duration) {
        // At the same time, so that both are due together again.
        let now = Instant::now();
        self.keys.begin(now, interval);
        if scope == Scope::All {
            self.mirror.begin(now, interval);
        }
    }

    pub fn add_round(&mut self, scope: Scope, worker: OneShot) {
        self.rounds.push(Round {
            scope,
            worker,
            since: Instant::now(),
            is_overlong: false,
        });
    }

    pub fn rest_for(&mut self, time: Duration) {
        let due = Instant::now() + time;
        self.schedules()
            .into_iter()
            .for_each(|schedule| schedule.rest_until(due));
    }

    pub fn hasten(&mut self, time: Duration) {
        let due = Instant::now() + time;
        self.schedules()
            .into_iter()
            .for_each(|schedule| schedule.hasten(due));
    }

    fn schedules(&mut self) -> [&mut Schedule; 2] {
        [&mut self.keys, &mut self.mirror]
    }

    /// It asks for a round.
    pub fn wake(&mut self, wake: Wake) {
        let due = Instant::now() + Duration::from_secs(wake.seconds.into());
        if wake.is_changed {
            self.schedules().into_iter().for_each(Schedule::forgive);
            self.keys.hasten(due);
        }
        self.mirror.hasten(due);
    }

    /// No round could be started.
    pub fn fail(&mut self, oid: pg_sys::Oid, scope: Scope, interval: Duration, fault: &Fault) {
        let mut rest = self.keys.fail(interval);
        if scope == Scope::All {
            rest = self.mirror.fail(interval);
        }
        tell_of_failure(oid, fault.message(), rest);
    }

    /// Takes down how rounds have ended, and ends those that take too long: the code of a database's owner may hang, and the others
    /// must not wait for it.
    pub fn collect_rounds(&mut self, oid: pg_sys::Oid, interval: Duration) {
        let longest = settings::maintain_timeout();
        let ended = self.rounds.extract_if(.., |round| !round.worker.is_running());
        for round in ended.collect::<Vec<_>>() {
            self.take_down(oid, &round, interval);
        }
        let overlong = |round: &&mut Round| !round.is_overlong && round.since.elapsed() > longest;
        for round in self.rounds.iter_mut().filter(overlong) {
            round.worker.terminate();
            round.is_overlong = true;
            tell_of_overlong(oid, longest);
        }
    }

    fn take_down(&mut self, oid: pg_sys::Oid, round: &Round, interval: Duration) {
        let outcome: Outcome = round.worker.answer(Duration::ZERO).unwrap_or_default();
        let failure = round
            .worker
            .failure()
            .map(|failure| failure.fault(&maintain::TASK));
        let has_died = failure.is_some() || round.is_overlong;
        let has_failed = |progress| progress == Progress::Failed || progress == Progress::Open && has_died;
        let keys = settle(&mut self.keys, has_failed(outcome.keys), interval);
        let mirror = match round.scope {
            Scope::All => settle(&mut self.mirror, has_failed(outcome.mirror), interval),
            Scope::Keys => None,
        };
        // Of one that took too long the log has been told.
        if let Some(rest) = mirror.or(keys).filter(|_| !round.is_overlong) {
            let message = failure.as_ref().map_or("every part of it failed", Fault::message);
            tell_of_failure(oid, message, rest);
        }
    }

    /// Whether the owner can have workers; if not, the log is told, once.
    pub fn may_connect(&mut self, owner: pg_sys::Oid) -> bool {
        let fault = BackgroundWorker::transaction(|| one_shot::check_owner(owner)).err();
        let was_told = std::mem::replace(&mut self.is_told, fault.is_some());
        let may = fault.is_none();
        if let Some(fault) = fault.filter(|_| !was_told) {
            fault.warn();
        }
        may
    }
}

/// Gives after what time it is tried again, if it failed.
fn settle(schedule: &mut Schedule, has_failed: bool, interval: Duration) -> Option<Duration> {
    if has_failed {
        return Some(schedule.fail(interval));
    }
    schedule.succeed(interval);
    None
}

fn tell_of_failure(database: pg_sys::Oid, what: &str, rest: Duration) {
    Fault::new(
        PgSqlErrorCode::ERRCODE_WARNING,
        format!(
            "clerk_sync's maintenance of the database with OID {} failed: {what}; it is tried again in {} s",
            database.to_u32(),
            rest.as_secs()
        ),
        "Mend the cause. While it fails the time is doubled, up to an hour; a call of clerk.configure() there or a restart of the \
         server begins anew.",
    )
    .warn();
}

fn tell_of_overlong(database: pg_sys::Oid, longest: Duration) {
    Fault::new(
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED,
        format!(
            "clerk_sync's maintenance of the database with OID {} took longer than {} s and is ended",
            database.to_u32(),
            longest.as_secs()
        ),
        "Something it waits for hangs, such as a trigger on a table of the mirror. clerk.maintain_timeout says how long it may take.",
    )
    .warn();
}
