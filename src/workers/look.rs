//! The worker that looks whether the extension is in a database, and whose it is.
//!
//! It has to be somebody before it knows the owner, so it is the bootstrap superuser, and therefore does nothing but look things up
//! in system catalogs: nobody's code runs.

use std::ffi::CStr;
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::board;
use super::one_shot;
use crate::catalog;
use crate::error::Fault;

const FUNCTION: &CStr = c"clerk_look_worker";
const NAME: &CStr = c"clerk_sync: look for the extension";

/// Far longer than it takes to connect and look.
const LONGEST: Duration = Duration::from_secs(5);

/// What a look found.
pub enum Finding {
    /// The extension is there and belongs to this role.
    Owner(pg_sys::Oid),
    Absent,
    /// It ended without an answer: the database may have gone, or no connection was left.
    Nothing,
    NoFreeSlot,
}

/// Looks into a database, and waits for the outcome. Called by the launcher only, so one at a time.
pub fn look(database: pg_sys::Oid) -> Finding {
    // What an earlier one may have left too late.
    board::take_finding(database);
    let Some(worker) = one_shot::start(FUNCTION, NAME, &database.to_u32().to_string()) else {
        return Finding::NoFreeSlot;
    };
    if !worker.wait(LONGEST) {
        worker.terminate();
    }
    worker.forget();
    match board::take_finding(database) {
        Some(Some(owner)) => Finding::Owner(owner),
        Some(None) => Finding::Absent,
        None => Finding::Nothing,
    }
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_look_worker(_argument: pg_sys::Datum) {
    let Ok(database) = one_shot::argument().parse::<u32>() else {
        return Fault::argument("clerk_look_worker was started without a database", "").warn();
    };
    let database = pg_sys::Oid::from(database);
    one_shot::connect(database, pg_sys::InvalidOid);
    board::leave_finding(database, BackgroundWorker::transaction(catalog::extension_owner));
}
