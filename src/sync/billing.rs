//! Subscriptions, which Clerk gives payer by payer only.

use std::collections::{BTreeMap, HashSet};

use clerk_core::backend_api::{ApiFault, FaultKind, Listing};
use clerk_core::mirror::{Resource, split_objects};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::apply::{Origin, Tally, apply_objects};
use super::page::{Halt, ask, holding, save};
use super::run::Run;
use super::step::Step;
use crate::clerk_api::objects::Sighting;
use crate::clerk_api::pages::Walker;
use crate::clerk_api::{Backend, objects};

/// An item as it is listed. Its subscription is not told.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    payer: Option<&'a RawValue>,
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
        let asked = ask_payers(backend, page.objects(), &mut known)?;
        save(run, step, |step, setup, source, manner| {
            let mut tally = Tally::of_page();
            for asked in &asked {
                let origin = Origin::at(asked.observed_at, setup, source);
                let list = format!("[{}]", asked.subscription);
                apply_objects(step.resource, &list, &origin, manner, &mut tally);
            }
            step.position.walk = Some(walker.position());
            step.done = walker.seen() as i64;
            step.total = walker.total().map(|total| total as i64);
            tally
        })?;
    }
    holding(run, |_, _| step.finish(None))
}

/// The subscriptions of those who pay for these items and were not asked before.
fn ask_payers(backend: &mut Backend, items: &str, known: &mut HashSet<String>) -> Result<Vec<Asked>, Halt> {
    let mut asked = Vec::new();
    for item in split_objects(items).unwrap_or_default() {
        let payer = serde_json::from_str::<Item>(item)
            .ok()
            .and_then(|item| item.payer);
        let Some(payer) = payer else { continue };
        let id = serde_json::from_str::<Payer>(payer.get())
            .ok()
            .and_then(Payer::id);
        let Some(id) = id.filter(|id| known.insert(id.clone())) else {
            continue;
        };
        if let Sighting::Seen(answer) = ask(|| objects::subscription(backend, &id))? {
            asked.push(Asked {
                subscription: with_payer(&answer.body, payer.get()),
                observed_at: answer.observed_at,
            });
        }
    }
    Ok(asked)
}

/// A subscription as the Backend API shows it does not tell who pays, but by an id that is good for nothing else.
fn with_payer(subscription: &str, payer: &str) -> String {
    let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(subscription).ok();
    match (members, subscription.trim().strip_prefix('{')) {
        (Some(members), Some(rest)) if !members.is_empty() && !members.contains_key("payer") => {
            format!("{{\"payer\":{payer},{rest}")
        }
        _ => subscription.to_owned(),
    }
}

#[cfg(test)]
mod unit {
    use super::with_payer;

    #[test]
    fn a_subscription_gets_its_payer() {
        assert_eq!(
            with_payer(r#" {"id":"csub_1"}"#, r#"{"user_id":"user_1"}"#),
            r#"{"payer":{"user_id":"user_1"},"id":"csub_1"}"#
        );
        let told = r#"{"id":"csub_1","payer":{"user_id":"user_2"}}"#;
        assert_eq!(with_payer(told, r#"{"user_id":"user_1"}"#), told);
        assert_eq!(with_payer("{}", "{}"), "{}");
    }
}
