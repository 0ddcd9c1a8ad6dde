//! The statements that write a mirrored table.
//!
//! They write what is new, and what is newer than a row and carries every member of it: then the whole of it is the join. Other rows
//! they leave to `write`, which joins member by member and hands the outcome over. The statement for many rows locks all of them, in
//! the order of their ids, so no two transactions wait for each other. A row belongs to the instance that it was first told of by:
//! another one's news of it changes nothing.
//!
//! Postgres prepares every expression of a statement anew each time it runs, so for one row there are two statements, half as long.
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

/// The parameters in their order. Two more come after them: whether the rows are joined already, and the members of one of them, which
/// most often are those of all.
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

/// What a statement does. Those that write give the rows that they wrote: id, version and `deleted_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Makes one row, if it is not there.
    Insert,
    /// Changes one row.
    Update,
    /// Makes and changes many.
    Many,
    /// As `Many`, and tells what became of each: whether it is new, or was a placeholder, whether it is other than it was, and
    /// whether it is gone now.
    Counting,
    /// Locks rows and reads them as they are: by their ids, with news of each, which comes back as jsonb writes it.
    Reading,
}

impl Kind {
    pub const COUNT: usize = 5;

    pub fn source(self) -> Source {
        match self {
            Self::Insert | Self::Update => Source::One,
            Self::Many | Self::Counting | Self::Reading => Source::Many,
        }
    }
}

/// The statement for a table.
pub fn prepare(resource: Resource, kind: Kind) -> Prepared {
    let text = Text::new(resource, kind);
    let write = match kind {
        Kind::Reading => {
            let types = vec![pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID];
            return Prepared::from_parts(reading(resource), types);
        }
        Kind::Insert => text.insert(),
        Kind::Update => text.update(),
        Kind::Many => text.many(),
        Kind::Counting => counting(resource, &text.many()),
    };
    let mut types: Vec<pg_sys::Oid> = parameters(resource)
        .iter()
        .map(|parameter| parameter.parameter_type.oid(kind.source()))
        .collect();
    types.extend([pg_sys::BOOLOID, pg_sys::TEXTARRAYOID]);
    Prepared::from_parts(write, types)
}

fn reading(resource: Resource) -> String {
    format!(
        "SELECT t.id, t.instance_id, t.data::text, t.older::text, t.created_at, t.updated_at, t.observed_at, t.last_seen_at,
                t.deleted_at, t.missing_at, n.data::jsonb::text
         FROM unnest($1, $2) AS n (id, data) JOIN clerk.{} AS t ON t.id = n.id
         FOR UPDATE OF t",
        resource.table()
    )
}

fn counting(resource: Resource, many: &str) -> String {
    // Rows of the table are seen as they were before the statement.
    format!(
        "WITH written AS (
{many}, t.data, t.deleted
)
SELECT w.id, w.updated_at, w.observed_at, w.deleted_at,
       w.updated_at > '-infinity' AND (b.id IS NULL OR b.updated_at = '-infinity'),
       COALESCE(b.updated_at > '-infinity' AND (b.data <> w.data OR b.deleted <> w.deleted), false),
       w.deleted AND NOT COALESCE(b.deleted, false)
FROM written AS w LEFT JOIN clerk.{} AS b ON b.id = w.id",
        resource.table()
    )
}

const RETURNING: &str = "RETURNING t.id, t.updated_at, t.observed_at, t.deleted_at";

/// The parts of the statements of a table.
struct Text {
    table: &'static str,
    is_personal: bool,
    columns: Vec<Column>,
    /// The list of parameters, and the names of its columns.
    input: (String, String),
    is_joined: String,
    names: String,
}

/// A column that is written.
struct Column {
    /// Quoted: one may be called like a keyword, as `interval` and `type` are.
    name: String,
    cast: &'static str,
    /// Its value where the statement is about rows of a table.
    value: String,
    /// Whether it only grows.
    is_maximum: bool,
}

impl Text {
    fn new(resource: Resource, kind: Kind) -> Self {
        let parameters = parameters(resource);
        let numbered = || (1..).zip(&parameters);
        let columns = numbered()
            .filter(|(_, parameter)| parameter.name != IS_PLACEHOLDER)
            .map(|(number, parameter)| {
                let (name, cast) = (quoted(&parameter.name), cast(resource, &parameter.name));
                Column {
                    value: match kind.source() {
                        Source::One => format!("${number}{cast}"),
                        Source::Many => format!("excluded.{name}"),
                    },
                    name,
                    cast,
                    is_maximum: MAXIMA.contains(&parameter.name.as_str()),
                }
            })
            .collect();
        let lists = numbered().map(|(number, parameter)| {
            let value = format!("${number}::{}[]", parameter.parameter_type.sql());
            (value, quoted(&parameter.name))
        });
        let (values, names): (Vec<_>, Vec<_>) = lists.unzip();
        Self {
            table: resource.table(),
            is_personal: resource.is_personal(),
            columns,
            input: (values.join(", "), names.join(", ")),
            is_joined: format!("${}", parameters.len() + 1),
            names: format!("${}", parameters.len() + 2),
        }
    }

