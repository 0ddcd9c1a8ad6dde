//! Secret keys of the Backend API: set, dropped and listed, and never shown.

use clerk_core::backend_api::{SecretKey, SecretKeyError};
use clerk_core::quote;
use pgrx::prelude::*;

use super::secrets::instance_for;
use super::sql;
use super::vault::{self, IN_VAULT};
use crate::error::Fault;
use crate::pg::hidden_statement::HiddenStatement;

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn set_secret_key(secret: Option<&str>, issuer: default!(Option<&str>, "NULL")) -> Option<String> {
    let _hidden = HiddenStatement::enter();
    let (key, vault_name) = read(secret?.trim()).unwrap_or_else(|fault| fault.raise());
    let instance = instance_for(issuer);
    if key.environment.as_str() != instance.environment {
        Fault::argument(
            format!(
                "the secret key is of a {} instance, but {} is a {} instance",
                key.environment.as_str(),
                quote(&instance.issuer),
                instance.environment
            ),
            "Development instances have keys that start with sk_test_, production instances sk_live_. Name the instance with issuer => … \
             if there are several.",
        )
        .raise();
    }
    let fingerprint = match &vault_name {
        Some(name) => format!("{IN_VAULT}{name}"),
        None => key.fingerprint.clone(),
    };
    refuse_another_instances(&key, &fingerprint, &instance.issuer);
    forget(&instance.issuer);
    let literal = vault_name.is_none().then(|| secret.unwrap_or_default().trim());
    let insert = "INSERT INTO clerk.secrets (kind, fingerprint, issuer, secret, vault_name)
         VALUES ('secret_key', $1, $2, $3, $4)";
    sql::run(
        insert,
        &[
            fingerprint.as_str().into(),
            instance.issuer.as_str().into(),
            literal.into(),
            vault_name.into(),
        ],
    );
    Some(fingerprint)
}

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn drop_secret_key(issuer: default!(Option<&str>, "NULL")) -> bool {
    let issuer = instance_for(issuer).issuer;
    let was_there = listed().iter().any(|listed| listed.issuer == issuer);
    forget(&issuer);
    was_there
}

#[pg_extern(stable, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn secret_keys() -> TableIterator<
    'static,
    (
        name!(issuer, String),
        name!(fingerprint, String),
        name!(vault_name, Option<String>),
        name!(environment, Option<String>),
        name!(created_at, Option<TimestampWithTimeZone>),
        name!(last_used_at, Option<TimestampWithTimeZone>),
    ),
> {
    let rows = listed().into_iter().map(|listed| {
        let environment = listed.key().map(|key| key.environment.as_str().to_owned());
        (
            listed.issuer,
            listed.fingerprint,
            listed.vault_name,
            environment,
            listed.created_at,
            listed.last_used_at,
        )
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// `sk_…`, or `vault:` and the name of one that the vault has; with that name.
fn read(text: &str) -> Result<(SecretKey, Option<String>), Fault> {
    let Some(name) = text.strip_prefix(IN_VAULT) else {
        let key = SecretKey::parse(text).map_err(|error| Fault::argument(error.0, SecretKeyError::HINT))?;
        return Ok((key, None));
    };
    if name.is_empty() || name.starts_with("sk_") {
        return Err(Fault::argument(
            "vault: must be followed by the name of a secret in the vault",
            "Pass vault:NAME, or the secret key itself without vault: before it.",
        ));
    }
    Ok((in_vault(name)?, Some(name.to_owned())))
}

/// The secret key that a vault keeps under that name, or why there is none.
pub(super) fn in_vault(name: &str) -> Result<SecretKey, Fault> {
    SecretKey::parse(&vault::find(name)?).map_err(|error| {
        let message = format!("the vault's secret {} cannot be used: {error}", quote(name));
        Fault::argument(message, SecretKeyError::HINT)
    })
}

/// What a key opens is one instance, whose objects must not be taken for another's.
fn refuse_another_instances(key: &SecretKey, fingerprint: &str, issuer: &str) {
    let is_same = |listed: &Listed| {
        listed.fingerprint == fingerprint
            || listed
                .key()
                .is_some_and(|other| other.fingerprint == key.fingerprint)
    };
    if let Some(other) = listed()
        .iter()
        .find(|listed| listed.issuer != issuer && is_same(listed))
    {
        Fault::argument(
            format!("the secret key already belongs to instance {}", quote(&other.issuer)),
            format!(
                "Every instance has a secret key of its own. If the other instance is wrong, run SELECT clerk.drop_secret_key({}) first.",
                quote(&other.issuer)
            ),
        )
        .raise();
    }
}

fn forget(issuer: &str) {
    let uses = "DELETE FROM clerk.secret_uses AS u USING clerk.secrets AS s
         WHERE s.issuer OPERATOR(pg_catalog.=) $1 AND s.kind OPERATOR(pg_catalog.=) 'secret_key'
           AND u.kind OPERATOR(pg_catalog.=) s.kind AND u.fingerprint OPERATOR(pg_catalog.=) s.fingerprint";
    let keys = "DELETE FROM clerk.secrets AS s
         WHERE s.issuer OPERATOR(pg_catalog.=) $1 AND s.kind OPERATOR(pg_catalog.=) 'secret_key'";
    for statement in [uses, keys] {
        sql::run(statement, &[issuer.into()]);
    }
}

/// A secret key and its last use.
struct Listed {
    issuer: String,
    fingerprint: String,
    secret: Option<String>,
    vault_name: Option<String>,
    created_at: Option<TimestampWithTimeZone>,
    last_used_at: Option<TimestampWithTimeZone>,
}

impl Listed {
    /// The key, wherever it is kept; None if it cannot be used.
    fn key(&self) -> Option<SecretKey> {
        match &self.vault_name {
            Some(name) => in_vault(name).ok(),
            None => SecretKey::parse(self.secret.as_deref()?).ok(),
        }
    }
}

/// The secret keys, oldest first.
fn listed() -> Vec<Listed> {
    let select = "SELECT s.issuer, s.fingerprint, s.secret, s.vault_name, s.created_at, u.last_used_at
         FROM clerk.secrets AS s LEFT JOIN clerk.secret_uses AS u
              ON u.kind OPERATOR(pg_catalog.=) s.kind AND u.fingerprint OPERATOR(pg_catalog.=) s.fingerprint
         WHERE s.kind OPERATOR(pg_catalog.=) 'secret_key' ORDER BY s.created_at, s.issuer";
    sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, None, &[])?;
            rows.map(|row| {
                Ok(Listed {
                    issuer: sql::required(row.get(1)?, "issuer"),
                    fingerprint: sql::required(row.get(2)?, "fingerprint"),
                    secret: row.get(3)?,
                    vault_name: row.get(4)?,
                    created_at: row.get(5)?,
                    last_used_at: row.get(6)?,
                })
            })
            .collect()
        })
    })
}
