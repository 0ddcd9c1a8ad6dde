//! Events that are handed over by an administrator rather than delivered.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::value::RawValue;

use super::raw::RawObject;
use super::scan::elements;

/// The id of an event that came without one: the same for the same text.
pub fn content_id(event: &str) -> String {
    let hash = digest(&SHA256, event.as_bytes());
    let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The instance that an event names.
pub fn instance_of(event: &str) -> Option<String> {
    RawObject::parse(event).ok()??.id("instance_id")
}

/// The elements of an array of events, or of objects `{"svix_id": …, "event": {…}}`; None if it is something else.
pub fn list_events(events: &str) -> Option<Vec<(Option<String>, &str)>> {
    serde_json::from_str::<&RawValue>(events).ok()?;
    elements(events)?.into_iter().map(listed).collect()
}

fn listed(element: &str) -> Option<(Option<String>, &str)> {
    let object = RawObject::inside(element)?;
    match object.get("event").filter(|event| event.starts_with('{')) {
        Some(event) if object.get("type").is_none() => {
            Some((object.text("svix_id").map(|id| id.into_owned()), event))
        }
        _ => Some((None, element)),
    }
}
