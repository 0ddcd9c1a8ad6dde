//! Takes deleted people's data out of what is not their own row.
//!
//! Their own row is taken care of by the statement that writes it. Everything here follows from rows that are there, so it
//! may run at any time and any number of times, and reaches what came later too.

use clerk_core::mirror::Event;
use pgrx::prelude::*;

use super::prepared::{Prepared, Row};
use super::setup::{DeletedUsers, Setup};
use crate::clock;

/// Payloads taken in one round; the rest is for the next one.
const MOST: i32 = 10_000;

/// Deleted people are few, and each costs one look into the index of payloads that are not erased yet. A payload that is
/// still to be applied is left until then.
static PAYLOADS: Prepared = Prepared::new(
    "SELECT e.svix_id, e.event_at, e.payload FROM clerk.users AS u JOIN clerk.webhook_events AS e ON e.user_id = u.id
     WHERE u.deleted AND u.deleted_at >= u.updated_at AND e.erased_at IS NULL AND e.state <> 'failed'
     LIMIT $1 FOR UPDATE OF e SKIP LOCKED",
    &[pg_sys::INT4OID],
);

static ERASE_PAYLOAD: Prepared = Prepared::new(
    "UPDATE clerk.webhook_events AS e SET payload = $2, last_error = NULL, erased_at = clock_timestamp() WHERE e.svix_id = $1",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID],
);

/// That an invitation was made was told before anybody had accepted it, so those payloads name nobody.
static INVITATION_PAYLOADS: Prepared = Prepared::new(
    "SELECT e.svix_id, e.event_at, e.payload
     FROM clerk.users AS u
     JOIN clerk.organization_invitations AS i ON i.user_id = u.id
     JOIN clerk.webhook_events AS e ON e.subject_id = i.id
     WHERE u.deleted AND u.deleted_at >= u.updated_at
       AND e.event_type LIKE 'organizationInvitation.%' AND e.erased_at IS NULL AND e.state <> 'failed'
     LIMIT $1 FOR UPDATE OF e SKIP LOCKED",
    &[pg_sys::INT4OID],
);

/// What a handler raised may quote the event; what is left of it is the SQLSTATE.
static ERASE_ERRORS: Prepared = Prepared::new(
    "UPDATE clerk.handler_runs AS r SET last_error = left(r.last_error, 5) WHERE r.svix_id = $1",
    &[pg_sys::TEXTOID],
);

/// An invitation that the person accepted holds their address.
static ERASE_INVITATIONS: Prepared = Prepared::new(
    "UPDATE clerk.organization_invitations AS i
     SET email_address = NULL, public_metadata = NULL, private_metadata = NULL, data = jsonb_build_object('id', i.id),
         synced_at = clock_timestamp()
     FROM clerk.users AS u
     WHERE i.user_id = u.id AND u.deleted AND u.deleted_at >= u.updated_at AND i.data <> jsonb_build_object('id', i.id)",
    &[],
);

/// Rows that tables kept from a time when deleted people were kept.
static ERASE_PEOPLE: Prepared = Prepared::new(
    "UPDATE clerk.users AS u
     SET primary_email_address_id = NULL, primary_email_address = NULL, primary_email_verified = NULL,
         primary_phone_number_id = NULL, primary_phone_number = NULL, primary_phone_verified = NULL, email_addresses = NULL,
         username = NULL, first_name = NULL, last_name = NULL, image_url = NULL, external_id = NULL, banned = NULL,
         locked = NULL, public_metadata = NULL, last_sign_in_at = NULL, last_active_at = NULL, scim = NULL,
         private_metadata = NULL, synced_at = clock_timestamp(),
         data = CASE $1 WHEN 'scrub' THEN jsonb_build_object('id', u.id, 'object', 'user', 'deleted', true)
                ELSE '{}'::jsonb END
     WHERE u.deleted AND u.deleted_at >= u.updated_at
       AND u.data <> CASE $1 WHEN 'scrub' THEN jsonb_build_object('id', u.id, 'object', 'user', 'deleted', true)
                     ELSE '{}'::jsonb END",
    &[pg_sys::TEXTOID],
);

/// So does what a run said of an object that it could not store.
static ERASE_SYNC_ERRORS: Prepared = Prepared::new(
    "UPDATE clerk.sync_steps AS s
     SET errors = (SELECT jsonb_agg(CASE WHEN e ->> 'id' = ANY (gone.ids) THEN e || jsonb_build_object('error', left(e ->> 'error', 5)) ELSE e END)
                   FROM jsonb_array_elements(s.errors) AS e)
     FROM (
         SELECT f.run_id, f.resource, array_agg(u.id) AS ids
         FROM clerk.sync_steps AS f, jsonb_array_elements(f.errors) AS e, clerk.users AS u
         WHERE f.failed > 0 AND u.id = e ->> 'id' AND u.deleted AND u.deleted_at >= u.updated_at AND length(e ->> 'error') > 5
         GROUP BY f.run_id, f.resource
     ) AS gone
     WHERE s.run_id = gone.run_id AND s.resource = gone.resource",
    &[],
);

/// Erases what is to be erased; gives how many payloads that were.
pub fn erase(setup: &Setup) -> usize {
    if setup.deleted_users == DeletedUsers::Keep {
        return 0;
    }
    ERASE_PEOPLE.run(&[setup.deleted_users.as_str().into_datum()]);
    ERASE_INVITATIONS.run(&[]);
    ERASE_SYNC_ERRORS.run(&[]);
    let read = |row: &Row| -> (String, i64, Option<String>) {
        let event_at = row.get::<TimestampWithTimeZone>(2);
        (
            row.get(1).unwrap_or_default(),
            event_at.map_or(0, |time| clock::unix_micros(time.into())),
            row.get(3),
        )
    };
    let mut payloads = PAYLOADS.query(&[MOST.into_datum()], read);
    payloads.extend(INVITATION_PAYLOADS.query(&[MOST.into_datum()], read));
    for (svix_id, event_at, payload) in &payloads {
        let left = match setup.deleted_users {
            DeletedUsers::Remove => None,
            _ => payload
                .as_deref()
                .and_then(|payload| skeleton(payload, *event_at)),
        };
        ERASE_PAYLOAD.run(&[svix_id.as_str().into_datum(), left.into_datum()]);
        ERASE_ERRORS.run(&[svix_id.as_str().into_datum()]);
    }
    payloads.len()
}

fn skeleton(payload: &str, event_at: i64) -> Option<String> {
    Event::parse(payload, event_at).ok().map(|event| event.skeleton())
}
