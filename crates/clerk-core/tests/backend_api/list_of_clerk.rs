//! A list as Clerk serves it, which changes while it is read.

use clerk_core::backend_api::{Step, Walk};

/// One row: id and the time by which the list is sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub created_at: i64,
    pub id: String,
}

/// Rows in the order of their times.
pub struct ClerkList {
    pub rows: Vec<Row>,
    pub requests: u32,
    /// What Clerk does with rows of one time.
    pub ties: Ties,
}

/// No order of them is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// They stay in their order.
    Stable,
    /// They change places with every request.
    Shuffled,
    /// They change places, and all of the cursor's time come before the cursor.
    BehindTheCursor,
}

pub fn row(number: i64) -> Row {
    Row {
        created_at: 1_700_000_000_000 + number,
        id: format!("id_{number:06}"),
    }
}

impl ClerkList {
    /// Rows 0 to `count`, a millisecond apart.
    pub fn of(count: i64) -> Self {
        Self {
            rows: (0..count).map(row).collect(),
            requests: 0,
            ties: Ties::Stable,
        }
    }

    /// What an object with `data` and `total_count` says of the page that the query asks for.
    pub fn page(&mut self, query: &[(&str, String)]) -> String {
        let (rows, total) = (self.select(query), self.rows.len());
        format!(r#"{{"data": {}, "total_count": {total}}}"#, array(&rows))
    }

    /// The bare array, as users are listed. None: the cursor is nobody's.
    pub fn users(&mut self, query: &[(&str, String)]) -> Option<String> {
        if let Some(cursor) = value(query, "starting_after")
            && !self.rows.iter().any(|row| row.id == cursor)
        {
            self.requests += 1;
            return None;
        }
        Some(array(&self.select(query)))
    }

    fn select(&mut self, query: &[(&str, String)]) -> Vec<Row> {
        self.requests += 1;
        assert!(self.requests < 100_000, "the walk goes on for ever");
        let number =
            |name| value(query, name).map_or(0, |value| value.parse::<usize>().expect("it is a number"));
        let mut rows = self.rows.clone();
        if self.ties != Ties::Stable {
            let requests = u64::from(self.requests);
            rows.sort_by_cached_key(|row| (row.created_at, shuffled(&row.id, requests)));
        }
        let behind = |cursor: &str| {
            let time = rows.iter().find(|row| row.id == cursor).map(|row| row.created_at);
            let is_last = |row: &Row| match self.ties {
                Ties::BehindTheCursor => Some(row.created_at) == time,
                _ => row.id == cursor,
            };
            rows.iter().rposition(is_last).map_or(0, |at| at + 1)
        };
        let first = value(query, "starting_after").map_or_else(|| number("offset"), behind);
        if value(query, "order_by").is_some_and(|order| order.starts_with('-')) {
            rows.reverse();
        }
        rows.into_iter().skip(first).take(number("limit")).collect()
    }
}

fn shuffled(id: &str, seed: u64) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (id, seed).hash(&mut hasher);
    hasher.finish()
}

fn value<'q>(query: &'q [(&str, String)], name: &str) -> Option<&'q str> {
    query
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.as_str())
}

pub fn array(rows: &[Row]) -> String {
    let objects: Vec<_> = rows
        .iter()
        .map(|row| {
            let time = row.created_at;
            format!(
                r#"{{"id": "{}", "object": "x", "created_at": {time}, "updated_at": {time}}}"#,
                row.id
            )
        })
        .collect();
    format!("[{}]", objects.join(","))
}

/// Takes an answer; gives the ids of the page, if it is one.
pub fn take(walk: &mut Walk, body: &str) -> Result<Vec<String>, &'static str> {
    let answered = walk.read(body).expect("it is a list");
    match walk.advance(&answered, 0) {
        Step::Page => Ok(answered.into_ids()),
        Step::Nothing | Step::Again => Ok(Vec::new()),
        Step::Stuck(reason) => Err(reason),
    }
}
