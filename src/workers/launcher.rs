//! The launcher: where the library is preloaded, it starts a round of maintenance in every database that has the extension, by
//! interval and when asked.
//!
//! It belongs to no database and reads nothing but the shared catalogs, so it is in nobody's way, and whatever goes wrong in a
//! round ends another process. If it ends itself, the server starts it again.

use std::collections::HashMap;
use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::give_way::is_wanted;
use super::look::{self, Finding};
use super::one_shot::{self, OneShot, nap};
use super::{board, maintain};
use crate::error::Fault;
use crate::{catalog, settings};

const FUNCTION: &CStr = c"clerk_launcher_worker";
const NAME: &CStr = c"clerk_sync: launcher";

/// When the server starts it again after an error.
const RESTART_SECONDS: i32 = 10;
/// Rounds at the same time. Each takes a worker slot, of which there are eight unless somebody made more.
const MOST_ROUNDS: usize = 3;
/// A database without the extension is looked into again after this, or when it asks for a round.
const RARELY: Duration = Duration::from_secs(600);
/// When to come back to a database that somebody wants alone.
const SOON: Duration = Duration::from_secs(1);

/// Has the server run the launcher. In the postmaster, while libraries are preloaded.
pub fn register() {
    // SAFETY: reads a variable of the process.
    if unsafe { pg_sys::IsBinaryUpgrade } {
        // pg_upgrade moves tables about underneath.
        return;
    }
    board::reserve();
    let mut worker = one_shot::describe(FUNCTION, NAME, c"clerk_sync launcher");
    worker.bgw_restart_time = RESTART_SECONDS;
    // SAFETY: the description is copied.
    unsafe { pg_sys::RegisterBackgroundWorker(&mut worker) };
}

