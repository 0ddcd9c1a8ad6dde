//! The settings of PostgREST's login role by which PostgREST calls functions of ours in this database.
//!
//! Read from system catalogs only: superusers' commands come here, and what an owner may exchange must not run as them.

use pgrx::prelude::*;

use super::sql;

/// The event trigger that keeps the names of these functions from being given up.
pub const GUARD: &str = "clerk_sync_guard_postgrest";

/// `ROLE authenticator IN DATABASE` this one, as ALTER wants it.
fn here() -> String {
    // SAFETY: reads a variable of the backend and a system catalog; the database that we are in has a name.
    let name = unsafe { std::ffi::CStr::from_ptr(pg_sys::get_database_name(pg_sys::MyDatabaseId)) };
    let name = pgrx::spi::quote_identifier(name.to_string_lossy());
    format!("ROLE authenticator IN DATABASE {name}")
}

/// Has PostgREST call clerk.postgrest_config() when it reads its configuration in this database.
pub fn set_pre_config() -> String {
    format!(
        "ALTER {} SET pgrst.db_pre_config = 'clerk.postgrest_config'",
        here()
    )
}

/// Takes that back.
pub fn reset_pre_config() -> String {
    format!("ALTER {} RESET pgrst.db_pre_config", here())
}

/// Switches the guard on, also for sessions that act as a replica, or off.
pub fn switch_guard(on: bool) -> String {
    format!(
        "ALTER EVENT TRIGGER {GUARD} {}",
        if on { "ENABLE ALWAYS" } else { "DISABLE" }
    )
}

/// Every setting by which PostgREST calls a function in schema clerk of this database, as the statement that takes it back:
/// those of this database, and those for all of them.
pub fn resets() -> Vec<String> {
    let select = "SELECT pg_catalog.format('ALTER ROLE authenticator %sRESET %s',
                CASE WHEN d.datname IS NOT NULL THEN pg_catalog.format('IN DATABASE %I ', d.datname) END,
                pg_catalog.split_part(config.entry, '=', 1))
         FROM pg_catalog.pg_db_role_setting AS s
         JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) s.setrole AND r.rolname OPERATOR(pg_catalog.=) 'authenticator'
         LEFT JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) s.setdatabase
         CROSS JOIN pg_catalog.unnest(s.setconfig) AS config (entry)
         WHERE (s.setdatabase OPERATOR(pg_catalog.=) 0 OR d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
           AND (pg_catalog.starts_with(config.entry, 'pgrst.db_pre_config=clerk.')
                OR pg_catalog.starts_with(config.entry, 'pgrst.db_pre_request=clerk.'))";
    sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, None, &[])?;
            rows.map(|row| Ok(row.get::<String>(1)?.unwrap_or_default()))
                .collect()
        })
    })
}
