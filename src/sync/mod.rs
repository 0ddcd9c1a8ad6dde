//! Runs: history is brought in, and what no webhook told is found, by reading Clerk's Backend API.
//!
//! `start` and `follow` are what administrators call, `schedule` is what `maintain` does by itself. A run is a row (`run`) with a
//! step for each table (`step`), which a worker works off (`perform`): it walks a listing page by page (`walk`), joins each page
//! as webhooks are joined (`apply`), and in a full reconcile finds out what is gone (`missing`). `subject` is about one user or
//! organization, `billing` about what can only be asked for payer by payer.

mod apply;
mod billing;
mod follow;
mod instance;
mod kind;
mod missing;
mod page;
mod perform;
mod plan;
mod run;
mod schedule;
mod start;
mod step;
mod subject;
mod walk;

pub use instance::find as find_instance;
pub use kind::Lane;
pub use perform::perform;
pub use run::{any_due, issuer_with_hash, next_due_in, put_off_all, take_next};
pub use schedule::{request_due, start_open};
