//! Subscriptions, which Clerk gives payer by payer only, and attempts to pay, which it gives statement by statement.

use std::collections::{BTreeMap, HashMap, HashSet};

use clerk_core::backend_api::{ApiFault, FaultKind, Listing};
use clerk_core::mirror::{Resource, split_objects};
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::apply::{Manner, Origin, Tally, apply_objects};
use super::kind::Kind;
use super::page::{Halt, ask, holding, save};
use super::run::Run;
use super::step::Step;
use super::walk::{known_until, note_read};
use crate::clerk_api::objects::Sighting;
use crate::clerk_api::pages::{Page, Walker};
use crate::clerk_api::{Backend, objects};
use crate::mirror::prepared::Prepared;
use crate::mirror::setup::{Setup, Source};

/// How long a statement may still get attempts to pay it: an incremental reconcile reads those of so much time again.
const OPEN_STATEMENT_MICROS: i64 = 31 * 86_400 * 1_000_000;

/// An item as it is listed. Its subscription is not told, and who pays perhaps by an id only.
#[derive(Deserialize)]
struct Item {
    payer_id: Option<String>,
    payer: Option<Payer>,
}

/// Who pays for something. The side that is not meant is empty, or absent.
#[derive(Deserialize)]
struct Payer {
    user_id: Option<String>,
    organization_id: Option<String>,
}

impl Payer {
    fn id(self) -> Option<String> {
        let is_told = |id: &String| !id.is_empty();
        self.user_id
            .filter(is_told)
            .or(self.organization_id.filter(is_told))
    }
}

/// A subscription and when it was so.
struct Asked {
    subscription: String,
    observed_at: i64,
}

/// Subscriptions and their items: the list of items tells who pays, and each payer's subscription is asked for.
pub fn subscriptions(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    let listing = Listing::all(Resource::SubscriptionItems);
    let listing =
        listing.ok_or_else(|| ApiFault::new(FaultKind::NotFound, "Clerk does not list this", ""))?;
    let mut known: HashSet<String> = HashSet::new();
    let mut walker = Walker::new(listing, step.position.walk.as_ref());
    while let Some(page) = ask(|| walker.next_page(backend))? {
        let payers = payers(run, page.objects())?;
        let nameless = payers.iter().filter(|payer| payer.is_none()).count() as i64;
        let asked = ask_payers(backend, payers.into_iter().flatten(), &mut known)?;
        save(run, step, |step, setup, source, manner| {
            let mut tally = Tally::of_page();
            if source.policy.mirrors(Resource::SubscriptionItems) {
                let origin = Origin::at(page.observed_at, setup, source);
                apply_objects(
                    Resource::SubscriptionItems,
                    page.objects(),
                    &origin,
                    manner,
                    &mut tally,
                );
            }
            for asked in &asked {
                apply_subscription(step, asked, setup, source, manner, &mut tally);
            }
            step.position.walk = Some(walker.position());
            step.position.nameless += nameless;
            step.done = walker.seen() as i64;
            step.total = walker.total().map(|total| total as i64);
            tally
        })?;
    }
    let note = (step.position.nameless > 0).then(|| {
        format!(
            "of {} items Clerk does not tell who pays, so their subscriptions could not be asked for",
            step.position.nameless
        )
    });
    end(run, step, &walker, true, note.as_deref())
}

/// The subscription of one user or organization.
pub fn subscription_of(run: &Run, step: &mut Step, backend: &mut Backend, payer: &str) -> Result<(), Halt> {
    let asked = ask_payers(backend, std::iter::once(payer.to_owned()), &mut HashSet::new())?;
    save(run, step, |step, setup, source, manner| {
        let mut tally = Tally::of_page();
        for asked in &asked {
            apply_subscription(step, asked, setup, source, manner, &mut tally);
        }
        (step.done, step.total) = (asked.len() as i64, Some(asked.len() as i64));
        tally
    })?;
    holding(run, |_, _| step.finish(None))
}

fn apply_subscription(
    step: &Step,
    asked: &Asked,
    setup: &Setup,
    source: &Source,
    manner: Manner,
    tally: &mut Tally,
) {
    let origin = Origin::at(asked.observed_at, setup, source);
    let list = format!("[{}]", asked.subscription);
    apply_objects(step.resource, &list, &origin, manner, tally);
}

/// Attempts to pay, which Clerk lists statement by statement, the newest first.
pub fn payment_attempts(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    let is_incremental = run.kind == Kind::Reconcile && !run.full_walk;
    let known = known_until(run, step.resource)?.filter(|_| is_incremental);
    let down_to = known.map(|known| known.saturating_sub(OPEN_STATEMENT_MICROS));
    let mut is_whole = true;
    let mut walker = Walker::new(Listing::statements(), step.position.walk.as_ref());
    while let Some(statements) = ask(|| walker.next_page(backend))? {
        let mut pages = Vec::new();
        for statement in &statements.ids {
            pages.append(&mut attempts_of(backend, statement)?);
        }
        save(run, step, |step, setup, source, manner| {
            let mut tally = Tally::of_page();
            for page in &pages {
                let origin = Origin::at(page.observed_at, setup, source);
                apply_objects(step.resource, page.objects(), &origin, manner, &mut tally);
                step.done += page.ids.len() as i64;
            }
            step.position.walk = Some(walker.position());
            tally
        })?;
        if down_to.is_some_and(|down_to| walker.edge().is_some_and(|edge| edge < down_to)) {
            is_whole = false;
            break;
        }
    }
    end(run, step, &walker, is_whole, None)
}

