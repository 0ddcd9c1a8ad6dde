//! What this library needs of PostgreSQL itself. Nothing here knows Clerk: names of extensions, schemas and tables are arguments.

pub mod announced_setting;
pub mod at_commit;
pub mod backend_local;
pub mod backend_status;
pub mod catalog;
pub mod cell;
pub mod ddl_command;
pub mod deadline;
pub mod executor_run;
pub mod extension;
pub mod guc_nesting;
pub mod hidden_statement;
pub mod last_words;
pub mod non_atomic;
pub mod primary_key;
pub mod relation;
pub mod result;
pub mod worker_session;
pub mod writable;
