//! Supabase Vault, where it is installed.

use clerk_core::quote;
use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use crate::as_role::AsRole;
use crate::catalog;
use crate::error::Fault;
use crate::pg::extension;
use crate::subtransaction::{attempt, sqlstate_text};

/// What stands before the name of a secret that a vault keeps.
pub const IN_VAULT: &str = "vault:";

/// The secret of that name, as the current role may read it. None if it cannot be read, for whatever reason.
pub fn read(name: &str) -> Option<String> {
    find(name).ok()
}

/// The secret of that name, or why it cannot be read.
pub fn find(name: &str) -> Result<String, Fault> {
    refuse_strange_view()?;
    // Prepared afresh every time: the vault may come and go, and a secret in it may change unnoticed.
    let select = "SELECT s.decrypted_secret::pg_catalog.text FROM vault.decrypted_secrets AS s
         WHERE s.name OPERATOR(pg_catalog.=) $1 LIMIT 2";
    let read = || {
        let _restricted = AsRole::restricted();
        Spi::connect(|client| {
            let rows = client.select(select, Some(2), &[name.into()])?;
            let count = rows.len();
            rows.first().get_one::<String>().map(|secret| (count, secret))
        })
    };
    match attempt(read) {
        Ok(Ok((1, None))) => Err(not_decrypted(name, "it is NULL")),
        Ok(Ok((2, _))) => Err(Fault::argument(
            format!("the vault has several secrets named {}", quote(name)),
            "Which one counts must not be left to chance: give each a name of its own with SELECT vault.update_secret(id, new_name => '…'); \
             SELECT id, name, created_at FROM vault.secrets lists them.",
        )),
        Ok(Ok((_, Some(secret)))) => Ok(secret),
        Ok(_) => Err(Fault::missing(
            format!("the vault has no secret named {}", quote(name)),
            "Run SELECT vault.create_secret('the secret', 'its name') first; SELECT name FROM vault.secrets lists the names.",
        )),
        Err(error) => Err(unreadable(name, error.sqlstate)),
    }
}

/// What is in the view runs as us, so it has to be that of somebody who may do all that we may: whoever can create a schema
/// could make one of that name.
fn refuse_strange_view() -> Result<(), Fault> {
    let Some(owners) = extension::owners(c"vault", c"decrypted_secrets") else {
        return Err(Fault::missing(
            "this database has no vault: there is no vault.decrypted_secrets",
            "Run CREATE EXTENSION supabase_vault, or pass the secret itself.",
        ));
    };
    // SAFETY: looks the role up; one that is gone is no superuser.
    let is_trusted =
        |role: &pg_sys::Oid| unsafe { *role == pg_sys::GetUserId() || pg_sys::superuser_arg(*role) };
    if owners.iter().all(is_trusted) {
        return Ok(());
    }
    Err(Fault::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        "vault.decrypted_secrets is not used, because it or its schema belongs to neither a superuser nor the owner of clerk_sync",
        "Drop it and install Supabase Vault as a superuser, or pass the secret itself.",
    ))
}

/// The error's own message stays here: nobody knows what a function of the vault writes into it.
fn unreadable(name: &str, sqlstate: PgSqlErrorCode) -> Fault {
    let role = catalog::current_role().name;
    if sqlstate == PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE {
        return Fault::new(
            sqlstate,
            format!(
                "the owner of clerk_sync, role {}, may not read vault.decrypted_secrets",
                quote(&role)
            ),
            "Grant it USAGE on schema vault, SELECT on vault.decrypted_secrets, and EXECUTE on the function that decrypts; clerk.doctor() \
             has the statements.",
        );
    }
    // Only rows of that name are decrypted.
    not_decrypted(name, &format!("error {}", sqlstate_text(sqlstate)))
}

/// The usual cause is a root key that is not the one it was encrypted with.
fn not_decrypted(name: &str, what: &str) -> Fault {
    Fault::prerequisite(
        format!("the vault's secret {} cannot be decrypted: {what}", quote(name)),
        "SELECT decrypted_secret FROM vault.decrypted_secrets raises why. The vault's root key is in no dump: after a restore, put the secret \
         in again with SELECT vault.update_secret(id, 'the secret').",
    )
}
