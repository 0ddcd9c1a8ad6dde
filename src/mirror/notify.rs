//! `NOTIFY clerk_sync`: tells listeners of an event, if that is asked for.

use pgrx::prelude::*;
use serde_json::json;

use super::ledger::Entry;
use super::prepared::Prepared;
use super::setup::Setup;

/// A message must have fewer than 8000 bytes; only a type that Clerk never sends makes a longer one.
const MOST_BYTES: usize = 7_900;

static NOTIFY: Prepared = Prepared::new("SELECT pg_notify('clerk_sync', $1)", &[pg_sys::TEXTOID]);

/// Tells type and ids, at commit. Never the payload: anybody may listen.
pub fn tell(entry: &Entry, setup: &Setup) {
    if !setup.notify {
        return;
    }
    let message = json!({
        "svix_id": entry.svix_id,
        "type": entry.event_type,
        "subject_id": entry.subject_id,
    });
    let message = message.to_string();
    if message.len() <= MOST_BYTES {
        NOTIFY.run(&[message.into_datum()]);
    }
}
