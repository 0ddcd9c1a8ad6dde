//! Writes observations into the mirror. The only way into its tables.

use std::collections::HashMap;

use clerk_core::mirror::{Observation, Resource, reduce};
use pgrx::prelude::*;

use super::by_index::ByIndex;
use super::lock_budget::LockBudget;
use super::prepared::{Prepared, Row};
use super::probe;
use super::setup::DeletedUsers;
use super::shortcut::{Shortcut, shortcut};
use super::statement::{self, Source};
use super::values::Input;
use crate::clock;
use crate::pg::backend_local::BackendLocal;

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

static COUNTING: BackendLocal<[Option<&'static Prepared>; Resource::ALL.len()]> =
    BackendLocal::new([const { None }; Resource::ALL.len()]);

static STATEMENTS: BackendLocal<Statements> =
    BackendLocal::new(Statements([const { [None; 2] }; Resource::ALL.len()]));

/// The shortcuts of each resource.
struct Shortcuts([[Option<&'static Prepared>; 3]; Resource::ALL.len()]);

static SHORTCUTS: BackendLocal<Shortcuts> =
    BackendLocal::new(Shortcuts([const { [None; 3] }; Resource::ALL.len()]));

/// What became of the rows of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// New, or a placeholder until now.
    pub inserted: i64,
    /// Other than it was.
    pub changed: i64,
    /// Gone now, and not before; most are counted as changed too.
    pub gone: i64,
}

impl std::ops::AddAssign for Changes {
    fn add_assign(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.changed += other.changed;
        self.gone += other.gone;
    }
}

/// As [`write`], and counts what became of the rows of `resource`.
pub fn write_counting(
    observations: Vec<Observation>,
    resource: Resource,
    deleted_users: DeletedUsers,
    locks: &LockBudget,
) -> Changes {
    let mut changes = Changes::default();
    for batch in batches(observations) {
        locks.apply();
        if batch[0].resource == resource {
            changes += write_batch_counting(batch, deleted_users);
        } else {
            write_batch(batch, deleted_users, &mut Written::new());
        }
    }
    changes
}

fn write_batch_counting(batch: Vec<Observation>, deleted_users: DeletedUsers) -> Changes {
    let resource = batch[0].resource;
    let mut arguments = Input::of(resource, batch).into_arguments(Source::Many);
    if resource.is_personal() {
        arguments.push(deleted_users.as_str().into_datum());
    }
    let _by_index = ByIndex::enter();
    let counted = counting_statement_for(resource).query(&arguments, |row| Changes {
        inserted: row.get(1).unwrap_or_default(),
        changed: row.get(2).unwrap_or_default(),
        gone: row.get(3).unwrap_or_default(),
    });
    counted.into_iter().next().unwrap_or_default()
}

/// Joins the observations into their tables: parents first, and rows by id, so that no two transactions wait for each
/// other.
pub fn write(observations: Vec<Observation>, deleted_users: DeletedUsers, locks: &LockBudget) -> Written {
    let mut written = Written::new();
    for batch in batches(observations) {
        locks.apply();
        write_batch(batch, deleted_users, &mut written);
    }
    written
}

fn batches(observations: Vec<Observation>) -> Vec<Vec<Observation>> {
    // A placeholder of a row that is there writes nothing, so it must tell nothing: the instance comes with the row's own news.
    let observations = observations.into_iter().map(|mut observation| {
        if observation.is_placeholder() {
            observation.instance_id = None;
        }
        observation
    });
    let mut batches: Vec<Vec<Observation>> = reduce(observations).into_iter().flat_map(by_resource).collect();
    batches.sort_by_key(|batch| batch[0].resource);
    batches
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
    let _by_index = (source == Source::Many).then(ByIndex::enter);
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

fn counting_statement_for(resource: Resource) -> &'static Prepared {
    COUNTING.with(|statements| {
        let statement = &mut statements[resource as usize];
        *statement.get_or_insert_with(|| Box::leak(Box::new(statement::prepare_counting(resource))))
    })
}

fn shortcut_for(resource: Resource, shortcut: Shortcut) -> &'static Prepared {
    SHORTCUTS.with(|shortcuts| {
        let statement = &mut shortcuts.0[resource as usize][shortcut as usize];
        *statement.get_or_insert_with(|| Box::leak(Box::new(shortcut.prepare(resource))))
    })
}
