//! Values of typed columns.

/// Longest id that is believed to be one. Postgres could not index much longer ones.
pub(crate) const MAX_ID_BYTES: usize = 255;

/// The type of a typed column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `text`
    Text,
    /// `timestamptz`
    Time,
    /// `boolean`
    Boolean,
    /// `bigint`
    Integer,
    /// `text[]`
    Texts,
    /// `jsonb`
    Json,
}

/// The value of a typed column; None is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the column type of the same name")]
pub enum Value {
    Text(Option<String>),
    /// Microseconds since 1970.
    Time(Option<i64>),
    Boolean(Option<bool>),
    Integer(Option<i64>),
    Texts(Option<Vec<String>>),
    /// JSON text that jsonb accepts.
    Json(Option<String>),
}
