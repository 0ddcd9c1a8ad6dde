//! One user or one organization, with what belongs to it.

use clerk_core::backend_api::{FaultKind, Listing};
use clerk_core::mirror::Resource;

use super::apply::{Origin, Tally, apply_objects};
use super::billing;
use super::kind::Kind;
use super::missing::{mark_missing, unseen_of};
use super::page::{Halt, ask, holding, save};
use super::run::Run;
use super::step::Step;
use super::walk::{Walked, walk};
use crate::clerk_api::{Backend, objects};

/// What is read of a user or an organization.
pub fn resources(kind: Kind) -> &'static [Resource] {
    match kind {
        Kind::SyncUser => &[
            Resource::Users,
            Resource::OrganizationMemberships,
            Resource::Sessions,
            Resource::Subscriptions,
        ],
        _ => &[
            Resource::Organizations,
            Resource::OrganizationMemberships,
            Resource::OrganizationInvitations,
            Resource::OrganizationDomains,
            Resource::Subscriptions,
        ],
    }
}

/// Reads one step of it.
pub fn sync(run: &Run, step: &mut Step, backend: &mut Backend) -> Result<(), Halt> {
    let id = run.subject_id.as_deref().unwrap_or_default();
    let listing = match (run.kind, step.resource) {
        (_, Resource::Users | Resource::Organizations) => return own(run, step, backend, id),
        (_, Resource::Subscriptions) => return billing::subscription_of(run, step, backend, id),
        (_, Resource::Sessions) => Listing::sessions_of_user(id),
        (Kind::SyncUser, _) => Listing::memberships_of_user(id),
        (_, Resource::OrganizationInvitations) => Listing::invitations_of_organization(id),
        (_, Resource::OrganizationDomains) => Listing::domains_of_organization(id),
        _ => Listing::memberships_of_organization(id),
    };
    let column = if run.kind == Kind::SyncUser {
        "user_id"
    } else {
        "organization_id"
    };
    match walk(run, step, backend, listing, None) {
        Ok(walked) => belongings(run, step, column, id, &walked),
        // Who is gone has nothing any more.
        Err(Halt::Api(fault)) if fault.kind == FaultKind::NotFound && fault.observed_at.is_some() => {
            let walked = Walked {
                is_complete: true,
                began_at: fault.observed_at.unwrap_or(i64::MIN),
                seen: 0,
                total: Some(0),
                is_whole: true,
            };
            belongings(run, step, column, id, &walked)
        }
        Err(halt) => Err(halt),
    }
}

fn own(run: &Run, step: &mut Step, backend: &mut Backend, id: &str) -> Result<(), Halt> {
    let resource = step.resource;
    let found = ask(|| objects::many(backend, resource, &[id.to_owned()]))?;
    save(run, step, |step, setup, source, manner| {
        let mut tally = Tally::of_page();
        let origin = Origin::at(found.observed_at, setup, source);
        apply_objects(resource, found.objects(), &origin, manner, &mut tally);
        if !found.ids.iter().any(|found| found == id) {
            let gone = std::iter::once(id.to_owned());
            mark_missing(
                resource,
                gone,
                found.observed_at,
                (setup, source),
                manner,
                &mut tally,
            );
        }
        (step.done, step.total) = (found.ids.len() as i64, Some(found.ids.len() as i64));
        tally
    })?;
    holding(run, |_, _| step.finish(None))
}

/// What was not listed is gone: the list was asked for on behalf of this one, and is complete. Of invitations it is not: Clerk
/// leaves out those that a domain made. Nor of sessions, which it forgets.
fn belongings(run: &Run, step: &mut Step, column: &str, id: &str, walked: &Walked) -> Result<(), Halt> {
    let resource = step.resource;
    let is_complete = !matches!(resource, Resource::OrganizationInvitations | Resource::Sessions);
    if walked.is_complete && is_complete {
        save(run, step, |_, setup, source, manner| {
            let mut tally = Tally::default();
            let gone = unseen_of(resource, column, id, walked.began_at, (setup, source));
            mark_missing(
                resource,
                gone.into_iter(),
                walked.began_at,
                (setup, source),
                manner,
                &mut tally,
            );
            tally
        })?;
    }
    holding(run, |_, _| step.finish(None))
}
