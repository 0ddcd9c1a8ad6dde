//! Erases rows of the mirror.

use pgrx::prelude::*;

use super::{is_deleted, of_deleted_person};
use crate::mirror::prepared::Prepared;
use crate::mirror::setup::DeletedUsers;

/// Rows that tables kept from a time when deleted people were kept.
static PEOPLE: Prepared = Prepared::new(
    concat!(
        "UPDATE clerk.users AS t
         SET primary_email_address_id = NULL, primary_email_address = NULL, primary_email_verified = NULL,
             primary_phone_number_id = NULL, primary_phone_number = NULL, primary_phone_verified = NULL,
             email_addresses = NULL, username = NULL, first_name = NULL, last_name = NULL, image_url = NULL,
             external_id = NULL, banned = NULL, locked = NULL, public_metadata = NULL, last_sign_in_at = NULL,
             last_active_at = NULL, scim = NULL, private_metadata = NULL, synced_at = clock_timestamp(),
             data = CASE $1 WHEN 'scrub' THEN jsonb_build_object('id', t.id, 'object', 'user', 'deleted', true)
                    ELSE '{}'::jsonb END
         FROM (
             SELECT u.id FROM clerk.users AS u
             WHERE ",
        is_deleted!(),
        "  AND u.data <> CASE $1 WHEN 'scrub' THEN jsonb_build_object('id', u.id, 'object', 'user', 'deleted', true)
                           ELSE '{}'::jsonb END
             FOR UPDATE SKIP LOCKED
         ) AS chosen
         WHERE t.id = chosen.id"
    ),
    &[pg_sys::TEXTOID],
);

/// Empties the people's own rows.
pub fn erase_people(deleted_users: DeletedUsers) {
    PEOPLE.run(&[deleted_users.as_str().into_datum()]);
}

/// An address that led somebody into an organization is theirs.
static NOTE_ACCEPTED: Prepared = Prepared::new(
    concat!(
        "INSERT INTO clerk.former_addresses (user_id, address_hash)
         SELECT u.id, clerk.address_hash(i.email_address)
         FROM clerk.users AS u JOIN clerk.organization_invitations AS i ON i.user_id = u.id
         WHERE i.email_address IS NOT NULL AND ",
        is_deleted!(),
        " ON CONFLICT DO NOTHING"
    ),
    &[],
);

/// What is left of a row that was erased; no object of Clerk's is like that. Placeholders hold nothing.
macro_rules! is_left {
    () => {
        "(t.data = '{}' OR t.data @> '{\"erased\": true}')"
    };
}

/// An update of one table: what it empties besides `data`, and a query for the ids of rows `t`.
macro_rules! erasing {
    ($table:literal, $sets:literal, $chosen:expr) => {
        Prepared::new(
            concat!(
                "UPDATE clerk.",
                $table,
                " AS t SET ",
                $sets,
                ", data = jsonb_build_object('id', t.id, 'erased', true), synced_at = clock_timestamp()
                 FROM (SELECT t.id FROM clerk.",
                $table,
                " AS t WHERE t.id IN (",
                $chosen,
                ") FOR UPDATE SKIP LOCKED) AS chosen
                 WHERE t.id = chosen.id"
            ),
            &[],
        )
    };
}

static MEMBERSHIPS: Prepared = erasing!(
    "organization_memberships",
    "public_metadata = NULL, private_metadata = NULL",
    concat!(
        "SELECT t.id FROM clerk.users AS u JOIN clerk.organization_memberships AS t ON t.user_id = u.id
         WHERE ",
        is_deleted!(),
        " AND NOT (",
        is_left!(),
        " AND num_nonnulls(t.public_metadata, t.private_metadata) = 0)"
    )
);

static SESSIONS: Prepared = erasing!(
    "sessions",
    "actor = NULL",
    concat!(
        "SELECT t.id FROM clerk.users AS u JOIN clerk.sessions AS t ON t.user_id = u.id
         WHERE ",
        is_deleted!(),
        " AND NOT (",
        is_left!(),
        " AND t.actor IS NULL)"
    )
);

/// By the person who accepted, or by the address; and what came back to an erased row, which shows neither any more, because
/// private metadata have a version of their own.
static ORGANIZATION_INVITATIONS: Prepared = erasing!(
    "organization_invitations",
    "email_address = NULL, public_metadata = NULL, private_metadata = NULL",
    concat!(
        "SELECT t.id FROM clerk.users AS u JOIN clerk.organization_invitations AS t ON t.user_id = u.id
         WHERE ",
        is_deleted!(),
        " AND NOT (",
        is_left!(),
        " AND num_nonnulls(t.email_address, t.public_metadata, t.private_metadata) = 0)
         UNION ALL
         SELECT t.id FROM clerk.users AS u, clerk.former_addresses AS f, clerk.organization_invitations AS t
         WHERE t.email_address IS NOT NULL AND ",
        of_deleted_person!(
            "clerk.address_hash(t.email_address)",
            "t.instance_id",
            "t.created_at"
        ),
        " UNION ALL
         SELECT t.id FROM clerk.organization_invitations AS t
         WHERE t.private_metadata IS NOT NULL AND t.data @> '{\"erased\": true}'"
    )
);

static INVITATIONS: Prepared = erasing!(
    "invitations",
    "email_address = NULL, public_metadata = NULL",
    concat!(
        "SELECT t.id FROM clerk.users AS u, clerk.former_addresses AS f, clerk.invitations AS t
         WHERE t.email_address IS NOT NULL AND ",
        of_deleted_person!(
            "clerk.address_hash(t.email_address)",
            "t.instance_id",
            "t.created_at"
        )
    )
);

static WAITLIST_ENTRIES: Prepared = erasing!(
    "waitlist_entries",
    "email_address = NULL",
    concat!(
        "SELECT t.id FROM clerk.users AS u, clerk.former_addresses AS f, clerk.waitlist_entries AS t
         WHERE t.email_address IS NOT NULL AND ",
        of_deleted_person!(
            "clerk.address_hash(t.email_address)",
            "t.instance_id",
            "t.created_at"
        )
    )
);

/// A domain is its organization's; only the address by which somebody verified it is a person's.
static ORGANIZATION_DOMAINS: Prepared = Prepared::new(
    concat!(
        "UPDATE clerk.organization_domains AS t
         SET affiliation_email_address = NULL, data = t.data - 'affiliation_email_address' || '{\"erased\": true}',
             synced_at = clock_timestamp()
         FROM (
             SELECT t.id FROM clerk.organization_domains AS t
             WHERE t.affiliation_email_address IS NOT NULL AND EXISTS (
                 SELECT FROM clerk.users AS u, clerk.former_addresses AS f
                 WHERE ",
        of_deleted_person!(
            "clerk.address_hash(t.affiliation_email_address)",
            "t.instance_id",
            "t.created_at"
        ),
        "    )
             FOR UPDATE SKIP LOCKED
         ) AS chosen
         WHERE t.id = chosen.id"
    ),
    &[],
);

/// Erases what other rows hold of deleted people. Tables in the order in which they are always written.
pub fn erase_others() {
    NOTE_ACCEPTED.run(&[]);
    for statement in [
        &MEMBERSHIPS,
        &ORGANIZATION_INVITATIONS,
        &ORGANIZATION_DOMAINS,
        &INVITATIONS,
        &SESSIONS,
        &WAITLIST_ENTRIES,
    ] {
        statement.run(&[]);
    }
}
