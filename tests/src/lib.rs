//! What the integration tests stand on: throw-away PostgreSQL servers with the installed extension.
//!
//! `CLERK_SYNC_PG_CONFIG` names the `pg_config` of the server to test. As root everything of the server runs as the
//! user `postgres`, because a server refuses to run as root.

mod cluster;
mod database;
mod dice;
pub mod expected;
mod installation;
mod sql;
mod watchdog;

pub use cluster::Cluster;
pub use database::{Notices, TestDb};
pub use dice::Dice;
pub use installation::Installation;
pub use sql::{Failure, Sql};
