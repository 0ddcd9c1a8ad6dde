//! What most events come to, in statements that cost a fraction of the join.
//!
//! Postgres prepares every expression of a statement anew each time it runs, and the join has hundreds. Each of these does
//! what the join would do, or nothing at all; then the join has its turn. Rows that were ever deleted or missing, and equal
//! versions, are left to the join.

use clerk_core::mirror::{ColumnType, LOWEST, Observation, Resource};

use super::prepared::Prepared;
use super::statement::{self, Source};

/// A statement for one row. It takes the parameters of `statement::parameters`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// The row is there, and this is a newer version of it.
    Newer,
    /// There is no such row yet.
    New,
    /// The row exists, and that is all that is known: nothing to do if it is there, so the join need not be asked.
    Placeholder,
}

/// The one that will do in most cases, if there is one. `is_known` tells whether the row is there; it is asked only if that
/// decides.
pub fn shortcut(observation: &Observation, is_known: impl FnOnce() -> bool) -> Option<Shortcut> {
    if observation.deleted_at.is_some() || observation.missing_at.is_some() {
        return None;
    }
    match &observation.live {
        Some(live) if live.updated_at > LOWEST => Some(if is_known() {
            Shortcut::Newer
        } else {
            Shortcut::New
        }),
        None if is_bare(observation) => Some(Shortcut::Placeholder),
        _ => None,
    }
}

fn is_bare(observation: &Observation) -> bool {
    observation.last_seen_at == LOWEST
        && observation.instance_id.is_none()
        && observation.sides.iter().all(Option::is_none)
}

impl Shortcut {
    pub fn prepare(self, resource: Resource) -> Prepared {
        let parameters = statement::parameters(resource);
        let types = parameters
            .iter()
            .map(|parameter| parameter.parameter_type.oid(Source::One))
            .collect();
        let cells: Vec<_> = (1..)
            .zip(parameters)
            .filter(|(_, parameter)| parameter.name != "is_placeholder")
            .map(|(number, parameter)| Cell {
                value: format!("${number}"),
                cast: cast(resource, &parameter.name),
                name: parameter.name,
            })
            .collect();
        let text = match self {
            Self::Newer => newer(resource, &cells),
            Self::New => new(resource, &cells),
            Self::Placeholder => placeholder(resource),
        };
        Prepared::from_parts(format!("{text}\n{RETURNING}"), types)
    }
}

const RETURNING: &str = "RETURNING t.id, t.updated_at, t.observed_at, t.deleted_at";

/// A column and its new value.
struct Cell {
    name: String,
    value: String,
    cast: &'static str,
}

fn cast(resource: Resource, name: &str) -> &'static str {
    let is_side = || resource.side_fields().iter().any(|side| side.name == name);
    let column = resource.columns().iter().find(|column| column.name == name);
    match column.map(|column| column.column_type) {
        Some(ColumnType::Texts) => "::text[]",
        Some(ColumnType::Json) => "::jsonb",
        None if name == "data" || is_side() => "::jsonb",
        _ => "",
    }
}

fn newer(resource: Resource, cells: &[Cell]) -> String {
    let set = |cell: &Cell| {
        let Cell { name, value, cast } = cell;
        match name.as_str() {
            "id" | "deleted_at" | "missing_at" => None,
            "instance_id" | "created_at" | "last_seen_at" => {
                Some(format!("{name} = GREATEST(t.{name}, {value})"))
            }
            _ => Some(format!("\"{name}\" = {value}{cast}")),
        }
    };
    let sets: Vec<String> = cells.iter().filter_map(set).collect();
    let value = |name: &str| {
        let cell = cells.iter().find(|cell| cell.name == name);
        cell.map_or("NULL", |cell| &cell.value)
    };
    let mut conditions = vec![
        format!("t.id = {}", value("id")),
        format!(
            "(t.instance_id IS NULL OR {0} IS NULL OR t.instance_id = {0})",
            value("instance_id")
        ),
        format!(
            "(t.updated_at, t.observed_at) < ({}, {})",
            value("updated_at"),
            value("observed_at")
        ),
        "t.deleted_at IS NULL AND t.missing_at IS NULL".to_owned(),
    ];
    for side in resource.side_fields() {
        let (updated_at, observed_at) = (
            format!("{}_updated_at", side.name),
            format!("{}_observed_at", side.name),
        );
        let (new_updated_at, new_observed_at) = (value(&updated_at), value(&observed_at));
        conditions.push(format!(
            "((t.{updated_at}, t.{observed_at}) < ({new_updated_at}, {new_observed_at}) \
             OR (t.{updated_at} = '-infinity' AND {new_updated_at} = '-infinity'))"
        ));
    }
    format!(
        "UPDATE clerk.{table} AS t SET {sets}, synced_at = clock_timestamp()\nWHERE {conditions}",
        table = resource.table(),
        sets = sets.join(", "),
        conditions = conditions.join("\n  AND "),
    )
}

fn new(resource: Resource, cells: &[Cell]) -> String {
    let columns: Vec<String> = cells.iter().map(|cell| format!("\"{}\"", cell.name)).collect();
    let values: Vec<String> = cells
        .iter()
        .map(|cell| format!("{}{}", cell.value, cell.cast))
        .collect();
    format!(
        "INSERT INTO clerk.{table} AS t ({columns}, synced_at) VALUES ({values}, clock_timestamp())\nON CONFLICT (id) DO NOTHING",
        table = resource.table(),
        columns = columns.join(", "),
        values = values.join(", "),
    )
}

fn placeholder(resource: Resource) -> String {
    format!(
        "INSERT INTO clerk.{table} AS t (id, synced_at) VALUES ($1, clock_timestamp())\nON CONFLICT (id) DO NOTHING",
        table = resource.table()
    )
}
