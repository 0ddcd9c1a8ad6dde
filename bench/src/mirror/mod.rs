//! The mirror: webhooks in, rows out.

pub mod cpu;
mod edge;
pub mod floor;
pub mod ledger;
pub mod raw;
pub mod receiving;
pub mod rows;
mod site;
mod stream;
