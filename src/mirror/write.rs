//! Writes observations into the mirror. The only way into its tables.

use std::collections::HashMap;

use clerk_core::mirror::{Observation, Resource, reduce};
use pgrx::prelude::*;

use super::lock_budget::LockBudget;
use super::prepared::{Prepared, Row};
use super::probe;
use super::setup::DeletedUsers;
use super::shortcut::{Shortcut, shortcut};
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

/// The shortcuts of each resource.
struct Shortcuts([[Option<&'static Prepared>; 3]; Resource::ALL.len()]);

static SHORTCUTS: BackendLocal<Shortcuts> =
    BackendLocal::new(Shortcuts([const { [None; 3] }; Resource::ALL.len()]));

/// Joins the observations into their tables: parents first, and rows by id, so that no two transactions wait for each
/// other.
pub fn write(observations: Vec<Observation>, deleted_users: DeletedUsers, locks: &LockBudget) -> Written {
    // A placeholder of a row that is there writes nothing, so it must tell nothing: the instance comes with the row's own news.
    let observations = observations.into_iter().map(|mut observation| {
        if observation.is_placeholder() {
            observation.instance_id = None;
        }
        observation
    });
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
    let (source, shortcut) = match batch.as_slice() {
        [observation] => {
            // What cannot be told is left to the join, by way of a statement that does nothing.
            let is_known = || probe::is_known(resource, &observation.id).unwrap_or(false);
            let shortcut = shortcut(observation, is_known);
            if shortcut == Some(Shortcut::Placeholder) && is_known() {
                return;
            }
            (Source::One, shortcut)
        }
        _ => (Source::Many, None),
    };
    let mut arguments = Input::of(resource, batch).into_arguments(source);
    let read = |row: &Row| {
        let id: String = row.get(1).unwrap_or_default();
        let version = Version {
            updated_at: time(row, 2).unwrap_or_default(),
            observed_at: time(row, 3).unwrap_or_default(),
            deleted_at: time(row, 4),
        };
        ((resource, id), version)
    };
    if let Some(shortcut) = shortcut {
        let rows = shortcut_for(resource, shortcut).query(&arguments, read);
        if !rows.is_empty() || shortcut == Shortcut::Placeholder {
            written.extend(rows);
            return;
        }
    }
    if resource.is_personal() {
        arguments.push(deleted_users.as_str().into_datum());
    }
    written.extend(statement_for(resource, source).query(&arguments, read));
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

fn shortcut_for(resource: Resource, shortcut: Shortcut) -> &'static Prepared {
    SHORTCUTS.with(|shortcuts| {
        let statement = &mut shortcuts.0[resource as usize][shortcut as usize];
        *statement.get_or_insert_with(|| Box::leak(Box::new(shortcut.prepare(resource))))
    })
}
