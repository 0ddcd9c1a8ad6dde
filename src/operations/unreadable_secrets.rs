//! Why a secret that a vault keeps cannot be read, for `clerk.doctor()`.

use pgrx::PgSqlErrorCode;
use pgrx::prelude::*;

use super::{secret_keys, secrets, sql, vault};
use crate::error::Fault;
use crate::pg::extension;

/// The secrets in a vault that cannot be used now, with the reason in a word, as a sentence, and what to do.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn unreadable_secrets() -> TableIterator<
    'static,
    (
        name!(kind, String),
        name!(fingerprint, String),
        name!(vault_name, String),
        name!(reason, String),
        name!(problem, String),
        name!(hint, String),
    ),
> {
    let rows = kept_in_vault()
        .into_iter()
        .filter_map(|(kind, fingerprint, name)| {
            let (reason, fault) = match vault::find(&name) {
                Err(fault) => (reason(&fault), fault),
                Ok(_) if kind == "secret_key" => ("wrong form", secret_keys::in_vault(&name).err()?),
                Ok(_) => ("wrong form", secrets::in_vault(&name).err()?),
            };
            let (problem, hint) = (fault.message().to_owned(), fault.hint().to_owned());
            Some((kind, fingerprint, name, reason.to_owned(), problem, hint))
        });
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// Of what `vault::find` raises.
fn reason(fault: &Fault) -> &'static str {
    match fault.sqlstate() {
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE => "no right",
        PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE => "not decrypted",
        PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE => "several names",
        _ if extension::owners(c"vault", c"decrypted_secrets").is_none() => "no vault",
        _ => "no name",
    }
}

/// Kind, fingerprint and name of each, oldest first.
fn kept_in_vault() -> Vec<(String, String, String)> {
    let select =
        "SELECT s.kind, s.fingerprint, s.vault_name FROM clerk.secrets AS s WHERE s.vault_name IS NOT NULL
         ORDER BY s.created_at, s.fingerprint";
    sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, None, &[])?;
            rows.map(|row| {
                Ok((
                    sql::required(row.get(1)?, "kind"),
                    sql::required(row.get(2)?, "fingerprint"),
                    sql::required(row.get(3)?, "vault_name"),
                ))
            })
            .collect()
        })
    })
}
