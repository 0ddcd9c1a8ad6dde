//! `clerk_sync`: Clerk inside Postgres.
//!
//! This file is an index: the modules, what happens when the library is loaded, and the order of the SQL that
//! `CREATE EXTENSION` runs. Pure rules about tokens and claims live in the crate `clerk-core`, without Postgres.

mod as_role;
mod backend_local;
mod call;
mod catalog;
mod clerk_api;
mod clock;
mod error;
mod identity;
mod json;
mod leaving;
mod mirror;
mod operations;
mod settings;
mod subtransaction;
#[cfg(any(test, feature = "pg_test"))]
mod tests;
mod token;
mod workers;

use pgrx::prelude::*;

::pgrx::pg_module_magic!(name, version);

/// Called by Postgres when the library is loaded: at server start, at session start or at the first call of one
/// of our functions.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    settings::refuse_parallel_mode();
    settings::define();
    token::trust::watch_for_changes();
    identity::datums::free_at_transaction_end();
}

extension_sql_file!("../sql/00_bootstrap.sql", name = "bootstrap", bootstrap);
extension_sql_file!("../sql/10_tables.sql", name = "tables", requires = ["bootstrap"]);
extension_sql_file!(
    "../sql/15_mirror.sql",
    name = "mirror_tables",
    requires = ["tables"]
);
extension_sql_file!(
    "../sql/16_ledger.sql",
    name = "ledger",
    requires = ["mirror_tables"]
);
extension_sql_file!("../sql/20_identity.sql", name = "identity", requires = ["ledger"]);
extension_sql_file!("../sql/25_views.sql", name = "views", requires = ["identity"]);
extension_sql_file!("../sql/30_token.sql", name = "token", requires = ["views"]);
extension_sql_file!("../sql/35_mirror.sql", name = "mirror", requires = ["token"]);
extension_sql_file!("../sql/36_handlers.sql", name = "handlers", requires = ["mirror"]);
extension_sql_file!(
    "../sql/40_administrators.sql",
    name = "administrators",
    requires = ["handlers"]
);
extension_sql_file!("../sql/45_api.sql", name = "api", requires = ["administrators"]);
extension_sql_file!("../sql/65_leaving.sql", name = "leaving", requires = ["api"]);
extension_sql_file!(
    "../sql/66_ejected_identity.sql",
    name = "ejected_identity",
    requires = ["leaving"]
);
extension_sql_file!(
    "../sql/67_ejected_authorization.sql",
    name = "ejected_authorization",
    requires = ["ejected_identity"]
);
extension_sql_file!(
    "../sql/68_ejected_mirror.sql",
    name = "ejected_mirror",
    requires = ["ejected_authorization", eject_text]
);
extension_sql_file!(
    "../sql/69_ejected_application.sql",
    name = "ejected_application",
    requires = ["ejected_mirror", eject_body]
);
extension_sql_file!(
    "../sql/70_uninstall.sql",
    name = "uninstall",
    requires = ["ejected_application"]
);
extension_sql_file!(
    "../sql/80_comments.sql",
    name = "comments",
    requires = [
        "api",
        configure,
        configure_mirror,
        refresh_jwks,
        remove_instance,
        set_identity_source,
        add_webhook_signing_secret,
        drop_webhook_signing_secret,
        webhook_signing_secrets,
        inspect_jwt,
        authenticate,
        clear_authentication,
        whoami
    ]
);
extension_sql_file!("../sql/90_grants.sql", name = "grants", finalize);

/// What `cargo pgrx test` needs to start its server.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["clerk.allow_http_loopback = on"]
    }
}
