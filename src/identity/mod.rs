//! Who is asking: the answers that policies are written with.
//!
//! `resolve` works out the identity from the settings, `answers` keeps it and its values for as long as nothing has
//! changed (`stamp`), and `helpers`, `has` and `claims` are the SQL functions on top.

mod answers;
mod authenticate;
mod claims;
pub mod datums;
mod has;
mod helpers;
mod resolve;
pub mod stamp;
mod whoami;
