//! What an administrator does: configure instances and bring their keys.

pub mod arguments;
mod ask_clerk;
mod authenticator;
mod configure;
mod guard_postgrest;
pub mod instances;
pub mod key_store;
pub mod keys;
mod mirror_arguments;
mod mirror_settings;
mod plan;
mod postgrest;
mod privileged;
pub mod realtime;
mod request_settings;
mod secret_keys;
mod secrets;
pub mod sql;
pub mod tell_postgrest;
mod trust_changes;
mod unreadable_secrets;
pub mod vault;
mod version;
