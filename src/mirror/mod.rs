//! The mirror: Clerk's users, organizations and the rest as rows that converge, whatever happens on the way.
//!
//! `receive` and `events` are where events come in, `deliver` stores and applies one, `ledger` keeps what came, `write` is the
//! only way into the mirrored tables and `statement` the join it runs. What an event says about rows is worked out without
//! Postgres, in `clerk_core::mirror`.

mod addresses;
mod answer;
mod by_index;
mod deliver;
mod ensure;
pub mod erase;
mod events;
pub mod forget;
pub mod handlers;
mod ledger;
pub mod lock_budget;
mod notify;
pub mod prepared;
mod probe;
pub mod prune;
mod receive;
pub mod retry;
pub mod setup;
mod statement;
mod time_limit;
mod values;
pub mod write;
