//! Background workers: everything that talks to Clerk runs here, never in a client's backend.
//!
//! All but one do one thing and end. The exception, the launcher, is there only where the library is preloaded; it has no
//! database, and starts the others.

pub mod ask_clerk;
mod board;
mod database;
mod exchange;
mod failure;
pub mod fetch_keys;
pub mod give_way;
pub mod launcher;
mod look;
pub mod maintain;
pub mod note_problem;
pub mod one_shot;
pub mod run_handlers;
pub mod run_syncs;
mod schedule;
pub mod session;
mod task;
mod transaction;
pub mod wake;
pub mod work_lock;

pub use failure::Failure;
pub use transaction::{cancellable, transaction};
