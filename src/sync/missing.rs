//! Finds out what is gone: rows that a full walk did not see.
//!
//! A row that was not listed is asked for by its id, or must be missing from a second walk as well, and never are too many rows
//! taken for gone at once: an answer that is empty or short must not wipe the mirror. Only Clerk's times are compared.

use clerk_core::backend_api::{ApiFault, FaultKind};
use clerk_core::mirror::{Observation, Resource};
use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use super::apply::{Manner, Origin, Tally, apply, apply_objects};
use super::page::{Halt, ask, holding, save};
use super::plan::{Absence, absence};
use super::run::Run;
use super::step::{Phase, Step};
use crate::clerk_api::{Backend, objects};
use crate::clock;
use crate::mirror::lock_budget::{LockBudget, WAIT};
use crate::mirror::setup::{Setup, Source};
use crate::operations::sql;

/// So few rows may be gone whatever share they are, unless nothing at all was listed.
const FEW: i64 = 10;
/// Most rows that are taken for gone in one transaction.
const BATCH: i64 = 500;
/// Most ids in one question.
const MOST_IDS: i64 = 100;

/// Which rows of a table are an instance's. Of a placeholder the instance is not known: it is the only one's, or nobody's.
const OF_INSTANCE: &str = "(t.instance_id = $1 OR (t.instance_id IS NULL OR $1 IS NULL) AND $2)";

/// Rows of which nothing but the id is known.
const PLACEHOLDER: &str = "t.updated_at = '-infinity'";

/// A row that was not seen.
struct Unseen {
    id: String,
    organization_id: Option<String>,
    user_id: Option<String>,
}

/// What is to be done about rows that were not listed.
pub enum Verdict {
    /// Go on with that.
    GoOn(Phase),
    /// Nothing: they are too many. With what to say.
    TooMany(String),
}

/// Whether so many rows may be taken for gone.
pub fn judge(run: &Run, step: &Step) -> Result<Verdict, Halt> {
    let (resource, seen) = (step.resource, step.position.seen);
    let began_at = step.position.began_at.unwrap_or(i64::MIN);
    let counts = holding(run, |setup, source| Counts::of(resource, began_at, setup, source))?;
    if counts.are_too_many(seen) && !run.confirm_missing {
        return Ok(Verdict::TooMany(format!(
            "{table}: Clerk listed {seen}, and {unseen} of the {known} here were not among them; none of these is taken for gone",
            table = resource.table(),
            unseen = counts.unseen,
            known = counts.known,
        )));
    }
    Ok(Verdict::GoOn(match absence(resource) {
        Absence::AskById | Absence::AskByOrganization => Phase::Asking,
        // Placeholders count: they are to be found out about as well.
        Absence::ListTwice if counts.candidates > 0 => Phase::ListingAgain,
        Absence::ListTwice | Absence::Never => Phase::Missing,
    }))
}

/// How many rows of a table are an instance's.
struct Counts {
    /// Those that exist as far as is known here, without placeholders and without what belongs to somebody who is gone.
    known: i64,
    /// Those of them that were not seen since.
    unseen: i64,
    /// All that were not seen since.
    candidates: i64,
    threshold: f64,
}

impl Counts {
    fn of(resource: Resource, since: i64, setup: &Setup, source: &Source) -> Self {
        let counts = format!("t.updated_at > '-infinity' AND {}", has_parents(resource));
        let select = format!(
            "SELECT count(*) FILTER (WHERE {counts}), count(*) FILTER (WHERE t.last_seen_at < $3 AND {counts}),
                    count(*) FILTER (WHERE t.last_seen_at < $3)
             FROM clerk.{table} AS t WHERE NOT t.deleted AND {OF_INSTANCE}",
            table = resource.table()
        );
        let arguments = [
            source.instance_id.clone().into(),
            is_only(setup).into(),
            time(since),
        ];
        sql::query(|| {
            Spi::connect(|client| {
                let row = client.select(&select, Some(1), &arguments)?.first();
                Ok::<_, pgrx::spi::Error>(Self {
                    known: row.get(1)?.unwrap_or(0),
                    unseen: row.get(2)?.unwrap_or(0),
                    candidates: row.get(3)?.unwrap_or(0),
                    threshold: setup.missing_threshold,
                })
            })
        })
    }

    fn are_too_many(&self, seen: u64) -> bool {
        let is_empty_answer = seen == 0 && self.known > 0;
        let is_large_share = self.unseen as f64 > self.known as f64 * self.threshold;
        is_empty_answer || (is_large_share && self.unseen > FEW)
    }
}

