//! SQL functions that are called with events: registered, queued, called.

mod queue;
mod run;

pub use queue::queue;
pub use run::run_due;
