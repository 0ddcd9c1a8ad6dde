//! Works off a run, step by step.

use std::time::Duration;

use clerk_core::backend_api::{ApiFault, FaultKind, Listing};
use clerk_core::mirror::Resource;

use super::apply::Tally;
use super::kind::Kind;
use super::missing::Verdict;
use super::page::{Halt, ask, holding, save};
use super::plan::{self, Absence, absence};
use super::run::{Run, Trouble};
use super::step::{self, Phase, Step};
use super::walk::{Walked, known_until, note_read, walk};
use super::{billing, missing, subject};
use crate::clerk_api::Backend;
use crate::error::Fault;
use crate::mirror::setup;
use crate::workers::one_shot::nap;
use crate::workers::{cancellable, transaction};

/// How often a list is read again because it showed fewer rows than Clerk counts.
const MAX_REREADS: u32 = 3;
/// How long an interrupt may be on its way.
const INTERRUPT: Duration = Duration::from_secs(1);

/// Works off the run until it ends or has to be put off, and notes which.
pub fn perform(run: &Run) {
    let outcome = work_off(run);
    if matches!(outcome, Err(Halt::NotOurs)) {
        // Whoever ended the run interrupts its worker, perhaps only now. The next run is not meant.
        let _ = cancellable(|| nap(INTERRUPT));
    }
    let noted = transaction(|| match &outcome {
        Ok(()) => run.finish(refusal(run).as_ref()),
        Err(Halt::NotOurs) => {}
        Err(Halt::Cancelled) => run.cancel(),
        Err(halt) if halt.is_passing() => run.put_off(&halt.trouble(), setup::current().max_attempts),
        Err(halt) => run.finish(Some(&halt.trouble())),
    });
    if let Err(error) = noted {
        // It stays as it is, and whoever takes it next finds that it was interrupted.
        Fault::new(
            error.sqlstate,
            format!(
                "the outcome of sync run {} could not be noted: {}",
                run.id, error.message
            ),
            "",
        )
        .warn();
    }
}

fn work_off(run: &Run) -> Result<(), Halt> {
    holding(run, |_, _| step::plan(run, &run.resources))?;
    let mut backend = ask(|| Backend::open(&run.issuer))?;
    while let Some(mut step) = holding(run, |_, _| step::next(run))? {
        match work_off_step(run, &mut step, &mut backend) {
            Err(Halt::Api(fault)) if is_not_there(&step, &fault) => {
                // Of what the instance does not have everything is known.
                holding(run, |_, _| {
                    if let Some(observed_at) = fault.observed_at.filter(|_| run.subject_id.is_none()) {
                        note_read(run, step.resource, observed_at, Some(0));
                    }
                    step.finish(Some(&fault.message));
                })?;
            }
            other => other?,
        }
    }
    Ok(())
}

/// Whether Clerk said that the instance does not have the feature. What is mirrored of it stays as it is.
fn is_not_there(step: &Step, fault: &ApiFault) -> bool {
    let is_refused = matches!(fault.status, Some(402 | 403)) && fault.kind == FaultKind::Final;
    plan::is_optional(step.resource) && (is_refused || fault.kind == FaultKind::NotFound)
}

fn refusal(run: &Run) -> Option<Trouble> {
    let notes = step::notes_of_refusal(run);
    if notes.is_empty() {
        return None;
    }
    Some(Trouble {
        message: notes.join("; "),
        hint: "If they really are gone, run SELECT clerk.start_reconcile(full => true, confirm_missing => true), with instance => … \
               if there are several. If not, see whether the secret key is of this instance and what Clerk's dashboard shows. \
               clerk.configure_mirror(missing_threshold => …) says how many are too many."
            .to_owned(),
        trace_id: None,
        cause: "too many missing",
    })
}

fn work_off_step(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    match (run.kind, step.resource, step.position.phase) {
        (Kind::SyncUser | Kind::SyncOrganization, _, _) => subject::sync(run, step, backend),
        (_, Resource::Subscriptions, _) => billing::subscriptions(run, step, backend),
        (_, Resource::PaymentAttempts, _) => billing::payment_attempts(run, step, backend),
        (_, _, Phase::Listing) => list(run, step, backend),
        (_, _, Phase::Judging) => judge(run, step),
        (_, _, Phase::Asking) => ask_for_the_rest(run, step, backend),
        (_, _, Phase::ListingAgain) => list_again(run, step, backend),
        (_, _, Phase::Missing) => take_for_gone(run, step),
    }
}

