//! The functions that stay a superuser's when an ordinary role installs the extension, beside `guard_postgrest`: changing
//! PostgREST's login role, and Realtime's tenants.
//!
//! Whoever owns schema clerk may rename it and put another in its place, so nothing here calls or reads anything of ours:
//! that would run the owner's code as superuser. And whoever says which keys count can sign tokens for every role that
//! PostgREST may take on, so these functions work only where everybody who owns a part of that may act as all of these
//! roles anyway.

use clerk_core::quote;
use pgrx::prelude::*;

use super::{authenticator, sql};
use crate::as_role::AsRole;
use crate::call::Call;
use crate::error::Fault;
use crate::{c_function, json};

c_function!(clerk_set_authenticator_pre_config, set_authenticator_pre_config);
c_function!(clerk_write_realtime_keys, write_realtime_keys);

/// `set_authenticator_pre_config(install boolean)`, strict: for this database only. Taking out asks for the same rights as
/// putting in, because what is there may be a superuser's decision.
fn set_authenticator_pre_config(call: &Call) -> Option<pg_sys::Datum> {
    // SAFETY: the argument is declared as boolean and is not NULL.
    let install = unsafe { bool::from_datum(call.argument(0)?, false) }?;
    require_superuser("changes a setting of role authenticator");
    let (set, reset) = (authenticator::set_pre_config(), authenticator::reset_pre_config());
    if install {
        let guard = authenticator::switch_guard(true);
        refuse_lesser_owners(&format!(
            "install the setting yourself: {guard}; {set}; GRANT EXECUTE ON FUNCTION clerk.postgrest_config() TO authenticator"
        ));
        sql::run(&guard, &[]);
        sql::run(&set, &[]);
    } else {
        refuse_lesser_owners(&format!("take the setting out yourself: {reset}"));
        sql::run(&reset, &[]);
        // Where nothing calls us it would only ask for the library at every command that drops something.
        sql::run(
            &authenticator::switch_guard(!authenticator::resets().is_empty()),
            &[],
        );
    }
    Some(pg_sys::Datum::null())
}

/// `write_realtime_keys(jwks jsonb)`, strict: gives every tenant that has another key set this one, and answers how many there
/// are and how many changed.
fn write_realtime_keys(call: &Call) -> Option<pg_sys::Datum> {
    let jwks = json::text_of(call.argument(0)?);
    require_superuser("writes Realtime's table of tenants");
    refuse_lesser_owners(
        "write the keys yourself, as the owner of that table: UPDATE _realtime.tenants SET jwt_jwks = …",
    );
    let owner = tenants_owner();
    // The table's owner answers for its triggers, here as whenever Realtime writes it.
    let _as_owner = AsRole::enter(owner);
    let update = "UPDATE _realtime.tenants AS t SET jwt_jwks = ($1::pg_catalog.text)::pg_catalog.jsonb
         WHERE t.jwt_jwks IS DISTINCT FROM ($1::pg_catalog.text)::pg_catalog.jsonb";
    let (tenants, changed) = sql::query(|| {
        Spi::connect_mut(|client| {
            let changed = client.update(update, None, &[jwks.as_str().into()])?.len();
            let count = "SELECT pg_catalog.count(*) FROM _realtime.tenants";
            let tenants = client.update(count, Some(1), &[])?.first().get_one::<i64>()?;
            Ok::<_, pgrx::spi::Error>((tenants.unwrap_or_default(), changed))
        })
    });
    let answer = format!(r#"{{"tenants": {tenants}, "changed": {changed}}}"#);
    Some(json::to_datum(&json::to_jsonb(&answer)))
}

/// Who owns `_realtime.tenants`, if that is Realtime's table; it stays so until the transaction ends.
fn tenants_owner() -> pg_sys::Oid {
    let not_realtimes = |why: &str| -> ! {
        Fault::prerequisite(
            format!("_realtime.tenants is not used: {why}"),
            "Realtime makes the table itself, in the database that its DB_NAME names.",
        )
        .raise()
    };
    // Readable by no others, so looked at as a superuser; the lock keeps it from being renamed or given away.
    let exists = "SELECT pg_catalog.to_regclass('_realtime.tenants') IS NOT NULL";
    let check = "SELECT c.relowner,
                c.relkind OPERATOR(pg_catalog.=) 'r',
                EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                        WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'jwt_jwks'
                          AND a.atttypid OPERATOR(pg_catalog.=) 'pg_catalog.jsonb'::pg_catalog.regtype),
                NOT (o.rolsuper AND NOT s.rolsuper) AND (s.rolsuper OR o.oid OPERATOR(pg_catalog.=) s.oid)
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t
                        JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
                        JOIN pg_catalog.pg_roles AS w ON w.oid OPERATOR(pg_catalog.=) p.proowner
                        WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND o.rolsuper AND NOT w.rolsuper)
         FROM pg_catalog.pg_class AS c
         JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
         JOIN pg_catalog.pg_roles AS o ON o.oid OPERATOR(pg_catalog.=) c.relowner
         JOIN pg_catalog.pg_roles AS s ON s.oid OPERATOR(pg_catalog.=) n.nspowner
         WHERE c.oid OPERATOR(pg_catalog.=) '_realtime.tenants'::pg_catalog.regclass";
    let row = sql::query(|| {
        Spi::connect_mut(|client| {
            if client.update(exists, Some(1), &[])?.first().get_one::<bool>()? != Some(true) {
                return Ok::<_, pgrx::spi::Error>(None);
            }
            client.update(
                "LOCK TABLE ONLY _realtime.tenants IN ROW EXCLUSIVE MODE",
                None,
                &[],
            )?;
            let row = client.update(check, Some(1), &[])?.first();
            Ok(Some((
                row.get::<pg_sys::Oid>(1)?,
                row.get::<bool>(2)?,
                row.get::<bool>(3)?,
                row.get::<bool>(4)?,
            )))
        })
    });
    match row {
        Some((Some(owner), Some(true), Some(true), Some(true))) => owner,
        None => not_realtimes("there is no such table in this database"),
        Some((_, Some(true), Some(true), _)) => {
            not_realtimes("others than its owner and superusers decide what runs when it is written")
        }
        Some(_) => not_realtimes("it is no table with a column jwt_jwks of type jsonb"),
    }
}

