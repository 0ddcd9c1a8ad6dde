//! Observations as arguments of the statement that writes them.

use std::borrow::Cow;

use clerk_core::mirror::{LOWEST, Observation, Resource, Value};
use pgrx::prelude::*;

use super::statement::{self, ParameterType, Source};
use crate::clock;

/// One value of the input.
enum Cell<'o> {
    Text(Option<Cow<'o, str>>),
    Time(Option<i64>),
    Boolean(Option<bool>),
    Integer(Option<i64>),
}

/// Rows of cells, in the order of `statement::parameters`.
pub struct Input<'o> {
    types: Vec<ParameterType>,
    rows: Vec<Vec<Cell<'o>>>,
}

impl<'o> Input<'o> {
    pub fn of(resource: Resource, observations: &'o [Observation]) -> Self {
        let parameters = statement::parameters(resource);
        Self {
            types: parameters
                .into_iter()
                .map(|parameter| parameter.parameter_type)
                .collect(),
            rows: observations.iter().map(cells).collect(),
        }
    }

    /// The arguments, allocated in the current memory context.
    pub fn into_arguments(self, source: Source) -> Vec<Option<pg_sys::Datum>> {
        match source {
            Source::One => self.rows.into_iter().flatten().map(Cell::into_datum).collect(),
            Source::Many => {
                let mut columns: Vec<Vec<Option<pg_sys::Datum>>> =
                    self.types.iter().map(|_| Vec::new()).collect();
                for row in self.rows {
                    for (column, cell) in columns.iter_mut().zip(row) {
                        column.push(cell.into_datum());
                    }
                }
                let arrays = columns.into_iter().zip(self.types);
                arrays
                    .map(|(column, element)| Some(array(&column, element)))
                    .collect()
            }
        }
    }
}

fn cells(observation: &Observation) -> Vec<Cell<'_>> {
    let mut cells = vec![
        Cell::text(Some(&observation.id)),
        Cell::text(observation.instance_id.as_ref()),
        Cell::Boolean(Some(observation.is_placeholder())),
    ];
    let live = observation.live.as_ref();
    match live {
        Some(live) => cells.extend(live.values.iter().map(Cell::of)),
        None => cells.extend(observation.resource.columns().iter().map(|_| Cell::Text(None))),
    }
    let data = live.map_or("{}", |live| &live.data);
    cells.push(Cell::Text(Some(Cow::Borrowed(data))));
    cells.push(Cell::text(live.and_then(|live| live.older.as_ref())));
    cells.push(Cell::Time(live.and_then(|live| live.created_at)));
    cells.push(Cell::Time(Some(live.map_or(LOWEST, |live| live.updated_at))));
    cells.push(Cell::Time(Some(live.map_or(LOWEST, |live| live.observed_at))));
    cells.push(Cell::Time(Some(observation.last_seen_at)));
    cells.push(Cell::Time(observation.deleted_at));
    cells.push(Cell::Time(observation.missing_at));
    cells
}

impl<'o> Cell<'o> {
    fn text(text: Option<&'o String>) -> Self {
        Self::Text(text.map(|text| Cow::Borrowed(text.as_str())))
    }

    fn of(value: &'o Value) -> Self {
        match value {
            Value::Text(text) | Value::Json(text) => Self::text(text.as_ref()),
            Value::Time(time) => Self::Time(*time),
            Value::Boolean(boolean) => Self::Boolean(*boolean),
            Value::Integer(integer) => Self::Integer(*integer),
            Value::Texts(texts) => Self::Text(texts.as_ref().map(|texts| array_literal(texts).into())),
        }
    }

    fn into_datum(self) -> Option<pg_sys::Datum> {
        match self {
            Self::Text(text) => text.as_deref().into_datum(),
            Self::Time(time) => time.map(|micros| pg_sys::Datum::from(clock::timestamp_tz(micros))),
            Self::Boolean(boolean) => boolean.into_datum(),
            Self::Integer(integer) => integer.into_datum(),
        }
    }
}

/// The text form of `text[]`, as `array_in` reads it.
fn array_literal(texts: &[String]) -> String {
    let mut literal = String::from("{");
    for (at, text) in texts.iter().enumerate() {
        literal.push_str(if at == 0 { "\"" } else { ",\"" });
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                literal.push('\\');
            }
            literal.push(character);
        }
        literal.push('"');
    }
    literal.push('}');
    literal
}

/// A one-dimensional array in the current memory context.
pub fn array(column: &[Option<pg_sys::Datum>], element: ParameterType) -> pg_sys::Datum {
    let mut values: Vec<pg_sys::Datum> = column
        .iter()
        .map(|value| value.unwrap_or(pg_sys::Datum::null()))
        .collect();
    let mut nulls: Vec<bool> = column.iter().map(Option::is_none).collect();
    let (length, by_value, alignment) = match element {
        ParameterType::Text => (-1, false, b'i'),
        ParameterType::Time | ParameterType::Integer => (8, true, b'd'),
        ParameterType::Boolean => (1, true, b'c'),
    };
    let (mut size, mut lower_bound) = (column.len() as i32, 1);
    // SAFETY: as many values as null marks; length, passing and alignment are those of the element's type.
    unsafe {
        let array = pg_sys::construct_md_array(
            values.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            &mut size,
            &mut lower_bound,
            element.oid(Source::One),
            length,
            by_value,
            alignment as std::ffi::c_char,
        );
        pg_sys::Datum::from(array)
    }
}
