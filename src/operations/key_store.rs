//! The only writer of `clerk.jwks` and of the record of fetches, `clerk.jwks_fetches`.

use std::time::Duration;

use clerk_core::Jwk;
use pgrx::prelude::*;

use super::sql;
use crate::workers::work_lock::WorkLock;
use crate::{settings, text_hash};

/// How keys came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Fetched,
    Imported,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Origin::Fetched => "fetched",
            Origin::Imported => "imported",
        }
    }
}

/// Makes `keys` the instance's whole set. Rows that stay as they are are not written, so that no backend's cache is
/// emptied for nothing.
pub fn replace(issuer: &str, keys: &[Jwk], origin: Origin) {
    // Before any row, so that this never waits for an administrator who waits for the row.
    sql::run("LOCK TABLE clerk.instances IN ROW EXCLUSIVE MODE", &[]);
    let column = |of: fn(&Jwk) -> Option<String>| keys.iter().map(of).collect::<Vec<_>>();
    let kids = column(|key| Some(key.kid.clone()));
    let delete = "DELETE FROM clerk.jwks AS k
         WHERE k.issuer OPERATOR(pg_catalog.=) $1 AND k.kid OPERATOR(pg_catalog.<>) ALL ($2)";
    sql::run(delete, &[issuer.into(), kids.clone().into()]);
    let upsert = "INSERT INTO clerk.jwks AS k (issuer, kid, alg, n, e, origin)
         SELECT $1, new.kid, new.alg, new.n, new.e, $6
         FROM ROWS FROM (
             pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]),
             pg_catalog.unnest($4::pg_catalog.text[]), pg_catalog.unnest($5::pg_catalog.text[])
         ) AS new (kid, alg, n, e)
         ORDER BY new.kid
         ON CONFLICT (issuer, kid) DO UPDATE
         SET alg = excluded.alg, n = excluded.n, e = excluded.e, origin = excluded.origin,
             updated_at = pg_catalog.clock_timestamp()
         WHERE (k.alg, k.n, k.e, k.origin) IS DISTINCT FROM (excluded.alg, excluded.n, excluded.e, excluded.origin)";
    sql::run(
        upsert,
        &[
            issuer.into(),
            kids.into(),
            column(|key| key.alg.clone()).into(),
            column(|key| Some(key.n.clone())).into(),
            column(|key| Some(key.e.clone())).into(),
            origin.as_str().into(),
        ],
    );
    learn_instance_id(issuer);
}

/// Clerk names an instance's key after the instance (clerk.md, 1.1). Only what is not known yet is learned.
fn learn_instance_id(issuer: &str) {
    let learn = "UPDATE clerk.instances AS i SET instance_id = k.kid
         FROM (
             SELECT pg_catalog.min(k.kid) AS kid FROM clerk.jwks AS k
             WHERE k.issuer OPERATOR(pg_catalog.=) $1 AND pg_catalog.starts_with(k.kid, 'ins_')
             HAVING pg_catalog.count(*) OPERATOR(pg_catalog.=) 1
         ) AS k
         WHERE i.issuer OPERATOR(pg_catalog.=) $1 AND i.instance_id IS NULL
           AND NOT EXISTS (SELECT FROM clerk.instances AS other WHERE other.instance_id OPERATOR(pg_catalog.=) k.kid)";
    sql::run(learn, &[issuer.into()]);
}

/// Notes the outcome of a fetch, whoever asked for it.
pub fn note_fetch(issuer: &str, error: Option<&str>) {
    let note = "INSERT INTO clerk.jwks_fetches AS f (issuer, succeeded_at, last_error, last_error_at)
         VALUES ($1, CASE WHEN $2 IS NULL THEN pg_catalog.clock_timestamp() END, $2,
                 CASE WHEN $2 IS NOT NULL THEN pg_catalog.clock_timestamp() END)
         ON CONFLICT (issuer) DO UPDATE
         SET succeeded_at = COALESCE(excluded.succeeded_at, f.succeeded_at),
             last_error = excluded.last_error,
             last_error_at = COALESCE(excluded.last_error_at, f.last_error_at)";
    sql::run(note, &[issuer.into(), error.into()]);
}

/// What a worker may fetch.
pub struct Attempt {
    pub issuer: String,
    pub jwks_url: String,
}

/// Who has keys fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A session that was shown a token, which anybody may have made up: at most one fetch per `clerk.jwks_cooldown`.
    Token,
    /// A round of maintenance: at most one fetch per [`round_gap`]. It leaves the cool-down of tokens alone, so that a token of
    /// a key that is younger than the last round need not wait for the next one.
    Round,
}

/// Begins a fetch for the instance whose issuer has that hash, unless the last one is too recent. The caller holds the instance's
/// [`fetch_lock`], and commits, so that the attempt counts whatever becomes of the fetch.
pub fn begin_attempt(issuer_hash: i64, cause: Cause) -> Option<Attempt> {
    match cause {
        Cause::Token => claim(issuer_hash),
        Cause::Round => due(Some(issuer_hash)).pop(),
    }
}