/// These functions are SECURITY DEFINER; somebody may have given them to an ordinary role.
fn require_superuser(what: &str) {
    // SAFETY: looks at the current role.
    if !unsafe { pg_sys::superuser() } {
        Fault::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!("this function {what} and does not belong to a superuser any more"),
            "As a superuser run ALTER FUNCTION … OWNER TO a superuser, or do by hand what docs/runbook.md says.",
        )
        .raise();
    }
}

/// Raises if an owner of anything in schema clerk may not act as every role that PostgREST can take on. `by_hand` is what a
/// superuser can do instead.
fn refuse_lesser_owners(by_hand: &str) {
    let lesser = "WITH keeper AS (
             SELECT n.oid, n.nspowner AS role FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'clerk'
         ), owner AS (
             SELECT k.role FROM keeper AS k
             UNION SELECT p.proowner FROM keeper AS k JOIN pg_catalog.pg_proc AS p ON p.pronamespace OPERATOR(pg_catalog.=) k.oid
             UNION SELECT c.relowner FROM keeper AS k JOIN pg_catalog.pg_class AS c ON c.relnamespace OPERATOR(pg_catalog.=) k.oid
         )
         SELECT pg_catalog.min(o.rolname::pg_catalog.text COLLATE \"C\"),
                pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.rolname), ', ')
         FROM owner
         JOIN pg_catalog.pg_roles AS o ON o.oid OPERATOR(pg_catalog.=) owner.role
         JOIN pg_catalog.pg_roles AS r ON pg_catalog.pg_has_role('authenticator', r.oid, 'MEMBER')
              AND r.rolname OPERATOR(pg_catalog.<>) 'authenticator'
         WHERE NOT pg_catalog.pg_has_role(owner.role, r.oid, 'MEMBER')";
    let (owner, roles) = sql::query(|| {
        Spi::connect(|client| {
            client
                .select(lesser, Some(1), &[])?
                .first()
                .get_two::<String, String>()
        })
    });
    if let (Some(owner), Some(roles)) = (owner, roles) {
        Fault::new(
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            format!(
                "role {} owns a part of clerk_sync and may not act as {roles}, as which tokens that it lets in could act",
                quote(&owner)
            ),
            format!(
                "If it may be trusted with that, as a superuser run GRANT {roles} TO {}; or {by_hand}.",
                pgrx::spi::quote_identifier(&owner)
            ),
        )
        .raise();
    }
}
