//! Erases payloads of the ledger, and what was noted of calls of handlers.

use clerk_core::mirror::{DeletedUsers, Event};
use pgrx::prelude::*;

use super::{is_deleted, of_deleted_person};
use crate::clock;
use crate::mirror::addresses;
use crate::mirror::prepared::{Prepared, Row};

/// Deleted people are few, and each costs one look into the index of payloads that are not erased yet. A payload that is
/// still to be applied is left until then.
static OF_PEOPLE: Prepared = Prepared::new(
    concat!(
        "SELECT e.svix_id, e.event_at, e.payload, e.user_id
         FROM clerk.users AS u JOIN clerk.webhook_events AS e ON e.user_id = u.id
         WHERE e.erased_at IS NULL AND e.state <> 'failed' AND ",
        is_deleted!(),
        " LIMIT $1 FOR UPDATE OF e SKIP LOCKED"
    ),
    &[pg_sys::INT4OID],
);

/// That an invitation was made was told before anybody had accepted it, so those payloads name nobody.
static OF_ACCEPTED_INVITATIONS: Prepared = Prepared::new(
    concat!(
        "SELECT e.svix_id, e.event_at, e.payload, NULL::text
         FROM clerk.users AS u
         JOIN clerk.organization_invitations AS i ON i.user_id = u.id
         JOIN clerk.webhook_events AS e ON e.subject_id = i.id
         WHERE e.event_type LIKE 'organizationInvitation.%' AND e.erased_at IS NULL AND e.state <> 'failed' AND ",
        is_deleted!(),
        " LIMIT $1 FOR UPDATE OF e SKIP LOCKED"
    ),
    &[pg_sys::INT4OID],
);

static WITH_ADDRESSES: Prepared = Prepared::new(
    concat!(
        "SELECT e.svix_id, e.event_at, e.payload, NULL::text
         FROM clerk.users AS u, clerk.former_addresses AS f, clerk.webhook_events AS e
         WHERE e.address_hash IS NOT NULL AND e.erased_at IS NULL AND e.state <> 'failed' AND ",
        of_deleted_person!("e.address_hash", "e.instance_id", "e.subject_created_at"),
        " LIMIT $1 FOR UPDATE OF e SKIP LOCKED"
    ),
    &[pg_sys::INT4OID],
);

static ERASE: Prepared = Prepared::new(
    "UPDATE clerk.webhook_events AS e
     SET payload = $2, last_error = NULL, erased_at = clock_timestamp(), address_hash = NULL, subject_created_at = NULL
     WHERE e.svix_id = $1",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID],
);

struct Found {
    svix_id: String,
    event_at: i64,
    payload: Option<String>,
    /// The deleted person, if it is what the payload is about.
    user_id: Option<String>,
}

fn found(row: &Row) -> Found {
    let event_at = row.get::<TimestampWithTimeZone>(2);
    Found {
        svix_id: row.required(1),
        event_at: event_at.map_or(0, |time| clock::unix_micros(time.into())),
        payload: row.get(3),
        user_id: row.get(4),
    }
}

/// Erases payloads that name deleted people, or invitations that they accepted, of each kind at most `most`; gives how many.
/// Notes the addresses that they tell of.
pub fn erase_named(most: i32, deleted_users: DeletedUsers) -> usize {
    erase(&OF_PEOPLE, most, deleted_users) + erase(&OF_ACCEPTED_INVITATIONS, most, deleted_users)
}

/// Erases at most `most` payloads with addresses of deleted people; gives how many.
pub fn erase_addressed(most: i32, deleted_users: DeletedUsers) -> usize {
    erase(&WITH_ADDRESSES, most, deleted_users)
}

fn erase(query: &Prepared, most: i32, deleted_users: DeletedUsers) -> usize {
    let list = query.query(&[most.into_datum()], found);
    for found in &list {
        let payload = found.payload.as_deref();
        let event = payload.and_then(|payload| Event::parse(payload, found.event_at).ok());
        if let (Some(user_id), Some(event)) = (&found.user_id, &event) {
            let addresses = event.addresses().into_iter();
            let addresses: Vec<_> = addresses.map(|address| (user_id.clone(), address)).collect();
            addresses::note(&addresses);
        }
        let left = match deleted_users {
            DeletedUsers::Remove => None,
            _ => event.map(|event| event.skeleton()),
        };
        ERASE.run(&[found.svix_id.as_str().into_datum(), left.into_datum()]);
    }
    list.len()
}

/// What a handler raised may quote the event; what is left of it is the SQLSTATE. Every time, because calls that fail again
/// quote again.
static ERRORS: Prepared = Prepared::new(
    "UPDATE clerk.handler_runs AS t SET last_error = left(t.last_error, 5)
     FROM (
         SELECT r.id FROM clerk.handler_runs AS r
         WHERE length(r.last_error) > 5 AND EXISTS (
             SELECT FROM clerk.webhook_events AS e WHERE e.svix_id = r.svix_id AND e.erased_at IS NOT NULL
         )
         FOR UPDATE SKIP LOCKED
     ) AS chosen
     WHERE t.id = chosen.id",
    &[],
);

/// Repairs have no row in the ledger; they tell no more than the id of what was repaired.
static ERRORS_OF_REPAIRS: Prepared = Prepared::new(
    concat!(
        "UPDATE clerk.handler_runs AS t SET last_error = left(t.last_error, 5)
         FROM (
             SELECT r.id FROM clerk.handler_runs AS r
             WHERE r.event IS NOT NULL AND length(r.last_error) > 5 AND EXISTS (
                 SELECT FROM clerk.users AS u WHERE u.id = r.event #>> '{data,id}' AND ",
        is_deleted!(),
        "    )
             FOR UPDATE SKIP LOCKED
         ) AS chosen
         WHERE t.id = chosen.id"
    ),
    &[],
);

/// What a run said of an object that it could not store may quote the object.
static ERRORS_OF_RUNS: Prepared = Prepared::new(
    concat!(
        "UPDATE clerk.sync_steps AS t SET errors = (
             SELECT jsonb_agg(CASE WHEN EXISTS (SELECT FROM clerk.users AS u WHERE u.id = e ->> 'id' AND ",
        is_deleted!(),
        ") THEN e || jsonb_build_object('error', left(e ->> 'error', 5)) ELSE e END)
             FROM jsonb_array_elements(t.errors) AS e)
         FROM (
             SELECT s.run_id, s.resource FROM clerk.sync_steps AS s
             WHERE s.failed > 0 AND EXISTS (
                 SELECT FROM jsonb_array_elements(s.errors) AS e JOIN clerk.users AS u ON u.id = e ->> 'id'
                 WHERE length(e ->> 'error') > 5 AND ",
        is_deleted!(),
        "    )
             FOR UPDATE SKIP LOCKED
         ) AS chosen
         WHERE t.run_id = chosen.run_id AND t.resource = chosen.resource"
    ),
    &[],
);

/// Takes out what handlers said about events that are erased, and runs about objects of deleted people.
pub fn erase_errors() {
    ERRORS.run(&[]);
    ERRORS_OF_REPAIRS.run(&[]);
    ERRORS_OF_RUNS.run(&[]);
}