unsafe extern "C-unwind" {
    /// Postgres' own handler for SIGHUP, declared here for the same reason as `die`.
    fn SignalHandlerForConfigReload(signal: i32);
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_launcher_worker(_argument: pg_sys::Datum) {
    // SAFETY: at the start of the worker, on its main thread; without a database there is no role either.
    unsafe {
        one_shot::handle_signal(pg_sys::SIGHUP, SignalHandlerForConfigReload);
        one_shot::accept_signals();
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
    one_shot::show_name();
    board::listen();
    let mut launcher = Launcher::default();
    loop {
        launcher.read_configuration();
        let rest = match settings::maintain_interval() {
            Some(interval) => launcher.pass(interval),
            None => RARELY,
        };
        nap(rest);
    }
}

/// What the launcher knows of a database.
struct Database {
    /// When its next round is due, or the next look.
    due: Instant,
    /// The round that is running.
    round: Option<Round>,
    /// Whether the log has been told that its owner cannot have workers.
    is_told: bool,
}

/// A round that was started.
struct Round {
    worker: OneShot,
    since: Instant,
}

#[derive(Default)]
struct Launcher {
    databases: HashMap<pg_sys::Oid, Database>,
    /// Whether the log has been told that there are too few worker slots.
    is_told: bool,
}

impl Launcher {
    /// Reads changed configuration files.
    fn read_configuration(&mut self) {
        if !must_read_configuration() {
            return;
        }
        // SAFETY: what every process of the server does after SIGHUP.
        unsafe {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
        // The interval may have become shorter.
        let latest = Instant::now() + settings::maintain_interval().unwrap_or(RARELY);
        for database in self.databases.values_mut() {
            database.due = database.due.min(latest);
        }
    }

    /// Starts what is due. Gives how long there is nothing to do.
    fn pass(&mut self, interval: Duration) -> Duration {
        self.list_databases();
        self.collect_rounds();
        for (database, seconds) in board::take_wakes() {
            if let Some(database) = self.databases.get_mut(&database) {
                let due = Instant::now() + Duration::from_secs(seconds.into());
                database.due = database.due.min(due);
            }
        }
        while let Some(database) = self.next_due() {
            self.attend(database, interval);
        }
        self.until_next(interval)
    }

    /// Learns of databases that were made and forgets those that were dropped.
    fn list_databases(&mut self) {
        let oids = BackgroundWorker::transaction(catalog::databases);
        self.databases.retain(|oid, _| oids.contains(oid));
        for oid in oids {
            self.databases.entry(oid).or_insert_with(|| Database {
                due: Instant::now(),
                round: None,
                is_told: false,
            });
        }
    }

    /// Takes down which rounds have ended, and ends those that take too long: the code of a database's owner may hang, and the others
    /// must not wait for it.
    fn collect_rounds(&mut self) {
        let longest = settings::maintain_timeout();
        for (oid, database) in &mut self.databases {
            if let Some(round) = database.round.take_if(|round| !round.worker.is_running()) {
                round.worker.forget();
            }
            if let Some(round) = database
                .round
                .as_ref()
                .filter(|round| round.since.elapsed() > longest)
            {
                round.worker.terminate();
                database.due = Instant::now() + longest;
                tell_of_long_round(*oid, longest);
            }
        }
    }

    /// Databases in which no round is running, if another may be started.
    fn idle(&self) -> impl Iterator<Item = (&pg_sys::Oid, &Database)> {
        let running = self
            .databases
            .values()
            .filter(|database| database.round.is_some())
            .count();
        let idle = self
            .databases
            .iter()
            .filter(|(_, database)| database.round.is_none());
        idle.filter(move |_| running < MOST_ROUNDS)
    }

    /// The database that has been due longest.
    fn next_due(&self) -> Option<pg_sys::Oid> {
        let now = Instant::now();
        let due = self.idle().filter(|(_, database)| database.due <= now);
        due.min_by_key(|(_, database)| database.due).map(|(oid, _)| *oid)
    }

    fn until_next(&self, interval: Duration) -> Duration {
        // What came meanwhile has set our latch, but waiting for a look may have reset it.
        if board::has_wakes() || must_read_configuration() {
            return Duration::ZERO;
        }
        let next = self.idle().map(|(_, database)| database.due).min();
        let rest = next.map_or(interval, |due| due.saturating_duration_since(Instant::now()));
        // A database that is made does not wake us.
        rest.min(interval).min(RARELY)
    }

    /// Starts a round in the database if it has the extension, and says when to come back.
    fn attend(&mut self, oid: pg_sys::Oid, interval: Duration) {
        let (next, round) = self.start_round(oid, interval);
        if let Some(database) = self.databases.get_mut(&oid) {
            database.due = Instant::now() + next;
            database.round = round;
        }
    }

    fn start_round(&mut self, oid: pg_sys::Oid, interval: Duration) -> (Duration, Option<Round>) {
        if is_wanted(oid) {
            return (SOON, None);
        }
        let owner = match look::look(oid) {
            Finding::Owner(owner) => owner,
            Finding::Absent => return (RARELY.max(interval), None),
            Finding::Nothing => return (interval, None),
            Finding::NoFreeSlot => return (self.no_free_slot(interval), None),
        };
        if !self.may_connect(oid, owner) {
            return (interval, None);
        }
        match maintain::start(oid, owner) {
            Some(worker) => {
                self.is_told = false;
                let since = Instant::now();
                (interval, Some(Round { worker, since }))
            }
            None => (self.no_free_slot(interval), None),
        }
    }

    /// Tells the log, once; it is tried again after the interval.
    fn no_free_slot(&mut self, interval: Duration) -> Duration {
        if !std::mem::replace(&mut self.is_told, true) {
            Fault::new(
                PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                "no background worker is free for clerk_sync's maintenance",
                "Raise max_worker_processes and restart the server. It is tried again, and not said again until it has worked.",
            )
            .warn();
        }
        interval
    }

    /// Whether the owner can have workers; if not, the log is told, once.
    fn may_connect(&mut self, oid: pg_sys::Oid, owner: pg_sys::Oid) -> bool {
        let fault = BackgroundWorker::transaction(|| one_shot::check_owner(owner)).err();
        let may = fault.is_none();
        let Some(database) = self.databases.get_mut(&oid) else {
            return false;
        };
        if let Some(fault) = fault.filter(|_| !database.is_told) {
            fault.warn();
        }
        database.is_told = !may;
        may
    }
}

fn tell_of_long_round(database: pg_sys::Oid, longest: Duration) {
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

fn must_read_configuration() -> bool {
    // SAFETY: a variable of the process, which a signal handler sets.
    unsafe { std::ptr::read_volatile(&raw const pg_sys::ConfigReloadPending) != 0 }
}
