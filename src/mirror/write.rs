//! Writes observations into the mirror. The only way into its tables.

use std::collections::HashMap;

use clerk_core::mirror::{Observation, Resource, reduce};
use pgrx::prelude::*;

use super::lock_budget::LockBudget;
use super::prepared::{Prepared, Row};
use super::setup::DeletedUsers;
use super::statement::{self, Source};
use super::values::Input;
use crate::backend_local::BackendLocal;
use crate::clock;

/// The version of a row after it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub updated_at: i64,
    pub observed_at: i64,
    pub deleted_at: Option<i64>,
}

/// The rows that were written, with what they are now. A placeholder of a row that is there writes nothing.
pub type Written = HashMap<(Resource, String), Version>;

/// The two statements of each resource.
struct Statements([[Option<&'static Prepared>; 2]; Resource::ALL.len()]);

static STATEMENTS: BackendLocal<Statements> =
    BackendLocal::new(Statements([const { [None; 2] }; Resource::ALL.len()]));

/// Joins the observations into their tables: parents first, and rows by id, so that no two transactions wait for each
/// other.
pub fn write(observations: Vec<Observation>, deleted_users: DeletedUsers, locks: &LockBudget) -> Written {
    let mut batches: Vec<Vec<Observation>> = reduce(observations).into_iter().flat_map(by_resource).collect();
    batches.sort_by_key(|batch| batch[0].resource);
    let mut written = Written::new();
    for batch in batches {
        locks.apply();
        write_batch(batch, deleted_users, &mut written);
    }
    written
}

fn by_resource(round: Vec<Observation>) -> Vec<Vec<Observation>> {
    let mut batches: Vec<Vec<Observation>> = Vec::new();
    for observation in round {
        match batches.last_mut() {
            Some(batch) if batch[0].resource == observation.resource => batch.push(observation),
            _ => batches.push(vec![observation]),
        }
    }
    batches
}

fn write_batch(batch: Vec<Observation>, deleted_users: DeletedUsers, written: &mut Written) {
    let resource = batch[0].resource;
    let source = if batch.len() == 1 {
        Source::One
    } else {
        Source::Many
    };
    let mut arguments = Input::of(resource, batch).into_arguments(source);
    if resource.is_personal() {
        arguments.push(deleted_users.as_str().into_datum());
    }
    let rows = statement_for(resource, source).query(&arguments, |row| {
        let id: String = row.get(1).unwrap_or_default();
        let version = Version {
            updated_at: time(row, 2).unwrap_or_default(),
            observed_at: time(row, 3).unwrap_or_default(),
            deleted_at: time(row, 4),
        };
        ((resource, id), version)
    });
    written.extend(rows);
}

fn time(row: &Row, column: i32) -> Option<i64> {
    row.get::<TimestampWithTimeZone>(column)
        .map(|time| clock::unix_micros(time.into()))
}

fn statement_for(resource: Resource, source: Source) -> &'static Prepared {
    STATEMENTS.with(|statements| {
        // A statement is made once per backend and used until it ends.
        let statement = &mut statements.0[resource as usize][source as usize];
        *statement.get_or_insert_with(|| Box::leak(Box::new(statement::prepare(resource, source))))
    })
}
