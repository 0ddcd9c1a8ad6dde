//! Webhook signing secrets: added, dropped and listed, and never shown.

use clerk_core::{SigningSecret, quote};
use pgrx::prelude::*;

use super::instances::Instance;
use super::vault::{self, IN_VAULT};
use super::{instances, keys, sql};
use crate::error::Fault;
use crate::mirror::setup;
use crate::pg::hidden_statement::HiddenStatement;

#[pg_extern(volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn add_webhook_signing_secret(
    secret: Option<&str>,
    issuer: default!(Option<&str>, "NULL"),
) -> Option<String> {
    let _hidden = HiddenStatement::enter();
    let secret = Secret::read(secret?.trim()).unwrap_or_else(|fault| fault.raise());
    let issuer = instance_for(issuer).issuer;
    refuse_another_instances(&secret, &issuer);
    let insert = "INSERT INTO clerk.secrets (kind, fingerprint, issuer, secret, vault_name)
         VALUES ('webhook_signing', $1, $2, $3, $4) ON CONFLICT (kind, fingerprint) DO NOTHING";
    sql::run(
        insert,
        &[
            secret.fingerprint.as_str().into(),
            issuer.into(),
            secret.literal.into(),
            secret.vault_name.into(),
        ],
    );
    Some(secret.fingerprint)
}

#[pg_extern(strict, volatile, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
fn drop_webhook_signing_secret(fingerprint: Option<&str>) {
    let _hidden = HiddenStatement::enter();
    let Some(fingerprint) = fingerprint else { return };
    instances::lock_all();
    if !listed().iter().any(|listed| listed.fingerprint == fingerprint) {
        // Not repeated: it may be the secret itself.
        Fault::missing(
            "no webhook signing secret has that fingerprint",
            "SELECT fingerprint FROM clerk.webhook_signing_secrets() lists them.",
        )
        .raise();
    }
    for table in ["secrets", "secret_uses"] {
        let delete = format!(
            "DELETE FROM clerk.{table} AS s
             WHERE s.kind OPERATOR(pg_catalog.=) 'webhook_signing' AND s.fingerprint OPERATOR(pg_catalog.=) $1"
        );
        sql::run(&delete, &[fingerprint.into()]);
    }
}

#[pg_extern(stable, parallel_unsafe, security_definer)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn webhook_signing_secrets() -> TableIterator<
    'static,
    (
        name!(fingerprint, String),
        name!(issuer, String),
        name!(vault_name, Option<String>),
        name!(created_at, Option<TimestampWithTimeZone>),
        name!(last_used_at, Option<TimestampWithTimeZone>),
        name!(usable, bool),
    ),
> {
    let rows = listed().into_iter().map(|listed| {
        let usable = listed.key_fingerprint().is_some();
        (
            listed.fingerprint,
            listed.issuer,
            listed.vault_name,
            listed.created_at,
            listed.last_used_at,
            usable,
        )
    });
    TableIterator::new(rows.collect::<Vec<_>>())
}

/// The signing secret that a vault keeps under that name, or why there is none.
pub(super) fn in_vault(name: &str) -> Result<SigningSecret, Fault> {
    SigningSecret::parse(&vault::find(name)?).map_err(|error| {
        let message = format!("the vault's secret {} cannot be used: {error}", quote(name));
        Fault::argument(message, error.hint)
    })
}

/// A secret to be added.
struct Secret {
    fingerprint: String,
    literal: Option<String>,
    vault_name: Option<String>,
    key: SigningSecret,
}

impl Secret {
    /// `whsec_…`, or `vault:` and the name of one that the vault has.
    fn read(text: &str) -> Result<Self, Fault> {
        let Some(name) = text.strip_prefix(IN_VAULT) else {
            return Self::of_literal(text);
        };
        if name.is_empty() || name.starts_with("whsec_") {
            return Err(Fault::argument(
                "vault: must be followed by the name of a secret in the vault",
                "Pass vault:NAME, or the secret itself without vault: before it.",
            ));
        }
        Ok(Self {
            fingerprint: text.to_owned(),
            literal: None,
            vault_name: Some(name.to_owned()),
            key: in_vault(name)?,
        })
    }

