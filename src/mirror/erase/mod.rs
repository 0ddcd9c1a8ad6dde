//! Takes deleted people's data out of what is not their own row.
//!
//! Their own row is taken care of by the statement that writes it. Everything here follows from rows that are there, so it
//! may run at any time and any number of times, and reaches what came later too. What is a person's: what names them by
//! their id, and what holds an address of theirs and was made before they were deleted. An invitation to the same address
//! after that is somebody else's, for all that anybody knows.
//!
//! A row or payload that somebody holds is left to the next round, so that this never waits, nor anything for it in a circle.

mod payloads;
mod rows;

use super::setup::Setup;
use clerk_core::mirror::DeletedUsers;

/// The condition on `clerk.users AS u` that a person is deleted, and not only missing.
macro_rules! is_deleted {
    () => {
        "u.deleted AND u.deleted_at >= u.updated_at"
    };
}

/// The condition that an address with its hash, its instance and the time of what it is in is one of a deleted person, and
/// the tables it is about: `u` and `f`.
macro_rules! of_deleted_person {
    ($hash:expr, $instance_id:literal, $created_at:literal) => {
        concat!(
            "f.user_id = u.id AND f.address_hash = ",
            $hash,
            " AND ",
            $crate::mirror::erase::is_deleted!(),
            " AND (u.instance_id IS NULL OR ",
            $instance_id,
            " IS NULL OR u.instance_id = ",
            $instance_id,
            ") AND COALESCE(",
            $created_at,
            " <= u.deleted_at, true)"
        )
    };
}

use {is_deleted, of_deleted_person};

/// Erases what is to be erased, of each kind of payloads at most `most`; gives how many payloads that were.
pub fn erase(most: i32, setup: &Setup) -> usize {
    if setup.deleted_users == DeletedUsers::Keep {
        return 0;
    }
    rows::erase_people(setup.deleted_users);
    // Their payloads tell addresses that their rows never showed.
    let payloads = payloads::erase_named(most, setup.deleted_users);
    rows::erase_others();
    let addressed = payloads::erase_addressed(most, setup.deleted_users);
    payloads::erase_errors();
    payloads + addressed
}
