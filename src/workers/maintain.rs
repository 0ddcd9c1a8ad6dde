//! The worker that does one round of maintenance in one database. It is the extension's owner.

use pgrx::prelude::*;

use super::exchange::SHORT;
use super::failure::Failure;
use super::one_shot::{self, OneShot};
use super::session;
use super::task::{Order, Task};
use crate::maintenance::{self, Scope};

pub const TASK: Task = Task {
    function: c"clerk_maintain_worker",
    name: c"clerk_sync: maintain",
    purpose: "do clerk_sync's maintenance",
};

/// Starts a round in a database in which the extension belongs to `owner`. Its answer is a `maintenance::Outcome`.
pub fn start(database: pg_sys::Oid, owner: pg_sys::Oid, scope: Scope) -> Result<OneShot, Failure> {
    one_shot::start_as(&TASK, &Order::new(database, owner, scope), &(), SHORT)
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_maintain_worker(_argument: pg_sys::Datum) {
    let Some(begun) = session::begin::<Scope>() else {
        return;
    };
    maintenance::run_in_worker(begun.order.what, |outcome| {
        if let Some(exchange) = begun.exchange {
            exchange.reply(outcome);
        }
    });
}
