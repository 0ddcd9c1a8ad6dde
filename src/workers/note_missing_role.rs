//! The worker that notes a token without a role claim; see `identity::missing_role`.

use std::ffi::CStr;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::one_shot;
use crate::error::Fault;
use crate::operations::key_store::issuer_hash;
use crate::operations::sql;

const FUNCTION: &CStr = c"clerk_note_missing_role_worker";
const NAME: &CStr = c"clerk_sync: note a missing role claim";

/// What the worker is told.
#[derive(Serialize, Deserialize)]
struct Order {
    database: u32,
    owner: u32,
    issuer_hash: i64,
}

/// Starts it for the instance with that issuer, if a worker can be had.
pub fn start(issuer: &str) {
    let Ok(owner) = one_shot::owner() else {
        return;
    };
    let order = Order {
        // SAFETY: MyDatabaseId is set in every backend that runs SQL.
        database: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        owner: owner.to_u32(),
        issuer_hash: issuer_hash(issuer),
    };
    if let Ok(argument) = serde_json::to_string(&order) {
        one_shot::start_unattended(FUNCTION, NAME, &argument);
    }
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_note_missing_role_worker(_argument: pg_sys::Datum) {
    let Ok(order) = serde_json::from_str::<Order>(&one_shot::argument()) else {
        return Fault::argument("clerk_note_missing_role_worker was started without an order", "").warn();
    };
    one_shot::connect(order.database.into(), order.owner.into());
    let note = "INSERT INTO clerk.tokens_without_role AS t (issuer, last_seen_at)
         SELECT i.issuer, pg_catalog.clock_timestamp() FROM clerk.instances AS i
         WHERE pg_catalog.hashtextextended(i.issuer, 0) OPERATOR(pg_catalog.=) $1
         ON CONFLICT (issuer) DO UPDATE SET last_seen_at = excluded.last_seen_at";
    BackgroundWorker::transaction(|| sql::run(note, &[order.issuer_hash.into()]));
}
