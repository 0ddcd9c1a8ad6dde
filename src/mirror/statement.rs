//! The one statement that writes a mirrored table: it joins what it is told with what is there.
//!
//! The state of a row is a join of independent maxima, so the order in which news comes does not matter: the live version is
//! the greatest (updated_at, observed_at, data), members that only some sources carry have versions of their own, and the
//! times of sightings and deletions are maxima. A deleted person's row keeps its versions; what it shows follows from the
//! deletion alone. A row belongs to the instance that it was first told of by: another one's news of it changes nothing.
//!
//! The text is made from the fixed names in `clerk_core::mirror`. Every function that runs it pins `search_path`.

use std::fmt::Write;

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

/// The parameters in their order. A personal resource has one more at the end: what stays of a deleted person.
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
    add("is_placeholder", ParameterType::Boolean);
    for column in resource.columns() {
        add(column.name, ParameterType::of(column.column_type));
    }
    for side in resource.side_fields() {
        add(side.name, ParameterType::Text);
        add(&format!("{}_updated_at", side.name), ParameterType::Time);
        add(&format!("{}_observed_at", side.name), ParameterType::Time);
    }
    add("data", ParameterType::Text);
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

/// The statement for a table.
pub fn prepare(resource: Resource, source: Source) -> Prepared {
    let Parts { text, types } = parts(resource, source);
    Prepared::from_parts(text, types)
}

fn parts(resource: Resource, source: Source) -> Parts {
    let parameters = parameters(resource);
    let mut types: Vec<pg_sys::Oid> = parameters
        .iter()
        .map(|parameter| parameter.parameter_type.oid(source))
        .collect();
    let mode = resource
        .is_personal()
        .then(|| format!("${}", parameters.len() + 1));
    if mode.is_some() {
        types.push(pg_sys::TEXTOID);
    }
    Parts {
        text: text(resource, source, &parameters, mode.as_deref()),
        types,
    }
}

/// The statement for many rows of a table, which tells what became of them: how many are new, or were placeholders, how many
/// are other than they were, and how many of those are gone now.
pub fn prepare_counting(resource: Resource) -> Prepared {
    let Parts { text, types } = parts(resource, Source::Many);
    let table = resource.table();
    // Rows of the table are seen as they were before the statement.
    let text = format!(
        "WITH written AS (
{text}, t.data, t.deleted
)
SELECT count(*) FILTER (WHERE w.updated_at > '-infinity' AND (b.id IS NULL OR b.updated_at = '-infinity')),
       count(*) FILTER (WHERE b.updated_at > '-infinity' AND (b.data <> w.data OR b.deleted <> w.deleted)),
       count(*) FILTER (WHERE w.deleted AND NOT COALESCE(b.deleted, false))
FROM written AS w LEFT JOIN clerk.{table} AS b ON b.id = w.id"
    );
    Prepared::from_parts(text, types)
}

struct Parts {
    text: String,
    types: Vec<pg_sys::Oid>,
}

fn text(resource: Resource, source: Source, parameters: &[Parameter], mode: Option<&str>) -> String {
    let table = resource.table();
    let input = input(source, parameters);
    let Insert { columns, values } = insert(resource, mode);
    let updates = updates(resource, mode).join(",\n    ");
    format!(
        "INSERT INTO clerk.{table} AS t ({columns}, synced_at)
SELECT {values}, clock_timestamp()
FROM {input}
WHERE NOT (n.is_placeholder AND EXISTS (SELECT FROM clerk.{table} AS known WHERE known.id = n.id))
ON CONFLICT (id) DO UPDATE SET
    {updates}, synced_at = excluded.synced_at
WHERE t.instance_id IS NULL OR excluded.instance_id IS NULL OR t.instance_id = excluded.instance_id
RETURNING t.id, t.updated_at, t.observed_at, t.deleted_at",
        columns = columns.join(", "),
        values = values.join(", "),
    )
}

fn input(source: Source, parameters: &[Parameter]) -> String {
    let mut text = String::new();
    // Writing into a String cannot fail.
    match source {
        Source::One => {
            for (at, parameter) in parameters.iter().enumerate() {
                let comma = if at == 0 { "(SELECT " } else { ", " };
                let _ = write!(text, "{comma}${} AS {}", at + 1, quoted(&parameter.name));
            }
            text.push_str(") AS n");
        }
        Source::Many => {
            for (at, parameter) in parameters.iter().enumerate() {
                let comma = if at == 0 { "unnest(" } else { ", " };
                let _ = write!(text, "{comma}${}::{}[]", at + 1, parameter.parameter_type.sql());
            }
            let names: Vec<String> = parameters
                .iter()
                .map(|parameter| quoted(&parameter.name))
                .collect();
            let _ = write!(text, ") AS n ({})", names.join(", "));
        }
    }
    text
}

/// A column may be called like a keyword: `interval`, `type`.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

struct Insert {
    columns: Vec<String>,
    values: Vec<String>,
}

