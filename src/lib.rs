//! `clerk_sync`: Clerk inside Postgres.
//!
//! This file is an index: the modules, what happens when the library is loaded, and the order of the SQL that
//! `CREATE EXTENSION` runs. Pure rules about tokens and claims live in the crate `clerk-core`, without Postgres.

mod as_role;
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
mod pg;
mod settings;
mod sql_code;
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
    identity::problems::watch_transactions();
    // SAFETY: reads a variable of the process.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        workers::launcher::register();
    }
}

/// Has each file run after the one above it, and after the Rust functions that it `uses`.
macro_rules! install_script {
    ($above:tt:) => {};
    ($above:tt: $name:tt $path:tt $(uses $($function:ident)+)?; $($below:tt)*) => {
        extension_sql_file!($path, name = $name, requires = [$above $($(, $function)+)?]);
        install_script!($name: $($below)*);
    };
}

extension_sql_file!("../sql/00_bootstrap.sql", name = "bootstrap", bootstrap);
install_script! { "bootstrap":
    "tables" "../sql/10_tables.sql";
    "mirror_tables" "../sql/15_mirror.sql";
    "mirror_tables_on_demand" "../sql/15_mirror_on_demand.sql";
    "ledger" "../sql/16_ledger.sql";
    "addresses" "../sql/17_addresses.sql";
    "token_problems" "../sql/18_token_problems.sql";
    "identity" "../sql/20_identity.sql";
    "views" "../sql/25_views.sql";
    "token" "../sql/30_token.sql";
    "mirror" "../sql/35_mirror.sql";
    "handlers" "../sql/36_handlers.sql";
    "maintenance" "../sql/37_maintenance.sql";
    "administrators" "../sql/40_administrators.sql";
    "api" "../sql/45_api.sql";
    "backend_api" "../sql/47_backend_api.sql" uses set_secret_key drop_secret_key secret_keys;
    "sync" "../sql/50_sync.sql";
    "handover" "../sql/55_handover.sql";
    "requests" "../sql/56_requests.sql";
    "realtime" "../sql/57_realtime.sql";
    "foreign_names" "../sql/58_foreign_names.sql";
    "doctor_findings" "../sql/60_doctor_findings.sql";
    "doctor_identity" "../sql/60_doctor_identity.sql";
    "doctor_vault" "../sql/60_doctor_vault.sql" uses unreadable_secrets;
    "doctor_webhooks" "../sql/60_doctor_webhooks.sql" uses webhook_signing_secrets;
    "doctor_server" "../sql/60_doctor_server.sql";
    "doctor_privileges" "../sql/60_doctor_privileges.sql";
    "doctor_logging" "../sql/60_doctor_logging.sql";
    "doctor_claim_casts" "../sql/60_doctor_claim_casts.sql" uses sql_code;
    "doctor_policies" "../sql/60_doctor_policies.sql";
    "doctor_tables" "../sql/60_doctor_tables.sql";
    "doctor_claims" "../sql/60_doctor_claims.sql";
    "doctor_sync" "../sql/61_doctor_sync.sql" uses secret_keys;
    "doctor_maintenance" "../sql/61_doctor_maintenance.sql";
    "doctor_handover" "../sql/61_doctor_handover.sql" uses jwt_secret_fault;
    "doctor_online" "../sql/62_doctor_online.sql";
    "status" "../sql/68_status.sql";
    "doctor" "../sql/69_doctor.sql";
    "leaving" "../sql/70_leaving.sql";
    "ejected_identity" "../sql/71_ejected_identity.sql";
    "ejected_authorization" "../sql/72_ejected_authorization.sql";
    "ejected_mirror" "../sql/73_ejected_mirror.sql" uses eject_text;
    "ejected_application" "../sql/74_ejected_application.sql" uses eject_body;
    "uninstall" "../sql/75_uninstall.sql";
    "doctor_additions" "../sql/76_doctor_additions.sql";
    "comments" "../sql/80_comments.sql" uses
        configure configure_requests configure_mirror refresh_jwks remove_instance set_identity_source
        add_webhook_signing_secret drop_webhook_signing_secret webhook_signing_secrets inspect_jwt
        authenticate clear_authentication whoami jwt_secret_fault sql_code;
}
extension_sql_file!("../sql/90_grants.sql", name = "grants", finalize);

/// What `cargo pgrx test` needs to start its server.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["clerk.allow_http_loopback = on"]
    }
}