/// Reads the list. What was not on it is dealt with once all lists were read: then everything that refers to something is there.
fn list(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    let resource = step.resource;
    let walked = if run.kind == Kind::Reconcile && !run.full_walk {
        walk_news(run, step, backend)?
    } else {
        walk(run, step, backend, whole(resource), None)?
    };
    if read_again(run, step, walked)? {
        return Ok(());
    }
    let unlisted = step.position.unlisted;
    let phase = match absence(resource) {
        // What lacks may be what was not listed.
        Absence::ListTwice if unlisted > 0 => None,
        _ if run.full_walk => Some(Phase::Judging),
        // For placeholders, of which nothing but the id is known.
        Absence::AskById => Some(Phase::Asking),
        _ => None,
    };
    save(run, step, |step, _, _, _| {
        note_read(
            run,
            resource,
            walked.began_at,
            walked.is_whole.then_some(unlisted),
        );
        step.position.walk = None;
        step.position.seen = walked.seen;
        step.position.phase = phase.unwrap_or_default();
        step.note_listed();
        Tally::default()
    })?;
    match phase {
        Some(_) => Ok(()),
        None => holding(run, |_, _| step.finish(None)),
    }
}

/// Counts what a whole walk listed against Clerk's own count. If rows lack, the list is to be read again: true. But not if that
/// brought nothing the last time, or was done often enough.
fn read_again(run: &Run, step: &mut Step, walked: Walked) -> Result<bool, Halt> {
    let began_at = *step.position.began_at.get_or_insert(walked.began_at);
    let Some(total) = walked.total.and_then(|total| i64::try_from(total).ok()) else {
        return Ok(false);
    };
    let resource = step.resource;
    let listed = holding(run, |setup, source| {
        missing::seen_since(run, resource, began_at, (setup, source))
    })?;
    let (before, rereads) = (step.position.unlisted, step.position.rereads);
    let unlisted = (total - listed).max(0);
    let goes_on = unlisted > 0 && rereads < MAX_REREADS && (rereads == 0 || unlisted < before);
    save(run, step, |step, _, _, _| {
        step.done = listed;
        step.total = Some(total);
        step.position.counted = total;
        step.position.unlisted = unlisted;
        step.position.began_at = Some(began_at);
        if goes_on {
            step.position.rereads = rereads + 1;
            step.position.walk = None;
        }
        Tally::default()
    })?;
    Ok(goes_on)
}

/// Reads what is new. The first time, everything.
fn walk_news(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<Walked, Halt> {
    let resource = step.resource;
    let down_to = known_until(run, resource)?.filter(|_| !plan::is_short(resource));
    let listing = match Listing::newest_first(resource) {
        Some(listing) if down_to.is_some() => listing,
        _ => whole(resource),
    };
    walk(run, step, backend, listing, down_to)
}

/// Not before all lists were read, and after the parents' turn: what ends with them does not speak against taking it for gone.
fn judge(run: &Run, step: &mut Step) -> Result<(), Halt> {
    match missing::judge(run, step)? {
        Verdict::TooMany(note) => holding(run, |_, _| step.refuse(&note)),
        Verdict::GoOn(phase) => save(run, step, |step, _, _, _| {
            step.position.phase = phase;
            Tally::default()
        }),
    }
}

fn ask_for_the_rest(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    missing::ask_for_unseen(run, step, backend)?;
    holding(run, |_, _| step.finish(None))
}

fn list_again(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    let walked = walk(run, step, backend, whole(step.resource), None)?;
    if !walked.is_complete {
        let note = "the list kept changing, so nothing was taken for gone";
        return holding(run, |_, _| step.finish(Some(note)));
    }
    save(run, step, |step, _, _, _| {
        step.position.walk = None;
        step.position.again_at = Some(walked.began_at);
        step.position.phase = Phase::Missing;
        Tally::default()
    })
}

fn take_for_gone(run: &Run, step: &mut Step) -> Result<(), Halt> {
    missing::mark_unseen(run, step)?;
    holding(run, |_, _| step.finish(None))
}

/// Everything that Clerk lists of a resource. What it does not list is in no plan.
fn whole(resource: Resource) -> Listing {
    Listing::all(resource).unwrap_or_else(|| {
        Fault::prerequisite(format!("Clerk does not list {}", resource.table()), "").raise()
    })
}
