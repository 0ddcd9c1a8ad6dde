//! Queues calls of handlers, in the transaction that stores the event.

use clerk_core::mirror::Ignored;
use pgrx::prelude::*;

use crate::mirror::ledger::{Entry, State};
use crate::mirror::prepared::Prepared;
use crate::mirror::setup::Setup;
use crate::workers::run_handlers;

static QUEUE: Prepared = Prepared::new(
    "INSERT INTO clerk.handler_runs (handler_id, svix_id) VALUES ($1, $2)",
    &[pg_sys::INT8OID, pg_sys::TEXTOID],
);

/// Queues a call of every handler of this type of event. Handlers see all of the instance's own deliveries, also those
/// that touch no row.
pub fn queue(entry: &Entry, setup: &Setup) {
    let is_ours = match entry.state {
        State::Ignored(reason) => matches!(
            reason,
            Ignored::NotMirrored | Ignored::UnknownType | Ignored::NoId
        ),
        _ => true,
    };
    if !is_ours {
        return;
    }
    let matching = setup
        .handlers
        .iter()
        .filter(|handler| handler.matches(&entry.event_type));
    for handler in matching {
        QUEUE.run(&[handler.id.into_datum(), entry.svix_id.as_str().into_datum()]);
        run_handlers::start_at_commit();
    }
}