/// How many rows were seen since then, or could not be applied: as many different ones were listed.
pub fn seen_since(run: &Run, resource: Resource, since: i64, (setup, source): (&Setup, &Source)) -> i64 {
    let select = format!(
        "SELECT (SELECT count(*) FROM clerk.{table} AS t WHERE NOT t.deleted AND t.last_seen_at >= $3 AND {OF_INSTANCE})
              + (SELECT s.failed FROM clerk.sync_steps AS s WHERE s.run_id = $4 AND s.resource = $5)",
        table = resource.table()
    );
    let arguments = [
        source.instance_id.clone().into(),
        is_only(setup).into(),
        time(since),
        run.id.into(),
        resource.table().into(),
    ];
    sql::query(|| Spi::get_one_with_args::<i64>(&select, &arguments)).unwrap_or(0)
}

/// Whether what a row belongs to is there, as far as is known.
fn has_parents(resource: Resource) -> &'static str {
    match resource {
        Resource::OrganizationMemberships => {
            "t.organization_id NOT IN (SELECT o.id FROM clerk.organizations AS o WHERE o.deleted)
             AND t.user_id NOT IN (SELECT u.id FROM clerk.users AS u WHERE u.deleted)"
        }
        Resource::OrganizationInvitations | Resource::OrganizationDomains => {
            "t.organization_id NOT IN (SELECT o.id FROM clerk.organizations AS o WHERE o.deleted)"
        }
        _ => "true",
    }
}

/// Asks for every row that was not listed; if not everything was listed, for placeholders only. What Clerk still has is applied;
/// the rest is gone.
pub fn ask_for_unseen(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    let by_organization = absence(step.resource) == Absence::AskByOrganization;
    loop {
        let (position, resource) = (step.position.clone(), step.resource);
        let which = if run.full_walk { "true" } else { PLACEHOLDER };
        let unseen = holding(run, |setup, source| {
            if by_organization {
                unseen_in_one_organization(&position.asked, position.began_at, setup, source)
            } else {
                unseen(
                    (resource, which),
                    &position.asked.1,
                    position.began_at,
                    MOST_IDS,
                    (setup, source),
                )
            }
        })?;
        let Some(last) = unseen.last() else {
            return Ok(());
        };
        let asked = (last.organization_id.clone().unwrap_or_default(), last.id.clone());
        let found = ask(|| question(backend, resource, &unseen))?;
        let gone: Vec<&Unseen> = unseen.iter().filter(|row| !found.ids.contains(&row.id)).collect();
        save(run, step, |step, setup, source, manner| {
            let mut tally = Tally::of_page();
            if let Some(objects) = &found.objects {
                let origin = Origin::at(found.observed_at, setup, source);
                apply_objects(resource, objects, &origin, manner, &mut tally);
            }
            let gone = gone.iter().map(|row| row.id.clone());
            mark_missing(
                resource,
                gone,
                found.observed_at,
                (setup, source),
                manner,
                &mut tally,
            );
            step.position.asked = asked.clone();
            tally
        })?;
    }
}

/// What Clerk answered.
struct Found {
    objects: Option<String>,
    ids: Vec<String>,
    observed_at: i64,
}

fn question(backend: &mut Backend, resource: Resource, unseen: &[Unseen]) -> Result<Found, ApiFault> {
    let answer = match unseen.first().and_then(|row| row.organization_id.as_deref()) {
        None => {
            let ids: Vec<String> = unseen.iter().map(|row| row.id.clone()).collect();
            objects::many(backend, resource, &ids)
        }
        Some(organization_id) => {
            let mut people: Vec<String> = unseen.iter().filter_map(|row| row.user_id.clone()).collect();
            people.dedup();
            objects::memberships(backend, organization_id, &people)
        }
    };
    match answer {
        Ok(page) => Ok(Found {
            objects: Some(page.objects().to_owned()),
            observed_at: page.observed_at,
            ids: page.ids,
        }),
        // The organization itself is gone, and every membership of it.
        Err(fault) => match (fault.kind, fault.observed_at) {
            (FaultKind::NotFound, Some(observed_at)) => Ok(Found {
                objects: None,
                ids: Vec::new(),
                observed_at,
            }),
            _ => Err(fault),
        },
    }
}

/// Takes for gone what neither of two walks saw.
pub fn mark_unseen(run: &Run, step: &mut Step) -> Result<(), Halt> {
    let (Some(began_at), Some(again_at)) = (step.position.began_at, step.position.again_at) else {
        return Ok(());
    };
    loop {
        let (after, resource) = (step.position.asked.1.clone(), step.resource);
        let rows = holding(run, |setup, source| {
            unseen((resource, "true"), &after, Some(began_at), BATCH, (setup, source))
        })?;
        let Some(last) = rows.last().map(|row| row.id.clone()) else {
            return Ok(());
        };
        save(run, step, |step, setup, source, manner| {
            let mut tally = Tally::default();
            let gone = rows.iter().map(|row| row.id.clone());
            mark_missing(resource, gone, again_at, (setup, source), manner, &mut tally);
            step.position.asked.1.clone_from(&last);
            tally
        })?;
    }
}