/// Starts the cool-down, unless it is running.
fn claim(issuer_hash: i64) -> Option<Attempt> {
    let claim = "INSERT INTO clerk.jwks_fetches AS f (issuer, attempted_at)
         SELECT i.issuer, pg_catalog.clock_timestamp() FROM clerk.instances AS i
         WHERE pg_catalog.hashtextextended(i.issuer, 0) OPERATOR(pg_catalog.=) $1 AND i.jwks_url IS NOT NULL
         ON CONFLICT (issuer) DO UPDATE SET attempted_at = excluded.attempted_at
         WHERE f.attempted_at IS NULL
            OR f.attempted_at OPERATOR(pg_catalog.>) excluded.attempted_at
            OR f.attempted_at OPERATOR(pg_catalog.<=)
               (excluded.attempted_at OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $2))
         RETURNING f.issuer, (SELECT i.jwks_url FROM clerk.instances AS i WHERE i.issuer OPERATOR(pg_catalog.=) f.issuer)";
    let cooldown = settings::jwks_cooldown().as_secs_f64();
    let attempt = || {
        Spi::connect_mut(|client| {
            let rows = client.update(claim, Some(1), &[issuer_hash.into(), cooldown.into()])?;
            let (issuer, url) = rows.first().get_two::<String, String>()?;
            Ok::<_, pgrx::spi::Error>(
                issuer
                    .zip(url)
                    .map(|(issuer, jwks_url)| Attempt { issuer, jwks_url }),
            )
        })
    };
    sql::query(attempt)
}

/// Whether the instance still has the URL of the attempt. Administrators cannot change it until the transaction ends.
pub fn hold_instance(attempt: &Attempt) -> bool {
    sql::run("LOCK TABLE clerk.instances IN ROW EXCLUSIVE MODE", &[]);
    let same = "SELECT i.issuer FROM clerk.instances AS i
         WHERE i.issuer OPERATOR(pg_catalog.=) $1 AND i.jwks_url OPERATOR(pg_catalog.=) $2";
    let arguments = [attempt.issuer.as_str().into(), attempt.jwks_url.as_str().into()];
    sql::query(|| {
        Spi::connect_mut(|client| client.update(same, None, &arguments).map(|rows| !rows.is_empty()))
    })
}

/// A number for an issuer, short enough for a worker's argument; the same as SQL's `hashtextextended(issuer, 0)`.
pub fn issuer_hash(issuer: &str) -> i64 {
    text_hash::of(issuer)
}

/// Lets one worker at a time fetch an instance's keys.
pub fn fetch_lock(issuer_hash: i64) -> WorkLock {
    WorkLock::of(67, issuer_hash)
}

/// Shortest time between two fetches of one instance's keys by rounds: rounds that follow one another at once, as when
/// `clerk.maintain()` is called in a loop, make no more requests than that.
fn round_gap() -> Duration {
    const LONGEST: Duration = Duration::from_secs(5);
    settings::jwks_cooldown().min(LONGEST)
}

/// Issuers of the instances whose keys a round is to fetch: all that have a URL, but for those that were fetched, or failed to be,
/// within [`round_gap`]. Those whose last fetch failed come last, so that the time of a round is not spent on them.
pub fn due_issuers() -> Vec<String> {
    due(None).into_iter().map(|attempt| attempt.issuer).collect()
}

/// A time in the future, after the clock was set back, is as bad as one long past.
fn due(issuer_hash: Option<i64>) -> Vec<Attempt> {
    let due = "SELECT i.issuer, i.jwks_url FROM clerk.instances AS i
         LEFT JOIN clerk.jwks_fetches AS f ON f.issuer OPERATOR(pg_catalog.=) i.issuer
         WHERE i.jwks_url IS NOT NULL
           AND ($2 IS NULL OR pg_catalog.hashtextextended(i.issuer, 0) OPERATOR(pg_catalog.=) $2)
           AND COALESCE(
               pg_catalog.abs(EXTRACT(epoch FROM pg_catalog.clock_timestamp()
                   OPERATOR(pg_catalog.-) GREATEST(f.attempted_at, f.succeeded_at, f.last_error_at)))
               OPERATOR(pg_catalog.>=) $1, true)
         ORDER BY f.last_error IS NOT NULL, GREATEST(f.succeeded_at, f.last_error_at) NULLS FIRST, i.issuer";
    let gap = round_gap().as_secs_f64();
    // Not `select`, which would look through the snapshot of whoever called us: a worker may just have fetched.
    sql::query(|| {
        Spi::connect_mut(|client| {
            let rows = client.update(due, None, &[gap.into(), issuer_hash.into()])?;
            rows.map(|row| {
                Ok(Attempt {
                    issuer: sql::required(row.get(1)?, "issuer"),
                    jwks_url: sql::required(row.get(2)?, "jwks_url"),
                })
            })
            .collect()
        })
    })
}
