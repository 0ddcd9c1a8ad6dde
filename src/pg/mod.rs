//! What this library needs of PostgreSQL itself. Nothing here knows Clerk: names of extensions, schemas and tables are arguments.

pub mod at_commit;
pub mod last_words;
pub mod worker_session;
