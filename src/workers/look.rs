//! The worker that looks whether the extension is in a database, and whose it is.
//!
//! It has to be somebody before it knows the owner, so it is the bootstrap superuser, and therefore does nothing but look things up
//! in system catalogs: nobody's code runs.

use std::time::Duration;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;

use super::exchange::SHORT;
use super::failure::Failure;
use super::task::{Order, Task};
use super::{one_shot, session};
use crate::catalog;

pub const TASK: Task = Task {
    function: c"clerk_look_worker",
    name: c"clerk_sync: look for the extension",
    purpose: "look for clerk_sync in a database",
};

/// Far longer than it takes to connect and look.
const LONGEST: Duration = Duration::from_secs(5);

/// Looks into a database, and waits for the outcome: the extension's owner, or None if it is not there. Called by the launcher only.
pub fn look(database: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Failure> {
    let order = Order::new(database, pg_sys::InvalidOid, ());
    let worker = one_shot::start_as(&TASK, &order, &(), SHORT)?.for_us_alone();
    let owner: u32 = worker.answer(LONGEST)?;
    Ok(Some(pg_sys::Oid::from(owner)).filter(|owner| *owner != pg_sys::InvalidOid))
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_look_worker(_argument: pg_sys::Datum) {
    let Some(exchange) = session::begin::<()>().and_then(|begun| begun.exchange) else {
        return;
    };
    let owner = BackgroundWorker::transaction(catalog::extension_owner);
    exchange.reply(&owner.unwrap_or(pg_sys::InvalidOid).to_u32());
}
