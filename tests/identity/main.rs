//! Who is asking: the identity helpers against a real server.

mod scene;

mod authenticate;
mod authorization;
mod changes;
mod claims_setting;
mod claims_values;
mod expiry;
mod first_use;
mod loading;
mod memory;
mod neighbours;
mod never_used;
mod parallel;
mod pooling;
mod problems;
mod procedures;
mod sources;
mod times;
mod tokens;
mod whoami;