    fn insert(&self) -> String {
        format!(
            "INSERT INTO clerk.{} AS t ({}, synced_at)
VALUES ({}, clock_timestamp())
ON CONFLICT (id) DO NOTHING
{RETURNING}",
            self.table,
            self.list(|column| column.name.clone()),
            self.list(|column| column.value.clone()),
        )
    }

    fn update(&self) -> String {
        let covers = format!("t.data - {} = '{{}}'", self.names);
        format!(
            "UPDATE clerk.{} AS t SET {}, synced_at = clock_timestamp()
WHERE t.id = {} AND {}
{RETURNING}",
            self.table,
            self.updates(),
            self.value("id"),
            self.is_allowed(&covers),
        )
    }

    fn many(&self) -> String {
        // Each says that the news carry every member of the row. The first is cheap, and does where all carry the same.
        let covers = format!(
            "(excluded.data ?& {0} AND t.data - {0} = '{{}}' OR t.data || excluded.data = excluded.data)",
            self.names
        );
        let (values, names) = &self.input;
        format!(
            "INSERT INTO clerk.{table} AS t ({columns}, synced_at)
SELECT {selected}, clock_timestamp()
FROM unnest({values}) AS n ({names})
WHERE NOT (n.{IS_PLACEHOLDER} AND EXISTS (SELECT FROM clerk.{table} AS known WHERE known.id = n.id))
ON CONFLICT (id) DO UPDATE SET {updates}, synced_at = excluded.synced_at
WHERE {is_allowed}
{RETURNING}",
            table = self.table,
            columns = self.list(|column| column.name.clone()),
            selected = self.list(|column| format!("n.{}{}", column.name, column.cast)),
            updates = self.updates(),
            is_allowed = self.is_allowed(&covers),
        )
    }

    fn list(&self, write: impl Fn(&Column) -> String) -> String {
        self.columns.iter().map(write).collect::<Vec<_>>().join(", ")
    }

    fn updates(&self) -> String {
        let update = |column: &Column| match column.is_maximum {
            true => format!("{0} = GREATEST(t.{0}, {1})", column.name, column.value),
            false => format!("{} = {}", column.name, column.value),
        };
        // Not the id: that would lock the row against those who refer to it as well.
        let columns = self.columns.iter().filter(|column| column.name != quoted("id"));
        columns.map(update).collect::<Vec<_>>().join(", ")
    }

    /// The row is of the same instance, and the news are the join: they are joined already, or newer than every member of the row, all
    /// of which they carry, and there is no deletion that takes any.
    fn is_allowed(&self, covers: &str) -> String {
        let is_alive = match self.is_personal {
            true => format!("t.deleted_at IS NULL AND {} IS NULL", self.value("deleted_at")),
            false => "true".to_owned(),
        };
        format!(
            "(t.instance_id IS NULL OR {instance_id} IS NULL OR t.instance_id = {instance_id})
  AND ({is_joined} OR ((t.updated_at, t.observed_at) < ({updated_at}, {observed_at}) AND {older} IS NULL AND {is_alive} AND {covers}))",
            instance_id = self.value("instance_id"),
            is_joined = self.is_joined,
            updated_at = self.value("updated_at"),
            observed_at = self.value("observed_at"),
            older = self.value("older"),
        )
    }

    fn value(&self, name: &str) -> &str {
        let name = quoted(name);
        let column = self.columns.iter().find(|column| column.name == name);
        column.map_or("NULL", |column| &column.value)
    }
}

const MAXIMA: &[&str] = &[
    "instance_id",
    "created_at",
    "last_seen_at",
    "deleted_at",
    "missing_at",
];

fn cast(resource: Resource, name: &str) -> &'static str {
    let column = resource.columns().iter().find(|column| column.name == name);
    match column.map(|column| column.column_type) {
        Some(ColumnType::Texts) => "::text[]",
        Some(ColumnType::Json) => "::jsonb",
        None if matches!(name, "data" | "older") => "::jsonb",
        _ => "",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
