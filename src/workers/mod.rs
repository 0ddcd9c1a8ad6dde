//! Background workers: everything that talks to Clerk runs here, never in a client's backend.
//!
//! All but one do one thing and end. The exception, the launcher, is there only where the library is preloaded; it has no
//! database, and starts the others.

pub mod ask_clerk;
mod board;
mod exchange;
pub mod fetch_keys;
pub mod give_way;
pub mod launcher;
mod look;
pub mod maintain;
pub mod note_missing_role;
pub mod one_shot;
pub mod run_handlers;
pub mod run_syncs;
mod transaction;
pub mod wake;
pub mod work_lock;

pub use transaction::{cancellable, transaction};
