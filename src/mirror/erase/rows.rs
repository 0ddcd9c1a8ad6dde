//! Erases rows of the mirror.

use clerk_core::mirror::{DeletedUsers, Observation, Resource};

use super::{is_deleted, of_deleted_person};
use crate::mirror::prepared::Prepared;
use crate::mirror::write::rewrite;

/// People whose rows were written while deleted people were kept, or less of them was.
macro_rules! people {
    ($left:literal) => {
        Prepared::new(
            concat!(
                "SELECT u.id FROM clerk.users AS u WHERE ",
                is_deleted!(),
                " AND u.data <> ",
                $left,
                " FOR UPDATE SKIP LOCKED"
            ),
            &[],
        )
    };
}

static SCRUBBED: Prepared = people!("jsonb_build_object('id', u.id, 'object', 'user', 'deleted', true)");

static REMOVED: Prepared = people!("'{}'");

/// Empties the people's own rows.
pub fn erase_people(deleted_users: DeletedUsers) {
    let chosen = match deleted_users {
        DeletedUsers::Keep => return,
        DeletedUsers::Scrub => &SCRUBBED,
        DeletedUsers::Remove => &REMOVED,
    };
    change(chosen, Resource::Users, |row| row.take_deleted(deleted_users));
}

fn change(chosen: &Prepared, resource: Resource, change: impl Fn(&mut Observation)) {
    let ids: Vec<String> = chosen.query(&[], |row| row.required(1));
    if !ids.is_empty() {
        rewrite(resource, &ids, change);
    }
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

/// A query for rows `t` of a table, by the ids of those that are a deleted person's or show an address of one.
macro_rules! chosen {
    ($table:literal, $($ids:expr),+) => {
        Prepared::new(
            concat!("SELECT t.id FROM clerk.", $table, " AS t WHERE t.id IN (", $($ids),+, ") FOR UPDATE SKIP LOCKED"),
            &[],
        )
    };
}

/// The ids of rows that name a deleted person and are not erased yet. Placeholders hold nothing.
macro_rules! naming {
    ($table:literal) => {
        concat!(
            "SELECT t.id FROM clerk.users AS u JOIN clerk.",
            $table,
            " AS t ON t.user_id = u.id
             WHERE ",
            is_deleted!(),
            " AND t.updated_at > '-infinity' AND NOT t.data @> '{\"erased\": true}'"
        )
    };
}

/// The ids of rows that show an address of a deleted person. Erased ones show none.
macro_rules! showing {
    ($table:literal, $address:literal) => {
        concat!(
            "SELECT t.id FROM clerk.users AS u, clerk.former_addresses AS f, clerk.",
            $table,
            " AS t WHERE ",
            $address,
            " IS NOT NULL AND ",
            of_deleted_person!(
                concat!("clerk.address_hash(", $address, ")"),
                "t.instance_id",
                "t.created_at"
            )
        )
    };
}

/// Tables in the order in which they are always written.
static OTHERS: [(Resource, Prepared); 6] = [
    (
        Resource::OrganizationMemberships,
        chosen!("organization_memberships", naming!("organization_memberships")),
    ),
    (
        Resource::OrganizationInvitations,
        chosen!(
            "organization_invitations",
            naming!("organization_invitations"),
            " UNION ALL ",
            showing!("organization_invitations", "t.email_address")
        ),
    ),
    (
        // A domain is its organization's; only the address by which somebody verified it is a person's.
        Resource::OrganizationDomains,
        chosen!(
            "organization_domains",
            showing!("organization_domains", "t.affiliation_email_address")
        ),
    ),
    (
        Resource::Invitations,
        chosen!("invitations", showing!("invitations", "t.email_address")),
    ),
    (Resource::Sessions, chosen!("sessions", naming!("sessions"))),
    (
        Resource::WaitlistEntries,
        chosen!(
            "waitlist_entries",
            showing!("waitlist_entries", "t.email_address")
        ),
    ),
];

/// Erases what other rows hold of deleted people.
pub fn erase_others() {
    NOTE_ACCEPTED.run(&[]);
    for (resource, chosen) in &OTHERS {
        change(chosen, *resource, Observation::erase);
    }
}
