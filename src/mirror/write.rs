//! Writes observations into the mirror. The only way into its tables.

use std::collections::{HashMap, HashSet};

use clerk_core::mirror::{DeletedUsers, LOWEST, Live, Observation, Resource, reduce};
use pgrx::prelude::*;

use super::by_index::ByIndex;
use super::lock_budget::LockBudget;
use super::prepared::{Prepared, Row};
use super::probe;
use super::statement::{self, Kind, ParameterType, Source};
use super::values::{Input, array};
use crate::clock;
use crate::pg::backend_local::BackendLocal;

/// The version of a row after it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub updated_at: i64,
    pub observed_at: i64,
    pub deleted_at: Option<i64>,
}

/// The rows that were told of, with what they are now. A placeholder of a row that is there writes nothing.
pub type Written = HashMap<(Resource, String), Version>;

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
        let kind = match batch[0].resource == resource {
            true => Kind::Counting,
            false => Kind::Many,
        };
        changes += Batch::new(batch, kind, deleted_users).write(&mut Written::new());
    }
    changes
}

/// Joins the observations into their tables: parents first, and rows by id, so that no two transactions wait for each
/// other.
pub fn write(observations: Vec<Observation>, deleted_users: DeletedUsers, locks: &LockBudget) -> Written {
    let mut written = Written::new();
    for batch in batches(observations) {
        locks.apply();
        let kind = match batch.as_slice() {
            [told] if probe::is_known(told.resource, &told.id) => {
                if told.is_placeholder() {
                    continue;
                }
                Kind::Update
            }
            [_] => Kind::Insert,
            _ => Kind::Many,
        };
        Batch::new(batch, kind, deleted_users).write(&mut written);
    }
    written
}