    /// Without whsec_ many a word would pass for base64, also the name of a vault's secret.
    fn of_literal(text: &str) -> Result<Self, Fault> {
        let key = SigningSecret::parse(text).map_err(|error| Fault::argument(error.message, error.hint))?;
        if !text.starts_with("whsec_") {
            return Err(Fault::argument(
                "the signing secret does not start with whsec_",
                "Copy the endpoint's Signing Secret from the Clerk Dashboard, under Webhooks, or pass vault:NAME.",
            ));
        }
        Ok(Self {
            fingerprint: key.fingerprint().to_owned(),
            literal: Some(text.to_owned()),
            vault_name: None,
            key,
        })
    }
}

/// The instance with that issuer, or the only one; locked against other administrators.
pub(super) fn instance_for(issuer: Option<&str>) -> Instance {
    let instances = instances::lock_all();
    match (issuer, instances.as_slice()) {
        (Some(issuer), _) => keys::named(issuer),
        (None, [only]) => only.clone(),
        (None, []) => Fault::prerequisite(
            "no instance is configured that the secret could belong to",
            "Run SELECT * FROM clerk.configure(publishable_key => 'pk_…') first.",
        )
        .raise(),
        (None, _) => Fault::argument(
            "several instances are configured, so the secret's must be named",
            "Pass issuer => … ; SELECT issuer FROM clerk.instances lists them.",
        )
        .raise(),
    }
}

/// A delivery belongs to the instance of the secret that signed it, so that must be one.
fn refuse_another_instances(secret: &Secret, issuer: &str) {
    let same = |listed: &Listed| listed.key_fingerprint().as_deref() == Some(secret.key.fingerprint());
    if let Some(other) = listed()
        .iter()
        .find(|listed| listed.issuer != issuer && same(listed))
    {
        Fault::argument(
            format!("the secret already belongs to instance {}", quote(&other.issuer)),
            format!(
                "Every endpoint in the Clerk Dashboard has a secret of its own. If the other instance is wrong, run SELECT \
                 clerk.drop_webhook_signing_secret({}) first.",
                quote(&other.fingerprint)
            ),
        )
        .raise();
    }
}

/// A row of `clerk.secrets` and its last use, without what it keeps secret.
struct Listed {
    fingerprint: String,
    issuer: String,
    vault_name: Option<String>,
    created_at: Option<TimestampWithTimeZone>,
    last_used_at: Option<TimestampWithTimeZone>,
}

impl Listed {
    /// What tells the key itself from others, wherever it is kept; None if it cannot be used.
    fn key_fingerprint(&self) -> Option<String> {
        if let Some(name) = &self.vault_name {
            return Some(in_vault(name).ok()?.fingerprint().to_owned());
        }
        let setup = setup::current();
        let usable = setup.secrets.iter().take(setup.keys.len());
        let found = usable
            .zip(&setup.keys)
            .find(|(known, _)| known.fingerprint == self.fingerprint);
        found.map(|(_, key)| key.fingerprint().to_owned())
    }
}

/// The secrets, oldest first.
fn listed() -> Vec<Listed> {
    let select = "SELECT s.fingerprint, s.issuer, s.vault_name, s.created_at, u.last_used_at
         FROM clerk.secrets AS s LEFT JOIN clerk.secret_uses AS u
              ON u.kind OPERATOR(pg_catalog.=) s.kind AND u.fingerprint OPERATOR(pg_catalog.=) s.fingerprint
         WHERE s.kind OPERATOR(pg_catalog.=) 'webhook_signing' ORDER BY s.created_at, s.fingerprint";
    let read = || {
        Spi::connect(|client| {
            let rows = client.select(select, None, &[])?;
            rows.map(|row| {
                Ok(Listed {
                    fingerprint: sql::required(row.get(1)?, "fingerprint"),
                    issuer: sql::required(row.get(2)?, "issuer"),
                    vault_name: row.get(3)?,
                    created_at: row.get(4)?,
                    last_used_at: row.get(5)?,
                })
            })
            .collect::<Result<Vec<_>, pgrx::spi::Error>>()
        })
    };
    sql::query(read)
}
