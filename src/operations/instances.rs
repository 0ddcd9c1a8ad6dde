//! The rows of `clerk.instances` as an administrator's calls read and write them.

use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

use super::sql::{self, required};
use crate::mirror::forget::Scope;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    pub issuer: String,
    pub other_issuers: Vec<String>,
    pub environment: String,
    pub publishable_key: Option<String>,
    /// None: keys are only ever imported.
    pub jwks_url: Option<String>,
    /// Where the Backend API is.
    pub api_url: String,
    pub authorized_parties: Vec<String>,
    pub allow_missing_azp: bool,
    pub audiences: Vec<String>,
    pub accept_template_tokens: bool,
    pub treat_pending_as_signed_out: bool,
    /// Clerk's id of the instance. None: not known, and events of any are accepted.
    pub instance_id: Option<String>,
    /// Tables that its events fill.
    pub mirror: Vec<String>,
    pub exclude_fields: Vec<String>,
    pub keep_private_metadata: bool,
    pub keep_event_attributes: bool,
}

impl Instance {
    /// Whether tokens with this `iss` belong to the instance.
    pub fn answers_to(&self, issuer: &str) -> bool {
        self.issuer == issuer || self.other_issuers.iter().any(|other| other == issuer)
    }

    /// Its rows in the mirror and the ledger.
    pub fn rows(&self) -> Scope<'_> {
        Scope {
            instance_id: self.instance_id.as_deref(),
            is_only: all().iter().all(|other| other.issuer == self.issuer),
        }
    }
}

/// Every instance, locked against other administrators until the transaction ends. Readers are not held up.
pub fn lock_all() -> Vec<Instance> {
    sql::run("LOCK TABLE clerk.instances IN SHARE ROW EXCLUSIVE MODE", &[]);
    all()
}

/// Every instance, in the order in which they were configured.
pub fn all() -> Vec<Instance> {
    let select = "SELECT i.issuer, i.other_issuers, i.environment, i.publishable_key, i.jwks_url, i.authorized_parties,
                i.allow_missing_azp, i.audiences, i.accept_template_tokens, i.treat_pending_as_signed_out,
                i.instance_id, i.mirror, i.exclude_fields, i.keep_private_metadata, i.keep_event_attributes, i.api_url
         FROM clerk.instances AS i ORDER BY i.created_at, i.issuer";
    sql::query(|| {
        Spi::connect(|client| {
            client
                .select(select, None, &[])?
                .map(read)
                .collect::<Result<Vec<_>, _>>()
        })
    })
}

fn read(row: SpiHeapTupleData) -> Result<Instance, pgrx::spi::Error> {
    let list = |column, name| Ok::<_, pgrx::spi::Error>(sql::texts(row.get(column)?, name));
    Ok(Instance {
        issuer: required(row.get(1)?, "issuer"),
        other_issuers: list(2, "other_issuers")?,
        environment: required(row.get(3)?, "environment"),
        publishable_key: row.get(4)?,
        jwks_url: row.get(5)?,
        authorized_parties: list(6, "authorized_parties")?,
        allow_missing_azp: required(row.get(7)?, "allow_missing_azp"),
        audiences: list(8, "audiences")?,
        accept_template_tokens: required(row.get(9)?, "accept_template_tokens"),
        treat_pending_as_signed_out: required(row.get(10)?, "treat_pending_as_signed_out"),
        instance_id: row.get(11)?,
        mirror: list(12, "mirror")?,
        exclude_fields: list(13, "exclude_fields")?,
        keep_private_metadata: required(row.get(14)?, "keep_private_metadata"),
        keep_event_attributes: required(row.get(15)?, "keep_event_attributes"),
        api_url: required(row.get(16)?, "api_url"),
    })
}

