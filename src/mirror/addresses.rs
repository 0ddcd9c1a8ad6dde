//! Whose an e-mail address is, or was: see `sql/17_addresses.sql`.

use clerk_core::mirror::{DeletedUsers, Observation, Resource, Value};
use pgrx::prelude::*;

use super::prepared::Prepared;
use super::statement::ParameterType;
use super::values::array;
use super::write::Written;
use crate::text_hash;

/// The same as SQL's `clerk.address_hash(address)`.
pub fn hash(address: &str) -> i64 {
    text_hash::of(&address.to_ascii_lowercase())
}

static NOTE: Prepared = Prepared::new(
    "INSERT INTO clerk.former_addresses (user_id, address_hash)
     SELECT n.user_id, n.address_hash FROM unnest($1::text[], $2::bigint[]) AS n (user_id, address_hash)
     ORDER BY n.user_id COLLATE \"C\", n.address_hash
     ON CONFLICT DO NOTHING",
    &[pg_sys::TEXTARRAYOID, pg_sys::INT8ARRAYOID],
);

/// Notes addresses of users whose rows do not show them.
pub fn note(addresses: &[(String, String)]) {
    if addresses.is_empty() {
        return;
    }
    let users: Vec<_> = addresses
        .iter()
        .map(|(user, _)| user.as_str().into_datum())
        .collect();
    let hashes: Vec<_> = addresses
        .iter()
        .map(|(_, address)| hash(address).into_datum())
        .collect();
    NOTE.run(&[
        Some(array(&users, ParameterType::Text)),
        Some(array(&hashes, ParameterType::Integer)),
    ]);
}

/// Users as they were listed, with the addresses that they had.
pub struct Listed(Vec<User>);

struct User {
    id: String,
    version: (i64, i64),
    addresses: Vec<String>,
}

impl Listed {
    pub fn of(observations: &[Observation]) -> Self {
        let column = Resource::Users
            .columns()
            .iter()
            .position(|column| column.name == "email_addresses");
        let user = |observation: &Observation| {
            let live = observation.live.as_ref()?;
            let Value::Texts(Some(addresses)) = live.values.get(column?)? else {
                return None;
            };
            Some(User {
                id: observation.id.clone(),
                version: (live.updated_at, live.observed_at),
                addresses: addresses.clone(),
            })
        };
        let users = observations
            .iter()
            .filter(|observation| observation.resource == Resource::Users);
        Self(users.filter_map(user).collect())
    }

    /// Notes the addresses that did not get into rows, because something newer was known or the user is gone. What events
    /// tell is in the ledger; of a listing nothing else would be left.
    pub fn note_unshown(self, written: &Written, deleted_users: DeletedUsers) {
        let mut unshown = Vec::new();
        for user in self.0 {
            // The statement leaves rows of another instance alone.
            let Some(row) = written.get(&(Resource::Users, user.id.clone())) else {
                continue;
            };
            let is_gone = row
                .deleted_at
                .is_some_and(|deleted_at| deleted_at >= row.updated_at);
            let is_emptied = is_gone && deleted_users != DeletedUsers::Keep;
            if is_emptied || (row.updated_at, row.observed_at) != user.version {
                let addresses = user.addresses.into_iter();
                unshown.extend(addresses.map(|address| (user.id.clone(), address)));
            }
        }
        note(&unshown);
    }
}