/// Changes rows that are locked, as `change` says.
pub fn rewrite(resource: Resource, ids: &[String], change: impl Fn(&mut Observation)) {
    let batch = Batch {
        resource,
        kind: Kind::Many,
        deleted_users: DeletedUsers::Keep,
        observations: Vec::new(),
    };
    let unchanged: Vec<Observation> = ids
        .iter()
        .map(|id| Observation::placeholder(resource, id.clone(), None))
        .collect();
    let mut rows: Vec<Observation> = batch.read(&unchanged).into_iter().map(|(row, _)| row).collect();
    rows.iter_mut().for_each(change);
    batch.run(&rows, true);
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

/// What is told of rows of one table, of each once.
struct Batch {
    resource: Resource,
    kind: Kind,
    deleted_users: DeletedUsers,
    observations: Vec<Observation>,
}

impl Batch {
    fn new(mut observations: Vec<Observation>, kind: Kind, deleted_users: DeletedUsers) -> Self {
        for observation in &mut observations {
            observation.take_deleted(deleted_users);
        }
        Self {
            resource: observations[0].resource,
            kind,
            deleted_users,
            observations,
        }
    }

    fn write(mut self, written: &mut Written) -> Changes {
        let mut changes = Changes::default();
        let mut known: HashSet<String> = HashSet::new();
        for outcome in self.run(&self.observations, false) {
            known.insert(outcome.id.clone());
            changes += outcome.note(self.resource, written);
        }
        // A placeholder has nothing to say of its row.
        let mut rest = std::mem::take(&mut self.observations);
        rest.retain(|told| !told.is_placeholder() && !known.contains(&told.id));
        if rest.is_empty() {
            return changes;
        }
        let joined = self.join(rest, written);
        if self.kind == Kind::Insert {
            self.kind = Kind::Update;
        }
        for outcome in self.run(&joined, true) {
            changes += outcome.note(self.resource, written);
        }
        changes
    }

    /// What is joined with what is there, where that makes a difference.
    fn join(&self, news: Vec<Observation>, written: &mut Written) -> Vec<Observation> {
        let mut joined = Vec::new();
        let rows = self.read(&news);
        let mut news: HashMap<String, Observation> =
            news.into_iter().map(|told| (told.id.clone(), told)).collect();
        for (row, data) in rows {
            let Some(mut told) = news.remove(&row.id).filter(|told| !row.is_foreign_to(told)) else {
                // Another instance's row.
                continue;
            };
            if let Some(live) = &mut told.live {
                live.data = data;
            }
            let mut both = row.clone();
            both.join(told);
            both.take_deleted(self.deleted_users);
            let now = Outcome::of(&both);
            if both == row {
                now.note(self.resource, written);
            } else {
                joined.push(both);
            }
        }
        joined
    }

    /// The rows as they are, each with the news' data as jsonb writes it.
    fn read(&self, news: &[Observation]) -> Vec<(Observation, String)> {
        let ids: Vec<_> = news.iter().map(|told| told.id.as_str().into_datum()).collect();
        let data = news
            .iter()
            .map(|told| told.live.as_ref().map_or("{}", |live| &live.data).into_datum());
        let data: Vec<_> = data.collect();
        let arguments = [
            Some(array(&ids, ParameterType::Text)),
            Some(array(&data, ParameterType::Text)),
        ];
        let read = |row: &Row| {
            let mut known = Observation::placeholder(self.resource, row.required(1), row.get(2));
            known.live = Some(Live {
                data: row.required(3),
                older: row.get(4),
                created_at: time(row, 5),
                updated_at: time(row, 6).unwrap_or(LOWEST),
                observed_at: time(row, 7).unwrap_or(LOWEST),
                values: Vec::new(),
            });
            known.last_seen_at = time(row, 8).unwrap_or(LOWEST);
            known.deleted_at = time(row, 9);
            known.missing_at = time(row, 10);
            (known.stored(), row.required(11))
        };
        let _by_index = ByIndex::enter();
        statement_for(self.resource, Kind::Reading).query(&arguments, read)
    }

    /// Runs the statement that writes the rows; gives those that it wrote.
    fn run(&self, rows: &[Observation], is_joined: bool) -> Vec<Outcome> {
        if rows.is_empty() {
            return Vec::new();
        }
        let source = self.kind.source();
        let mut arguments = Input::of(self.resource, rows).into_arguments(source);
        arguments.push(is_joined.into_datum());
        let live = rows[0].live.as_ref();
        let names = live.map_or_else(Vec::new, Live::member_names);
        let names: Vec<_> = names.iter().map(|name| name.as_ref().into_datum()).collect();
        arguments.push(Some(array(&names, ParameterType::Text)));
        let _by_index = (source == Source::Many).then(ByIndex::enter);
        statement_for(self.resource, self.kind).query(&arguments, |row| Outcome::read(row, self.kind))
    }
}

/// A row after it was written.
struct Outcome {
    id: String,
    version: Version,
    changes: Changes,
}

impl Outcome {
    fn read(row: &Row, kind: Kind) -> Self {
        let mut changes = Changes::default();
        if kind == Kind::Counting {
            let count = |column| i64::from(row.required::<bool>(column));
            changes = Changes {
                inserted: count(5),
                changed: count(6),
                gone: count(7),
            };
        }
        Self {
            id: row.required(1),
            version: Version {
                updated_at: time(row, 2).unwrap_or_default(),
                observed_at: time(row, 3).unwrap_or_default(),
                deleted_at: time(row, 4),
            },
            changes,
        }
    }

    /// A row that there was nothing to write to.
    fn of(row: &Observation) -> Self {
        let live = row.live.as_ref();
        Self {
            id: row.id.clone(),
            version: Version {
                updated_at: live.map_or(LOWEST, |live| live.updated_at),
                observed_at: live.map_or(LOWEST, |live| live.observed_at),
                deleted_at: row.deleted_at,
            },
            changes: Changes::default(),
        }
    }

    fn note(self, resource: Resource, written: &mut Written) -> Changes {
        written.insert((resource, self.id), self.version);
        self.changes
    }
}

fn time(row: &Row, column: i32) -> Option<i64> {
    row.get::<TimestampWithTimeZone>(column)
        .map(|time| clock::unix_micros(time.into()))
}

/// The statements of each resource.
struct Statements([[Option<&'static Prepared>; Kind::COUNT]; Resource::ALL.len()]);

static STATEMENTS: BackendLocal<Statements> =
    BackendLocal::new(Statements([const { [None; Kind::COUNT] }; Resource::ALL.len()]));

fn statement_for(resource: Resource, kind: Kind) -> &'static Prepared {
    STATEMENTS.with(|statements| {
        // A statement is made once per backend and used until it ends.
        let statement = &mut statements.0[resource as usize][kind as usize];
        *statement.get_or_insert_with(|| Box::leak(Box::new(statement::prepare(resource, kind))))
    })
}
