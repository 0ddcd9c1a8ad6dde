//! Observations as arguments of the statement that writes them.

use clerk_core::mirror::{LOWEST, Observation, Resource, SideValue, Value};
use pgrx::prelude::*;

use super::statement::{self, ParameterType, Source};
use crate::clock;

/// One value of the input.
enum Cell {
    Text(Option<String>),
    Time(Option<i64>),
    Boolean(Option<bool>),
    Integer(Option<i64>),
}

/// Rows of cells, in the order of `statement::parameters`.
pub struct Input {
    types: Vec<ParameterType>,
    rows: Vec<Vec<Cell>>,
}

impl Input {
    pub fn of(resource: Resource, observations: Vec<Observation>) -> Self {
        let parameters = statement::parameters(resource);
        Self {
            types: parameters
                .into_iter()
                .map(|parameter| parameter.parameter_type)
                .collect(),
            rows: observations.into_iter().map(cells).collect(),
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

fn cells(observation: Observation) -> Vec<Cell> {
    let is_placeholder = observation.is_placeholder();
    let mut cells = vec![
        Cell::Text(Some(observation.id)),
        Cell::Text(observation.instance_id),
        Cell::Boolean(Some(is_placeholder)),
    ];
    let (live, data, created_at, updated_at, observed_at) = match observation.live {
        Some(live) => (
            live.values,
            live.data,
            live.created_at,
            live.updated_at,
            live.observed_at,
        ),
        None => (Vec::new(), "{}".to_owned(), None, LOWEST, LOWEST),
    };
    if live.is_empty() {
        cells.extend(observation.resource.columns().iter().map(|_| Cell::Text(None)));
    } else {
        cells.extend(live.into_iter().map(Cell::of));
    }
    for side in observation.sides {
        let side = side.unwrap_or(SideValue {
            json: None,
            updated_at: LOWEST,
            observed_at: LOWEST,
        });
        cells.push(Cell::Text(side.json));
        cells.push(Cell::Time(Some(side.updated_at)));
        cells.push(Cell::Time(Some(side.observed_at)));
    }
    cells.push(Cell::Text(Some(data)));
    cells.push(Cell::Time(created_at));
    cells.push(Cell::Time(Some(updated_at)));
    cells.push(Cell::Time(Some(observed_at)));
    cells.push(Cell::Time(Some(observation.last_seen_at)));
    cells.push(Cell::Time(observation.deleted_at));
    cells.push(Cell::Time(observation.missing_at));
    cells
}

impl Cell {
    fn of(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Time(time) => Self::Time(time),
            Value::Boolean(boolean) => Self::Boolean(boolean),
            Value::Integer(integer) => Self::Integer(integer),
            Value::Texts(texts) => Self::Text(texts.map(|texts| array_literal(&texts))),
            Value::Json(json) => Self::Text(json),
        }
    }

    fn into_datum(self) -> Option<pg_sys::Datum> {
        match self {
            Self::Text(text) => text.into_datum(),
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
