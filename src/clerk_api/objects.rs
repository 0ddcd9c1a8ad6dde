//! Asks for single objects, by their ids.

use clerk_core::backend_api::{ApiFault, FaultKind, Listing};
use clerk_core::mirror::Resource;
use serde::Deserialize;
use ureq::http::Method;

use super::backend::{Answer, Backend};
use super::pages::{self, Page};

/// Whether Clerk has an object.
pub enum Sighting {
    /// It has: the object, as Clerk wrote it.
    Seen(Answer),
    /// It has not.
    Gone,
}

/// The subscription of a person or an organization, whose id tells which.
pub fn subscription(backend: &mut Backend, payer_id: &str) -> Result<Sighting, ApiFault> {
    match backend.get(&Listing::subscription_path(payer_id), &[]) {
        Ok(answer) => Ok(Sighting::Seen(answer)),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(Sighting::Gone),
        Err(fault) => Err(fault),
    }
}

/// Those of the users or organizations with these ids, at most [`MAX_IDS`](clerk_core::backend_api::MAX_IDS), that Clerk has.
pub fn many(backend: &mut Backend, resource: Resource, ids: &[String]) -> Result<Page, ApiFault> {
    let listing = Listing::with_ids(resource, ids).ok_or_else(|| not_by_id(resource))?;
    pages::single(backend, listing)
}

/// The memberships of these people, at most [`MAX_IDS`](clerk_core::backend_api::MAX_IDS), in one organization.
pub fn memberships(
    backend: &mut Backend,
    organization_id: &str,
    user_ids: &[String],
) -> Result<Page, ApiFault> {
    pages::single(backend, Listing::memberships(organization_id, user_ids))
}

#[derive(Deserialize)]
struct Portal {
    svix_url: String,
}

/// A URL that opens the log of webhook deliveries for a while.
pub fn webhook_portal_url(backend: &mut Backend) -> Result<String, ApiFault> {
    let read = |body: &str| match serde_json::from_str::<Portal>(body) {
        Ok(portal) => Ok(portal.svix_url),
        Err(error) => Err(format!("no URL of the portal: {error}")),
    };
    let (url, _) = backend.ask(Method::POST, "/webhooks/svix_url", &[], read)?;
    Ok(url)
}

fn not_by_id(resource: Resource) -> ApiFault {
    ApiFault::new(
        FaultKind::Final,
        format!("Clerk does not give {} by their ids", resource.table()),
        "Read their list instead.",
    )
}
