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
mod maintenance;
mod mirror;
mod operations;
mod settings;
mod subtransaction;
mod sync;
#[cfg(any(test, feature = "pg_test"))]
mod tests;
mod text_hash;
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
    identity::missing_role::watch_transactions();
    // SAFETY: reads a variable of the process.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        workers::launcher::register();
    }
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
extension_sql_file!(
    "../sql/17_addresses.sql",
    name = "addresses",
    requires = ["ledger"]
);
extension_sql_file!(
    "../sql/18_tokens_without_role.sql",
    name = "tokens_without_role",
    requires = ["addresses"]
);
extension_sql_file!(
    "../sql/20_identity.sql",
    name = "identity",
    requires = ["tokens_without_role"]
);
extension_sql_file!("../sql/25_views.sql", name = "views", requires = ["identity"]);
extension_sql_file!("../sql/30_token.sql", name = "token", requires = ["views"]);
extension_sql_file!("../sql/35_mirror.sql", name = "mirror", requires = ["token"]);
extension_sql_file!("../sql/36_handlers.sql", name = "handlers", requires = ["mirror"]);
extension_sql_file!(
    "../sql/37_maintenance.sql",
    name = "maintenance",
    requires = ["handlers"]
);
extension_sql_file!(
    "../sql/40_administrators.sql",
    name = "administrators",
    requires = ["maintenance"]
);
extension_sql_file!("../sql/45_api.sql", name = "api", requires = ["administrators"]);
extension_sql_file!(
    "../sql/47_backend_api.sql",
    name = "backend_api",
    requires = ["api", set_secret_key, drop_secret_key, secret_keys]
);
extension_sql_file!("../sql/50_sync.sql", name = "sync", requires = ["backend_api"]);
extension_sql_file!("../sql/55_handover.sql", name = "handover", requires = ["sync"]);
extension_sql_file!(
    "../sql/56_requests.sql",
    name = "requests",
    requires = ["handover"]
);
extension_sql_file!(
    "../sql/57_realtime.sql",
    name = "realtime",
    requires = ["requests"]
);
extension_sql_file!(
    "../sql/58_foreign_names.sql",
    name = "foreign_names",
    requires = ["realtime"]
);
extension_sql_file!(
    "../sql/60_doctor_findings.sql",
    name = "doctor_findings",
    requires = ["foreign_names"]
);
extension_sql_file!(
    "../sql/60_doctor_identity.sql",
    name = "doctor_identity",
    requires = ["doctor_findings"]
);
extension_sql_file!(
    "../sql/60_doctor_webhooks.sql",
    name = "doctor_webhooks",
    requires = ["doctor_identity", webhook_signing_secrets]
);
extension_sql_file!(
    "../sql/60_doctor_server.sql",
    name = "doctor_server",
    requires = ["doctor_webhooks"]
);
extension_sql_file!(
    "../sql/60_doctor_privileges.sql",
    name = "doctor_privileges",
    requires = ["doctor_server"]
);
extension_sql_file!(
    "../sql/60_doctor_logging.sql",
    name = "doctor_logging",
    requires = ["doctor_privileges"]
);
extension_sql_file!(
    "../sql/60_doctor_policies.sql",
    name = "doctor_policies",
    requires = ["doctor_logging"]
);
extension_sql_file!(
    "../sql/60_doctor_tables.sql",
    name = "doctor_tables",
    requires = ["doctor_policies"]
);
extension_sql_file!(
    "../sql/61_doctor_sync.sql",
    name = "doctor_sync",
    requires = ["doctor_tables", secret_keys]
);
extension_sql_file!(
    "../sql/61_doctor_maintenance.sql",
    name = "doctor_maintenance",
    requires = ["doctor_sync"]
);
extension_sql_file!(
    "../sql/61_doctor_handover.sql",
    name = "doctor_handover",
    requires = ["doctor_maintenance"]
);
extension_sql_file!(
    "../sql/62_doctor_online.sql",
    name = "doctor_online",
    requires = ["doctor_handover"]
);
extension_sql_file!(
    "../sql/68_status.sql",
    name = "status",
    requires = ["doctor_online"]
);
extension_sql_file!("../sql/69_doctor.sql", name = "doctor", requires = ["status"]);
extension_sql_file!("../sql/70_leaving.sql", name = "leaving", requires = ["doctor"]);
extension_sql_file!(
    "../sql/71_ejected_identity.sql",
    name = "ejected_identity",
    requires = ["leaving"]
);
extension_sql_file!(
    "../sql/72_ejected_authorization.sql",
    name = "ejected_authorization",
    requires = ["ejected_identity"]
);
extension_sql_file!(
    "../sql/73_ejected_mirror.sql",
    name = "ejected_mirror",
    requires = ["ejected_authorization", eject_text]
);
extension_sql_file!(
    "../sql/74_ejected_application.sql",
    name = "ejected_application",
    requires = ["ejected_mirror", eject_body]
);
extension_sql_file!(
    "../sql/75_uninstall.sql",
    name = "uninstall",
    requires = ["ejected_application"]
);
extension_sql_file!(
    "../sql/80_comments.sql",
    name = "comments",
    requires = [
        "realtime",
        configure,
        configure_requests,
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