fn insert(resource: Resource, mode: Option<&str>) -> Insert {
    let gone =
        mode.map(|mode| format!("({mode} <> 'keep' AND COALESCE(n.deleted_at >= n.updated_at, false))"));
    let unless_gone = |value: String| match &gone {
        Some(gone) => format!("CASE WHEN {gone} THEN NULL ELSE {value} END"),
        None => value,
    };
    let mut insert = Insert {
        columns: Vec::new(),
        values: Vec::new(),
    };
    let mut add = |column: &str, value: String| {
        insert.columns.push(quoted(column));
        insert.values.push(value);
    };
    add("id", "n.id".to_owned());
    add("instance_id", "n.instance_id".to_owned());
    for column in resource.columns() {
        let cast = match column.column_type {
            ColumnType::Texts => "::text[]",
            ColumnType::Json => "::jsonb",
            _ => "",
        };
        add(
            column.name,
            unless_gone(format!("n.{}{cast}", quoted(column.name))),
        );
    }
    for side in resource.side_fields() {
        let name = side.name;
        let value = format!("n.{name}::jsonb");
        let side_gone = mode.map(|mode| gone_by(mode, "n.deleted_at", &format!("n.{name}_updated_at")));
        add(
            name,
            side_gone.map_or(value.clone(), |gone| {
                format!("CASE WHEN {gone} THEN NULL ELSE {value} END")
            }),
        );
        add(&format!("{name}_updated_at"), format!("n.{name}_updated_at"));
        add(&format!("{name}_observed_at"), format!("n.{name}_observed_at"));
    }
    let data = match (&gone, mode) {
        (Some(gone), Some(mode)) => {
            format!(
                "CASE WHEN {gone} THEN {} ELSE n.data::jsonb END",
                tombstone(mode, "n.id")
            )
        }
        _ => "n.data::jsonb".to_owned(),
    };
    add("data", data);
    for time in [
        "created_at",
        "updated_at",
        "observed_at",
        "last_seen_at",
        "deleted_at",
        "missing_at",
    ] {
        add(time, format!("n.{time}"));
    }
    insert
}

/// Whether a deletion takes what has this version.
fn gone_by(mode: &str, deleted_at: &str, version: &str) -> String {
    format!("({mode} <> 'keep' AND COALESCE({deleted_at} >= {version}, false))")
}

/// What `data` shows of a deleted person.
fn tombstone(mode: &str, id: &str) -> String {
    format!(
        "CASE {mode} WHEN 'scrub' THEN jsonb_build_object('id', {id}, 'object', 'user', 'deleted', true) ELSE '{{}}'::jsonb END"
    )
}

fn updates(resource: Resource, mode: Option<&str>) -> Vec<String> {
    // Evaluated from left to right, so data is written as text only when both times are equal.
    const WINS: &str = "(excluded.updated_at, excluded.observed_at, excluded.data::text COLLATE \"C\") > \
                        (t.updated_at, t.observed_at, t.data::text COLLATE \"C\")";
    const DELETED_AT: &str = "GREATEST(t.deleted_at, excluded.deleted_at)";
    let gone = mode.map(|mode| {
        let gone = gone_by(mode, DELETED_AT, "GREATEST(t.updated_at, excluded.updated_at)");
        format!("WHEN {gone} THEN ")
    });
    let when_gone = |value: &str| {
        gone.as_ref()
            .map_or_else(String::new, |gone| format!("{gone}{value} "))
    };
    let mut updates = vec!["instance_id = GREATEST(t.instance_id, excluded.instance_id)".to_owned()];
    for column in resource.columns() {
        let name = quoted(column.name);
        let gone = when_gone("NULL");
        updates.push(format!(
            "{name} = CASE {gone}WHEN {WINS} THEN excluded.{name} ELSE t.{name} END"
        ));
    }
    for side in resource.side_fields() {
        let name = side.name;
        // By its own version: whether a newer state of the rest came before or after the deletion must not matter.
        let gone = mode.map_or_else(String::new, |mode| {
            let version = format!("GREATEST(t.{name}_updated_at, excluded.{name}_updated_at)");
            format!("WHEN {} THEN NULL ", gone_by(mode, DELETED_AT, &version))
        });
        let wins = format!(
            "(excluded.{name}_updated_at, excluded.{name}_observed_at, COALESCE(excluded.{name}::text, '') COLLATE \"C\") > \
             (t.{name}_updated_at, t.{name}_observed_at, COALESCE(t.{name}::text, '') COLLATE \"C\")"
        );
        updates.push(format!(
            "{name} = CASE {gone}WHEN {wins} THEN excluded.{name} ELSE t.{name} END"
        ));
        for version in ["updated_at", "observed_at"] {
            let column = format!("{name}_{version}");
            updates.push(format!(
                "{column} = CASE WHEN {wins} THEN excluded.{column} ELSE t.{column} END"
            ));
        }
    }
    let gone = mode.map_or_else(String::new, |mode| when_gone(&tombstone(mode, "t.id")));
    updates.push(format!(
        "data = CASE {gone}WHEN {WINS} THEN excluded.data ELSE t.data END"
    ));
    for version in ["updated_at", "observed_at"] {
        updates.push(format!(
            "{version} = CASE WHEN {WINS} THEN excluded.{version} ELSE t.{version} END"
        ));
    }
    for time in ["created_at", "last_seen_at", "deleted_at", "missing_at"] {
        updates.push(format!("{time} = GREATEST(t.{time}, excluded.{time})"));
    }
    updates
}
