//! The launcher: where the library is preloaded, it starts a round of maintenance in every database that has the extension, by
//! interval and when asked.
//!
//! It belongs to no database and reads nothing but the shared catalogs, so it is in nobody's way, and whatever goes wrong in a
//! round ends another process. If it ends itself, the server starts it again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::database::Database;
use super::failure::Failure;
use super::give_way::is_wanted;
use super::look::look;
use super::one_shot::{self, nap};
use super::session;
use super::task::Task;
use super::{board, maintain};
use crate::error::Fault;
use crate::maintenance::Scope;
use crate::{catalog, settings};

const TASK: Task = Task {
    function: c"clerk_launcher_worker",
    name: c"clerk_sync: launcher",
    purpose: "start clerk_sync's maintenance",
};

/// When the server starts it again after an error.
const RESTART_SECONDS: i32 = 10;
/// Rounds at the same time. Each takes a worker slot, of which there are eight unless somebody made more.
const MOST_ROUNDS: usize = 3;
/// Rounds at the same time that only see to keys, because the rest is at work or fails.
const MOST_ROUNDS_OF_KEYS: usize = 2;
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
    let mut worker = one_shot::describe(&TASK, c"clerk_sync launcher");
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
        session::handle_signal(pg_sys::SIGHUP, SignalHandlerForConfigReload);
        session::accept_signals();
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
    session::show_name();
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
        let latest = settings::maintain_interval().unwrap_or(RARELY);
        for database in self.databases.values_mut() {
            database.hasten(latest);
        }
    }

    /// Starts what is due. Gives how long there is nothing to do.
    fn pass(&mut self, interval: Duration) -> Duration {
        self.list_databases();
        for (oid, database) in &mut self.databases {
            database.collect_rounds(*oid, interval);
        }
        for (database, wake) in board::take_wakes() {
            if let Some(database) = self.databases.get_mut(&database) {
                database.wake(wake);
            }
        }
        while let Some((oid, scope)) = self.next_due() {
            self.attend(oid, scope, interval);
        }
        self.until_next(interval)
    }

    /// Learns of databases that were made and forgets those that were dropped.
    fn list_databases(&mut self) {
        let oids = BackgroundWorker::transaction(catalog::databases);
        self.databases.retain(|oid, _| oids.contains(oid));
        for oid in oids {
            self.databases.entry(oid).or_insert_with(Database::new);
        }
    }

    /// What may be started, and when it is due.
    fn startable(&self) -> impl Iterator<Item = (Instant, pg_sys::Oid, Scope)> {
        let running = |scope| {
            self.databases
                .values()
                .filter(|database| database.is_running(scope))
                .count()
        };
        let may_start_all = running(Scope::All) < MOST_ROUNDS;
        let may_start_keys = running(Scope::Keys) < MOST_ROUNDS_OF_KEYS;
        self.databases.iter().filter_map(move |(oid, database)| {
            let (due, scope) = database.next(may_start_all, may_start_keys)?;
            Some((due, *oid, scope))
        })
    }

    /// What has been due longest.
    fn next_due(&self) -> Option<(pg_sys::Oid, Scope)> {
        let now = Instant::now();
        let due = self.startable().filter(|(due, ..)| *due <= now);
        due.min_by_key(|(due, ..)| *due)
            .map(|(_, oid, scope)| (oid, scope))
    }

    fn until_next(&self, interval: Duration) -> Duration {
        // What came meanwhile has set our latch, but waiting for a look may have reset it.
        if board::has_wakes() || must_read_configuration() {
            return Duration::ZERO;
        }
        let next = self.startable().map(|(due, ..)| due).min();
        let rest = next.map_or(interval, |due| due.saturating_duration_since(Instant::now()));
        // A database that is made does not wake us.
        rest.min(interval).min(RARELY)
    }

    /// Starts a round in the database if it has the extension, and plans when to come back.
    fn attend(&mut self, oid: pg_sys::Oid, scope: Scope, interval: Duration) {
        let Some(database) = self.databases.get_mut(&oid) else {
            return;
        };
        database.begin(scope, interval);
        if is_wanted(oid) {
            return database.rest_for(SOON);
        }
        let owner = match look(oid) {
            Ok(Some(owner)) => owner,
            Ok(None) => return database.rest_for(RARELY.max(interval)),
            // The database may have gone.
            Err(Failure::NoSlot) => return self.no_free_slot(),
            Err(failure) => return database.fail(oid, scope, interval, &failure.fault(&super::look::TASK)),
        };
        if !database.may_connect(owner) {
            return;
        }
        match maintain::start(oid, owner, scope) {
            Ok(worker) => {
                self.is_told = false;
                database.add_round(scope, worker);
            }
            Err(Failure::NoSlot) => self.no_free_slot(),
            Err(failure) => database.fail(oid, scope, interval, &failure.fault(&maintain::TASK)),
        }
    }

    /// Tells the log, once; it is tried again after the interval.
    fn no_free_slot(&mut self) {
        if !std::mem::replace(&mut self.is_told, true) {
            Fault::new(
                PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                "no background worker is free for clerk_sync's maintenance",
                "Raise max_worker_processes and restart the server. It is tried again, and not said again until it has worked.",
            )
            .warn();
        }
    }
}

fn must_read_configuration() -> bool {
    // SAFETY: a variable of the process, which a signal handler sets.
    unsafe { std::ptr::read_volatile(&raw const pg_sys::ConfigReloadPending) != 0 }
}
