//! `maintain`: one round of everything that is to be done again and again.
//!
//! `parts` lists what a round consists of. The launcher's worker does each part in transactions of its own, `clerk.maintain()` in
//! the one of its caller; the parts themselves do not know the difference. `record` keeps what the last rounds came to.

mod parts;
mod record;
mod round;

pub use round::{Outcome, Progress, Scope, run_in_worker};
