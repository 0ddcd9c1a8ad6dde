//! What a page of a list holds.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lists::Order;
use crate::mirror::time;

/// What an answer holds.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Where in the body the array of objects is.
    pub objects: Range<usize>,
    pub(super) rows: Vec<Row>,
    pub(super) total: Option<u64>,
}

impl Answered {
    /// Reads an array of objects, or one in `data`; the error follows "the answer is".
    pub(super) fn read(body: &str, order: Option<Order>) -> Result<Self, String> {
        let (list, total) = list(body)?;
        let rows: Vec<RawRow> =
            serde_json::from_str(list).map_err(|error| format!("no list of objects with ids: {error}"))?;
        let start = list.as_ptr() as usize - body.as_ptr() as usize;
        let row = |row: &RawRow| Row {
            id: row.id.to_string(),
            key: order.and_then(|order| row.key(order)),
        };
        Ok(Self {
            objects: start..start + list.len(),
            rows: rows.iter().map(row).collect(),
            total,
        })
    }

    /// The ids of the objects, in their order.
    pub fn into_ids(self) -> Vec<String> {
        self.rows.into_iter().map(|row| row.id).collect()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: String,
    /// What the list is sorted by, in microseconds since 1970.
    pub(super) key: Option<i64>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    total_count: Option<u64>,
}

#[derive(Deserialize)]
struct RawRow<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    updated_at: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

impl RawRow<'_> {
    fn key(&self, order: Order) -> Option<i64> {
        let value = match order.by {
            "updated_at" => self.updated_at,
            "timestamp" => self.timestamp,
            _ => self.created_at,
        };
        time::micros(value?.get())
    }
}

/// The text of the array, and the number of rows, if it is told.
fn list(body: &str) -> Result<(&str, Option<u64>), String> {
    let trimmed = body.trim();
    if trimmed.starts_with('[') {
        return Ok((trimmed, None));
    }
    match serde_json::from_str::<Envelope>(trimmed) {
        Ok(envelope) => Ok((envelope.data.get(), envelope.total_count)),
        Err(error) if trimmed.starts_with('{') => Err(format!("no list: {error}")),
        Err(_) => Err(format!("no JSON but {}", super::fault::what_it_is(trimmed))),
    }
}