/// Joins the news that rows were not there any more at that time of Clerk's.
pub fn mark_missing(
    resource: Resource,
    ids: impl Iterator<Item = String>,
    missing_at: i64,
    (setup, source): (&Setup, &Source),
    manner: Manner,
    tally: &mut Tally,
) {
    let said = ids.map(|id| {
        let mut observation = Observation::placeholder(resource, id, source.instance_id.clone());
        observation.missing_at = Some(missing_at);
        vec![observation]
    });
    let said: Vec<_> = said.collect();
    if said.is_empty() {
        return;
    }
    let mut own = Tally::default();
    apply(resource, said, setup, &LockBudget::start(WAIT), manner, &mut own);
    tally.missing += own.changes.gone;
    tally.absorb_failures(own);
}

/// The next rows that exist here and were not seen since, by id.
fn unseen(
    (resource, which): (Resource, &'static str),
    after: &str,
    since: Option<i64>,
    most: i64,
    (setup, source): (&Setup, &Source),
) -> Vec<Unseen> {
    let select = format!(
        "SELECT t.id, NULL::text, NULL::text FROM clerk.{table} AS t
         WHERE NOT t.deleted AND t.last_seen_at < $3 AND t.id > $4 AND {which} AND {OF_INSTANCE} ORDER BY t.id LIMIT $5",
        table = resource.table()
    );
    let arguments = [
        source.instance_id.clone().into(),
        is_only(setup).into(),
        time(since.unwrap_or(i64::MIN)),
        after.into(),
        most.into(),
    ];
    rows(&select, &arguments)
}

/// The same of memberships, those of one organization at a time. One of which the organization or the person is not known cannot
/// be asked for, and nothing shows it.
fn unseen_in_one_organization(
    after: &(String, String),
    since: Option<i64>,
    setup: &Setup,
    source: &Source,
) -> Vec<Unseen> {
    let select = format!(
        "SELECT t.id, t.organization_id, t.user_id FROM clerk.organization_memberships AS t
         WHERE NOT t.deleted AND t.last_seen_at < $3 AND t.user_id IS NOT NULL AND (t.organization_id, t.id) > ($4, $5)
           AND {OF_INSTANCE} ORDER BY t.organization_id, t.id LIMIT $6"
    );
    let arguments = [
        source.instance_id.clone().into(),
        is_only(setup).into(),
        time(since.unwrap_or(i64::MIN)),
        after.0.as_str().into(),
        after.1.as_str().into(),
        MOST_IDS.into(),
    ];
    let mut rows = rows(&select, &arguments);
    let first = rows.first().and_then(|row| row.organization_id.clone());
    rows.retain(|row| row.organization_id == first);
    rows
}

/// Memberships of one person or organization that exist here and were not seen since.
pub fn unseen_of(
    resource: Resource,
    column: &str,
    owner: &str,
    since: i64,
    (setup, source): (&Setup, &Source),
) -> Vec<String> {
    let select = format!(
        "SELECT t.id, NULL::text, NULL::text FROM clerk.{table} AS t
         WHERE NOT t.deleted AND t.last_seen_at < $3 AND t.{column} = $4 AND {OF_INSTANCE} ORDER BY t.id",
        table = resource.table()
    );
    let arguments = [
        source.instance_id.clone().into(),
        is_only(setup).into(),
        time(since),
        owner.into(),
    ];
    rows(&select, &arguments).into_iter().map(|row| row.id).collect()
}

fn rows(select: &str, arguments: &[DatumWithOid]) -> Vec<Unseen> {
    sql::query(|| {
        Spi::connect(|client| {
            let rows = client.select(select, None, arguments)?;
            rows.map(|row| {
                Ok(Unseen {
                    id: sql::required(row.get(1)?, "id"),
                    organization_id: row.get(2)?,
                    user_id: row.get(3)?,
                })
            })
            .collect::<Result<Vec<_>, pgrx::spi::Error>>()
        })
    })
}

/// Whether rows of unknown instance can only be of the one that is read.
fn is_only(setup: &Setup) -> bool {
    setup.sources.len() == 1
}

fn time(micros: i64) -> DatumWithOid<'static> {
    // SAFETY: a timestamptz is passed as a 64-bit integer.
    unsafe { DatumWithOid::new(clock::timestamp_tz(micros), pg_sys::TIMESTAMPTZOID) }
}
