//! What this library needs of PostgreSQL itself. Nothing here knows Clerk: names of extensions, schemas and tables are arguments.

pub mod catalog;
pub mod cell;
pub mod extension;
pub mod primary_key;
pub mod relation;
pub mod result;