fn attempts_of(backend: &mut Backend, statement: &str) -> Result<Vec<Page>, Halt> {
    let mut walker = Walker::new(Listing::payment_attempts_of_statement(statement), None);
    let mut pages = Vec::new();
    loop {
        match ask(|| walker.next_page(backend)) {
            Ok(Some(page)) => pages.push(page),
            Ok(None) => return Ok(pages),
            // It has gone meanwhile.
            Err(Halt::Api(fault)) if fault.kind == FaultKind::NotFound => return Ok(pages),
            Err(halt) => return Err(halt),
        }
    }
}

fn end(run: &Run, step: &mut Step, walker: &Walker, is_whole: bool, note: Option<&str>) -> Result<(), Halt> {
    let lacking = walker
        .total()
        .map_or(0, |total| total.saturating_sub(walker.seen()));
    step.position.counted = walker.total().unwrap_or(0) as i64;
    step.position.unlisted = if is_whole { lacking as i64 } else { 0 };
    holding(run, |_, _| {
        if let Some(began_at) = walker.began_at() {
            note_read(
                run,
                step.resource,
                began_at,
                is_whole.then_some(step.position.unlisted),
            );
        }
        step.note_listed();
        step.finish(note);
    })
}

/// Who pays for each of these items; None if it is not told and not known here.
fn payers(run: &Run, items: &str) -> Result<Vec<Option<String>>, Halt> {
    let items = split_objects(items).unwrap_or_default().into_iter();
    let items: Vec<Item> = items.filter_map(|item| serde_json::from_str(item).ok()).collect();
    let items: Vec<(Option<String>, Option<String>)> = items
        .into_iter()
        .map(|item| (item.payer_id, item.payer.and_then(Payer::id)))
        .collect();
    // Another item of the same payer may tell.
    let mut known: HashMap<String, String> = items
        .iter()
        .filter_map(|(payer_id, payer)| payer_id.clone().zip(payer.clone()))
        .collect();
    let unknown: Vec<String> = items
        .iter()
        .filter_map(|(payer_id, _)| payer_id.clone())
        .filter(|payer_id| !known.contains_key(payer_id))
        .collect();
    if !unknown.is_empty() {
        known.extend(holding(run, |_, _| known_payers(&unknown))?);
    }
    let payer = |(payer_id, payer): (Option<String>, Option<String>)| {
        payer.or_else(|| known.get(&payer_id?).cloned())
    };
    Ok(items.into_iter().map(payer).collect())
}

/// Which person or organization the mirror knows under the id of a payer.
fn known_payers(ids: &[String]) -> HashMap<String, String> {
    static KNOWN: Prepared = Prepared::new(
        "SELECT p.payer_id, COALESCE(max(p.payer_user_id), max(p.payer_organization_id)) FROM (
             SELECT s.payer_id, s.payer_user_id, s.payer_organization_id FROM clerk.subscriptions AS s WHERE s.payer_id = ANY ($1)
             UNION ALL
             SELECT i.payer_id, i.payer_user_id, i.payer_organization_id FROM clerk.subscription_items AS i WHERE i.payer_id = ANY ($1)
             UNION ALL
             SELECT a.payer_id, a.payer_user_id, a.payer_organization_id FROM clerk.payment_attempts AS a WHERE a.payer_id = ANY ($1)
         ) AS p GROUP BY p.payer_id",
        &[pg_sys::TEXTARRAYOID],
    );
    let pairs = KNOWN.query(&[ids.to_vec().into_datum()], |row| {
        Some((row.get::<String>(1)?, row.get::<String>(2)?))
    });
    pairs.into_iter().flatten().collect()
}

/// The subscriptions of those who were not asked before.
fn ask_payers(
    backend: &mut Backend,
    payers: impl Iterator<Item = String>,
    known: &mut HashSet<String>,
) -> Result<Vec<Asked>, Halt> {
    let mut asked = Vec::new();
    for payer in payers {
        if !known.insert(payer.clone()) {
            continue;
        }
        if let Sighting::Seen(answer) = ask(|| objects::subscription(backend, &payer))? {
            asked.push(Asked {
                subscription: with_payer(&answer.body, &payer),
                observed_at: answer.observed_at,
            });
        }
    }
    Ok(asked)
}

/// A subscription as the Backend API shows it tells who pays by an id that is good for nothing else. It was asked for by the person or
/// the organization, so that is who pays.
fn with_payer(subscription: &str, payer: &str) -> String {
    let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(subscription).ok();
    let (Some(members), Some(rest)) = (members, subscription.trim().strip_prefix('{')) else {
        return subscription.to_owned();
    };
    if members.is_empty() || members.contains_key("payer") {
        return subscription.to_owned();
    }
    let payer_id = members.get("payer_id").map_or("null", |id| id.get());
    let (user_id, organization_id) = if payer.starts_with("org_") {
        ("", payer)
    } else {
        (payer, "")
    };
    let payer = json!({ "user_id": user_id, "organization_id": organization_id }).to_string();
    let payer = payer.trim_start_matches('{');
    format!("{{\"payer\":{{\"id\":{payer_id},{payer},{rest}")
}

#[cfg(test)]
mod unit {
    use super::with_payer;

    #[test]
    fn a_subscription_gets_its_payer() {
        assert_eq!(
            with_payer(r#" {"id":"csub_1","payer_id":"cpayer_1"}"#, "user_1"),
            r#"{"payer":{"id":"cpayer_1","organization_id":"","user_id":"user_1"},"id":"csub_1","payer_id":"cpayer_1"}"#
        );
        assert_eq!(
            with_payer(r#"{"id":"csub_1"}"#, "org_1"),
            r#"{"payer":{"id":null,"organization_id":"org_1","user_id":""},"id":"csub_1"}"#
        );
        let told = r#"{"id":"csub_1","payer":{"user_id":"user_2"}}"#;
        assert_eq!(with_payer(told, "user_1"), told);
        assert_eq!(with_payer("{}", "user_1"), "{}");
    }
}
