//! Background workers: everything that talks to Clerk runs here, never in a client's backend.

mod exchange;
pub mod fetch_keys;
pub mod note_missing_role;
pub mod one_shot;
pub mod run_handlers;
mod work_lock;
