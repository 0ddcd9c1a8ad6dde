//! The worker that does one round of maintenance in one database. It is the extension's owner.

use std::ffi::CStr;

use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::one_shot::{self, OneShot};
use crate::error::Fault;
use crate::maintenance;

const FUNCTION: &CStr = c"clerk_maintain_worker";
const NAME: &CStr = c"clerk_sync: maintain";

/// What the worker is told.
#[derive(Serialize, Deserialize)]
struct Order {
    database: u32,
    owner: u32,
}

/// Starts a round in a database in which the extension belongs to `owner`. None if no slot is free.
pub fn start(database: pg_sys::Oid, owner: pg_sys::Oid) -> Option<OneShot> {
    let order = Order {
        database: database.to_u32(),
        owner: owner.to_u32(),
    };
    let argument = serde_json::to_string(&order).ok()?;
    one_shot::start(FUNCTION, NAME, &argument)
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_maintain_worker(_argument: pg_sys::Datum) {
    let Ok(order) = serde_json::from_str::<Order>(&one_shot::argument()) else {
        return Fault::argument("clerk_maintain_worker was started without an order", "").warn();
    };
    one_shot::connect(order.database.into(), order.owner.into());
    maintenance::run_in_worker();
}
