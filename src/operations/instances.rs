//! The rows of `clerk.instances` as an administrator's calls read and write them.

use pgrx::prelude::*;
use pgrx::spi::SpiHeapTupleData;

use super::sql;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    pub issuer: String,
    pub other_issuers: Vec<String>,
    pub environment: String,
    pub publishable_key: Option<String>,
    /// None: keys are only ever imported.
    pub jwks_url: Option<String>,
    pub authorized_parties: Vec<String>,
    pub allow_missing_azp: bool,
    pub audiences: Vec<String>,
    pub accept_template_tokens: bool,
    pub treat_pending_as_signed_out: bool,
}

impl Instance {
    /// Whether tokens with this `iss` belong to the instance.
    pub fn answers_to(&self, issuer: &str) -> bool {
        self.issuer == issuer || self.other_issuers.iter().any(|other| other == issuer)
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
                i.allow_missing_azp, i.audiences, i.accept_template_tokens, i.treat_pending_as_signed_out
         FROM clerk.instances AS i ORDER BY i.created_at, i.issuer";
    Spi::connect(|client| {
        client
            .select(select, None, &[])?
            .map(read)
            .collect::<Result<Vec<_>, _>>()
    })
    .unwrap_or_else(|error| sql::fault(error))
}

fn read(row: SpiHeapTupleData) -> Result<Instance, pgrx::spi::Error> {
    let list = |column| Ok::<_, pgrx::spi::Error>(row.get::<Vec<String>>(column)?.unwrap_or_default());
    Ok(Instance {
        issuer: row.get(1)?.unwrap_or_default(),
        other_issuers: list(2)?,
        environment: row.get(3)?.unwrap_or_default(),
        publishable_key: row.get(4)?,
        jwks_url: row.get(5)?,
        authorized_parties: list(6)?,
        allow_missing_azp: row.get(7)?.unwrap_or(false),
        audiences: list(8)?,
        accept_template_tokens: row.get(9)?.unwrap_or(false),
        treat_pending_as_signed_out: row.get(10)?.unwrap_or(true),
    })
}

/// Writes the instance, in place of `former` if that is its name until now.
pub fn save(instance: &Instance, former: Option<&str>) {
    if let Some(former) = former.filter(|former| *former != instance.issuer) {
        let rename = "UPDATE clerk.instances AS i SET issuer = $2 WHERE i.issuer OPERATOR(pg_catalog.=) $1";
        sql::run(rename, &[former.into(), instance.issuer.as_str().into()]);
    }
    let upsert = "INSERT INTO clerk.instances AS i (issuer, other_issuers, environment, publishable_key, jwks_url,
                authorized_parties, allow_missing_azp, audiences, accept_template_tokens, treat_pending_as_signed_out)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (issuer) DO UPDATE
         SET other_issuers = excluded.other_issuers, environment = excluded.environment,
             publishable_key = excluded.publishable_key, jwks_url = excluded.jwks_url,
             authorized_parties = excluded.authorized_parties, allow_missing_azp = excluded.allow_missing_azp,
             audiences = excluded.audiences, accept_template_tokens = excluded.accept_template_tokens,
             treat_pending_as_signed_out = excluded.treat_pending_as_signed_out,
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
        ],
    );
}

/// Removes the instance. Its keys go with it; said in so many words, because in replica mode nothing cascades.
pub fn delete(issuer: &str) {
    delete_keys(issuer);
    let fetches = "DELETE FROM clerk.jwks_fetches AS f WHERE f.issuer OPERATOR(pg_catalog.=) $1";
    let instance = "DELETE FROM clerk.instances AS i WHERE i.issuer OPERATOR(pg_catalog.=) $1";
    sql::run(fetches, &[issuer.into()]);
    sql::run(instance, &[issuer.into()]);
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
    let count = "SELECT pg_catalog.count(*)::pg_catalog.int4 FROM clerk.jwks AS k
         WHERE k.issuer OPERATOR(pg_catalog.=) $1";
    Spi::connect(|client| {
        client
            .select(count, Some(1), &[issuer.into()])?
            .first()
            .get_one::<i32>()
    })
    .unwrap_or_else(|error| sql::fault(error))
    .unwrap_or(0)
}
