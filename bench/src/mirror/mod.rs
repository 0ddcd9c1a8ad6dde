//! The mirror: webhooks in, rows out.

mod cpu;
mod edge;
mod floor;
pub mod ledger;
mod raw;
pub mod receiving;
pub mod rows;
mod site;
mod stream;
