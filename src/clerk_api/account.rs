//! Where an instance's Backend API is, and the secret key that opens it.

use clerk_core::backend_api::{ApiFault, Cause, FaultKind, SecretKey};
use clerk_core::{Jwk, quote};
use pgrx::prelude::*;

use crate::operations::sql;
use crate::operations::vault::{self, IN_VAULT};

/// An instance as the Backend API is asked about it.
pub struct Account {
    pub issuer: String,
    pub api_url: String,
    pub key: SecretKey,
    /// The key's name in `clerk.secrets`.
    pub fingerprint: String,
    /// What is known of the instance: its id, and its public keys as (kid, modulus).
    instance_id: Option<String>,
    keys: Vec<(String, String)>,
}

/// A row of `clerk.instances` with its secret key, if it has one.
struct Row {
    environment: String,
    api_url: String,
    instance_id: Option<String>,
    fingerprint: Option<String>,
    secret: Option<String>,
    vault_name: Option<String>,
}

impl Account {
    /// Reads it from the tables, in the running transaction.
    pub fn read(issuer: &str) -> Result<Self, ApiFault> {
        let row = row(issuer).ok_or_else(|| {
            let message = format!("no instance with issuer {} is configured", quote(issuer));
            fault(
                message,
                "SELECT issuer FROM clerk.instances lists the configured ones.",
            )
        })?;
        let Some(fingerprint) = row.fingerprint else {
            return Err(fault(
                format!("instance {} has no secret key", quote(issuer)),
                "Run SELECT clerk.set_secret_key('sk_…') with the key from the API keys page of Clerk's dashboard.",
            ));
        };
        let text = match (&row.secret, &row.vault_name) {
            (Some(secret), _) => secret.clone(),
            (None, name) => vault::find(name.as_deref().unwrap_or_default())
                .map_err(|error| fault(error.message().to_owned(), error.hint()))?,
        };
        let key = SecretKey::parse(&text).map_err(|error| {
            fault(
                format!("the secret key {} cannot be used: {error}", quote(&fingerprint)),
                right_key(&fingerprint),
            )
        })?;
        if key.environment.as_str() != row.environment {
            return Err(fault(
                format!(
                    "the secret key {} is of a {} instance, but {} is a {} instance",
                    quote(&fingerprint),
                    key.environment.as_str(),
                    quote(issuer),
                    row.environment
                ),
                right_key(&fingerprint),
            ));
        }
        Ok(Self {
            keys: keys(issuer),
            issuer: issuer.to_owned(),
            api_url: row.api_url,
            key,
            fingerprint,
            instance_id: row.instance_id,
        })
    }

    /// Whether the secret key opens this instance and not another one, whose objects would be taken for ours, and ours for
    /// deleted: `theirs` are the public keys of the instance that it opens. Their kid is Clerk's id of the instance.
    pub fn refuse_another_instance(&self, theirs: &[Jwk]) -> Result<(), ApiFault> {
        let is_known_key = |key: &Jwk| self.keys.iter().any(|(kid, n)| *kid == key.kid && *n == key.n);
        // A key that was just rotated is not known yet, but has the same kid.
        let has_our_id = |key: &Jwk| self.instance_id.as_ref() == Some(&key.kid);
        if theirs.iter().any(|key| is_known_key(key) || has_our_id(key)) {
            return Ok(());
        }
        if self.keys.is_empty() && self.instance_id.is_none() {
            return Err(fault(
                format!(
                    "it cannot be told whether the secret key is of instance {}, because neither a key nor the id of that is known",
                    quote(&self.issuer)
                ),
                "Give its id: SELECT * FROM clerk.configure(issuer => …, instance_id => 'ins_…').",
            ));
        }
        let kid = theirs.first().map_or("", |key| &key.kid);
        Err(fault(
            format!(
                "the secret key {} is of another instance, {}, and not of {}",
                quote(&self.fingerprint),
                quote(kid),
                quote(&self.issuer)
            ),
            right_key(&self.fingerprint),
        ))
    }

    /// Whether the key is still the instance's, and the API where it was.
    pub fn is_current(&self) -> bool {
        row(&self.issuer).is_some_and(|row| {
            row.fingerprint.as_ref() == Some(&self.fingerprint) && row.api_url == self.api_url
        })
    }

    /// Notes that the key was used, to the minute.
    pub fn note_use(&self) {
        let note = "INSERT INTO clerk.secret_uses AS u (kind, fingerprint, last_used_at)
             SELECT s.kind, s.fingerprint, pg_catalog.clock_timestamp() FROM clerk.secrets AS s
             WHERE s.kind OPERATOR(pg_catalog.=) 'secret_key' AND s.fingerprint OPERATOR(pg_catalog.=) $1
             ON CONFLICT (kind, fingerprint) DO UPDATE SET last_used_at = excluded.last_used_at
             WHERE u.last_used_at OPERATOR(pg_catalog.<)
                   (excluded.last_used_at OPERATOR(pg_catalog.-) '1 minute'::pg_catalog.interval)";
        sql::run(note, &[self.fingerprint.as_str().into()]);
    }
}

/// How the instance gets its own secret key. One in a vault is changed there, and stays where it is.
fn right_key(fingerprint: &str) -> &'static str {
    match fingerprint.strip_prefix(IN_VAULT) {
        Some(_) => {
            "Put the secret key of this instance, from the API keys page of Clerk's dashboard, into the vault under that name: SELECT \
             vault.update_secret(id, 'sk_…')."
        }
        None => {
            "Copy the secret key of this instance from the API keys page of Clerk's dashboard and run SELECT \
             clerk.set_secret_key(secret => …, issuer => …)."
        }
    }
}

fn fault(message: String, hint: &str) -> ApiFault {
    ApiFault::new(FaultKind::Final, message, hint).caused_by(Cause::Settings)
}

fn row(issuer: &str) -> Option<Row> {
    let select = "SELECT i.environment, i.api_url, i.instance_id, s.fingerprint, s.secret, s.vault_name
         FROM clerk.instances AS i LEFT JOIN clerk.secrets AS s
              ON s.issuer OPERATOR(pg_catalog.=) i.issuer AND s.kind OPERATOR(pg_catalog.=) 'secret_key'
         WHERE i.issuer OPERATOR(pg_catalog.=) $1";
    sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, Some(1), &[issuer.into()])?;
            let read = |row: pgrx::spi::SpiHeapTupleData| {
                Ok::<_, pgrx::spi::Error>(Row {
                    environment: sql::required(row.get(1)?, "environment"),
                    api_url: sql::required(row.get(2)?, "api_url"),
                    instance_id: row.get(3)?,
                    fingerprint: row.get(4)?,
                    secret: row.get(5)?,
                    vault_name: row.get(6)?,
                })
            };
            rows.map(read).next().transpose()
        })
    })
}

fn keys(issuer: &str) -> Vec<(String, String)> {
    let select = "SELECT k.kid, k.n FROM clerk.jwks AS k WHERE k.issuer OPERATOR(pg_catalog.=) $1";
    sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, None, &[issuer.into()])?;
            rows.map(|row| Ok((sql::required(row.get(1)?, "kid"), sql::required(row.get(2)?, "n"))))
                .collect::<Result<Vec<_>, pgrx::spi::Error>>()
        })
    })
}
