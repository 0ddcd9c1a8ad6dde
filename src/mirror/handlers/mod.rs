//! SQL functions that are called with events.
//!
//! `register` keeps them by name, `queue` and `repairs` note that one is to be called, in the transaction that stores the
//! event, and `run` makes such a call. Calls are made only by the worker `workers::run_handlers`, each in a transaction of its
//! own: none holds up a delivery, or holds locks or an old snapshot longer than it takes itself.

mod function;
mod queue;
mod register;
mod repairs;
mod role;
mod run;

pub use queue::queue;
pub use repairs::Repairs;
pub use run::{Outcome, any_due, run_due, run_next, start_due};
