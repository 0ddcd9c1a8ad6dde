//! The one statement that writes a mirrored table.
//!
//! It writes what is new, and what is newer than a row and carries every member of it: then the whole of it is the join. Other rows
//! it locks and leaves to `write`, which joins member by member and hands the outcome over. Rows are locked in the order of their
//! ids, so no two transactions wait for each other. A row belongs to the instance that it was first told of by: another one's news of
//! it changes nothing.
//!
//! The text is made from the fixed names in `clerk_core::mirror`. Every function that runs it pins `search_path`.

use clerk_core::mirror::{ColumnType, Resource};
use pgrx::pg_sys;

use super::prepared::Prepared;

/// Where rows come from: parameters, or parameters that are arrays of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    One,
    Many,
}

/// A parameter: a column of the input.
pub struct Parameter {
    pub name: String,
    pub parameter_type: ParameterType,
}

/// How a column is handed over. What is neither time, boolean nor number comes as text and is converted by the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    Text,
    Time,
    Boolean,
    Integer,
}

impl ParameterType {
    fn of(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text | ColumnType::Texts | ColumnType::Json => Self::Text,
            ColumnType::Time => Self::Time,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Integer => Self::Integer,
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Time => "timestamptz",
            Self::Boolean => "boolean",
            Self::Integer => "bigint",
        }
    }

    pub fn oid(self, source: Source) -> pg_sys::Oid {
        match (self, source) {
            (Self::Text, Source::One) => pg_sys::TEXTOID,
            (Self::Time, Source::One) => pg_sys::TIMESTAMPTZOID,
            (Self::Boolean, Source::One) => pg_sys::BOOLOID,
            (Self::Integer, Source::One) => pg_sys::INT8OID,
            (Self::Text, Source::Many) => pg_sys::TEXTARRAYOID,
            (Self::Time, Source::Many) => pg_sys::TIMESTAMPTZARRAYOID,
            (Self::Boolean, Source::Many) => pg_sys::BOOLARRAYOID,
            (Self::Integer, Source::Many) => pg_sys::INT8ARRAYOID,
        }
    }
}

/// The parameters in their order. One more comes after them, a boolean: whether the rows are joined already.
pub fn parameters(resource: Resource) -> Vec<Parameter> {
    let mut list = Vec::new();
    let mut add = |name: &str, parameter_type| {
        list.push(Parameter {
            name: name.to_owned(),
            parameter_type,
        });
    };
    add("id", ParameterType::Text);
    add("instance_id", ParameterType::Text);
    add(IS_PLACEHOLDER, ParameterType::Boolean);
    for column in resource.columns() {
        add(column.name, ParameterType::of(column.column_type));
    }
    add("data", ParameterType::Text);
    add("older", ParameterType::Text);
    for time in [
        "created_at",
        "updated_at",
        "observed_at",
        "last_seen_at",
        "deleted_at",
        "missing_at",
    ] {
        add(time, ParameterType::Time);
    }
    list
}

/// The only parameter that is no column.
const IS_PLACEHOLDER: &str = "is_placeholder";

/// The statement for a table. It gives the rows that it wrote: id, version and `deleted_at`.
pub fn prepare(resource: Resource, source: Source) -> Prepared {
    let Parts { text, types } = parts(resource, source);
    Prepared::from_parts(text, types)
}

/// The statement for many rows of a table, which also tells what became of each: whether it is new, or was a placeholder, whether it
/// is other than it was, and whether it is gone now.
pub fn prepare_counting(resource: Resource) -> Prepared {
    let Parts { text, types } = parts(resource, Source::Many);
    let table = resource.table();
    // Rows of the table are seen as they were before the statement.
    let text = format!(
        "WITH written AS (
{text}, t.data, t.deleted
)
SELECT w.id, w.updated_at, w.observed_at, w.deleted_at,
       w.updated_at > '-infinity' AND (b.id IS NULL OR b.updated_at = '-infinity'),
       COALESCE(b.updated_at > '-infinity' AND (b.data <> w.data OR b.deleted <> w.deleted), false),
       w.deleted AND NOT COALESCE(b.deleted, false)
FROM written AS w LEFT JOIN clerk.{table} AS b ON b.id = w.id"
    );
    Prepared::from_parts(text, types)
}

