//! What an administrator does: configure instances and bring their keys.

mod configure;
mod instances;
pub mod key_store;
pub mod keys;
mod plan;
mod sql;
mod trust_changes;
pub mod vault;