/// Writes the instance, in place of `former` if that is its name until now.
pub fn save(instance: &Instance, former: Option<&str>) {
    if let Some(former) = former.filter(|former| *former != instance.issuer) {
        let rename = "UPDATE clerk.instances AS i SET issuer = $2 WHERE i.issuer OPERATOR(pg_catalog.=) $1";
        sql::run(rename, &[former.into(), instance.issuer.as_str().into()]);
    }
    let upsert = "INSERT INTO clerk.instances AS i (issuer, other_issuers, environment, publishable_key, jwks_url,
                authorized_parties, allow_missing_azp, audiences, accept_template_tokens, treat_pending_as_signed_out,
                instance_id, mirror, exclude_fields, keep_private_metadata, keep_event_attributes, api_url)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (issuer) DO UPDATE
         SET other_issuers = excluded.other_issuers, environment = excluded.environment,
             publishable_key = excluded.publishable_key, jwks_url = excluded.jwks_url,
             authorized_parties = excluded.authorized_parties, allow_missing_azp = excluded.allow_missing_azp,
             audiences = excluded.audiences, accept_template_tokens = excluded.accept_template_tokens,
             treat_pending_as_signed_out = excluded.treat_pending_as_signed_out,
             instance_id = excluded.instance_id, mirror = excluded.mirror, exclude_fields = excluded.exclude_fields,
             keep_private_metadata = excluded.keep_private_metadata,
             keep_event_attributes = excluded.keep_event_attributes, api_url = excluded.api_url,
             updated_at = pg_catalog.clock_timestamp()";
    sql::run(
        upsert,
        &[
            instance.issuer.as_str().into(),
            instance.other_issuers.clone().into(),
            instance.environment.as_str().into(),
            instance.publishable_key.clone().into(),
            instance.jwks_url.clone().into(),
            instance.authorized_parties.clone().into(),
            instance.allow_missing_azp.into(),
            instance.audiences.clone().into(),
            instance.accept_template_tokens.into(),
            instance.treat_pending_as_signed_out.into(),
            instance.instance_id.clone().into(),
            instance.mirror.clone().into(),
            instance.exclude_fields.clone().into(),
            instance.keep_private_metadata.into(),
            instance.keep_event_attributes.into(),
            instance.api_url.as_str().into(),
        ],
    );
}

/// Removes the instance. Its keys and secrets go with it; said in so many words, because in replica mode nothing cascades.
pub fn delete(issuer: &str) {
    delete_keys(issuer);
    for statement in [
        "DELETE FROM clerk.jwks_fetches AS f WHERE f.issuer OPERATOR(pg_catalog.=) $1",
        "DELETE FROM clerk.token_problems AS p WHERE p.issuer OPERATOR(pg_catalog.=) $1",
        "DELETE FROM clerk.api_budgets AS b WHERE b.issuer OPERATOR(pg_catalog.=) $1",
        "DELETE FROM clerk.secret_uses AS u USING clerk.secrets AS s
         WHERE s.issuer OPERATOR(pg_catalog.=) $1 AND s.kind OPERATOR(pg_catalog.=) u.kind
           AND s.fingerprint OPERATOR(pg_catalog.=) u.fingerprint",
        "DELETE FROM clerk.secrets AS s WHERE s.issuer OPERATOR(pg_catalog.=) $1",
        "DELETE FROM clerk.sync_steps AS s USING clerk.sync_runs AS r
         WHERE r.issuer OPERATOR(pg_catalog.=) $1 AND s.run_id OPERATOR(pg_catalog.=) r.id",
        "DELETE FROM clerk.sync_runs AS r WHERE r.issuer OPERATOR(pg_catalog.=) $1",
        "DELETE FROM clerk.sync_watermarks AS w WHERE w.issuer OPERATOR(pg_catalog.=) $1",
        "DELETE FROM clerk.instances AS i WHERE i.issuer OPERATOR(pg_catalog.=) $1",
    ] {
        sql::run(statement, &[issuer.into()]);
    }
}

/// Forgets the instance's keys.
pub fn delete_keys(issuer: &str) {
    sql::run(
        "DELETE FROM clerk.jwks AS k WHERE k.issuer OPERATOR(pg_catalog.=) $1",
        &[issuer.into()],
    );
}

/// How many keys the instance has.
pub fn count_keys(issuer: &str) -> i32 {
    count(
        "SELECT pg_catalog.count(*)::pg_catalog.int4 FROM clerk.jwks AS k WHERE k.issuer OPERATOR(pg_catalog.=) $1",
        issuer,
    )
}

/// How many of them were fetched.
pub fn count_fetched_keys(issuer: &str) -> i32 {
    let fetched = "SELECT pg_catalog.count(*)::pg_catalog.int4 FROM clerk.jwks AS k
         WHERE k.issuer OPERATOR(pg_catalog.=) $1 AND k.origin OPERATOR(pg_catalog.=) 'fetched'";
    count(fetched, issuer)
}

fn count(count: &str, issuer: &str) -> i32 {
    let read = || {
        Spi::connect(|client| {
            client
                .select(count, Some(1), &[issuer.into()])?
                .first()
                .get_one::<i32>()
        })
    };
    sql::query(read).unwrap_or(0)
}