/// The statement that reads rows as they are: by their ids, with news of each, which comes back as jsonb writes it. The rows must be
/// locked.
pub fn prepare_reading(resource: Resource) -> Prepared {
    let text = format!(
        "SELECT t.id, t.instance_id, t.data::text, t.older::text, t.created_at, t.updated_at, t.observed_at, t.last_seen_at,
                t.deleted_at, t.missing_at, n.data::jsonb::text
         FROM unnest($1, $2) AS n (id, data) JOIN clerk.{} AS t ON t.id = n.id",
        resource.table()
    );
    Prepared::from_parts(text, vec![pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID])
}

struct Parts {
    text: String,
    types: Vec<pg_sys::Oid>,
}

fn parts(resource: Resource, source: Source) -> Parts {
    let parameters = parameters(resource);
    let mut types: Vec<pg_sys::Oid> = parameters
        .iter()
        .map(|parameter| parameter.parameter_type.oid(source))
        .collect();
    types.push(pg_sys::BOOLOID);
    let columns: Vec<Column> = parameters
        .iter()
        .filter(|parameter| parameter.name != IS_PLACEHOLDER)
        .map(|parameter| Column::of(resource, &parameter.name))
        .collect();
    let table = resource.table();
    let list = |write: &dyn Fn(&Column) -> String| columns.iter().map(write).collect::<Vec<_>>().join(", ");
    let text = format!(
        "INSERT INTO clerk.{table} AS t ({names}, synced_at)
SELECT {values}, clock_timestamp()
FROM {input}
ON CONFLICT (id) DO UPDATE SET {updates}, synced_at = excluded.synced_at
WHERE (t.instance_id IS NULL OR excluded.instance_id IS NULL OR t.instance_id = excluded.instance_id)
  AND (${is_joined} OR ({is_whole}))
RETURNING t.id, t.updated_at, t.observed_at, t.deleted_at",
        names = list(&|column| column.name.clone()),
        values = list(&|column| format!("n.{}{}", column.name, column.cast)),
        input = input(table, source, &parameters),
        updates = list(&Column::update),
        is_joined = types.len(),
        is_whole = is_whole(resource),
    );
    Parts { text, types }
}

fn input(table: &str, source: Source, parameters: &[Parameter]) -> String {
    let list = |write: &dyn Fn(usize, &Parameter) -> String| {
        let items: Vec<String> = (1..)
            .zip(parameters)
            .map(|(at, parameter)| write(at, parameter))
            .collect();
        items.join(", ")
    };
    match source {
        Source::One => format!(
            "(SELECT {}) AS n",
            list(&|at, parameter| format!("${at} AS {}", quoted(&parameter.name)))
        ),
        Source::Many => format!(
            "unnest({}) AS n ({})
WHERE NOT (n.{IS_PLACEHOLDER} AND EXISTS (SELECT FROM clerk.{table} AS known WHERE known.id = n.id))",
            list(&|at, parameter| format!("${at}::{}[]", parameter.parameter_type.sql())),
            list(&|_, parameter| quoted(&parameter.name)),
        ),
    }
}

/// Whether the news are the join: newer than every member of the row, and they carry them all. The rest follows from a deletion.
fn is_whole(resource: Resource) -> String {
    let mut conditions = vec![
        "(t.updated_at, t.observed_at) < (excluded.updated_at, excluded.observed_at)",
        "excluded.older IS NULL",
    ];
    if resource.is_personal() {
        conditions.push("t.deleted_at IS NULL AND excluded.deleted_at IS NULL");
    }
    conditions.push("t.data || excluded.data = excluded.data");
    conditions.join(" AND ")
}

/// A column that is written.
struct Column {
    /// Quoted: one may be called like a keyword, as `interval` and `type` are.
    name: String,
    cast: &'static str,
    /// Whether it only grows.
    is_maximum: bool,
}

impl Column {
    fn of(resource: Resource, name: &str) -> Self {
        let column = resource.columns().iter().find(|column| column.name == name);
        Self {
            name: quoted(name),
            cast: match column.map(|column| column.column_type) {
                Some(ColumnType::Texts) => "::text[]",
                Some(ColumnType::Json) => "::jsonb",
                None if matches!(name, "data" | "older") => "::jsonb",
                _ => "",
            },
            is_maximum: matches!(
                name,
                "instance_id" | "created_at" | "last_seen_at" | "deleted_at" | "missing_at"
            ),
        }
    }

    fn update(&self) -> String {
        let name = &self.name;
        if self.is_maximum {
            format!("{name} = GREATEST(t.{name}, excluded.{name})")
        } else {
            format!("{name} = excluded.{name}")
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
