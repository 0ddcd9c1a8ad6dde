//! Background workers: everything that talks to Clerk runs here, never in a client's backend.

pub mod ask_clerk;
mod exchange;
pub mod fetch_keys;
pub mod note_missing_role;
pub mod one_shot;
pub mod run_handlers;
pub mod run_syncs;
mod transaction;
mod work_lock;

pub use transaction::{cancellable, transaction};
