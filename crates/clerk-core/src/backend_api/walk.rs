//! Reading a list page by page, while it changes.
//!
//! Only the list of users has cursors. Everywhere else a page is said by how many rows come before it, and a row that is deleted
//! meanwhile moves all later ones forward, past the beginning of the next page. So each page begins a few rows early: if it shows
//! a row that was seen, or begins before the last one, nothing was passed over; else the walk steps back until it does. At the end
//! the rows are counted against Clerk's own count, and read again if there should be more.
//!
//! Clerk promises no order of rows of one time, so they may change places between two answers. Within one answer they do not: each
//! page begins before the first row of the time with which the page before ended, and shows all of that time.

use serde::Deserialize;

use super::answered::{Answered, Row};
use super::lists::{Listing, MAX_LIMIT};
use super::position::Position;
use super::url::Query;

/// How many rows of a page the next one shows again.
const OVERLAP: usize = 10;

/// Fewest rows to a page: one of them shows that none was passed over.
const MIN_LIMIT: u32 = 2;

/// How often the same page may come before the walk is given up.
const MAX_REPEATS: u32 = 3;

/// How many answers without a new row are taken one after the other: enough to find back after half a million deletions.
const MAX_IDLE: u32 = 1000;

/// How many more rows than twice Clerk's count are taken. More can come to be during a walk, but not so many: it goes round.
const MAX_EXCESS: u64 = 50_000;

/// How often a list is read again because it has fewer rows than Clerk counts.
const MAX_PASSES: u32 = 2;

/// A walk along a list, and where it is.
#[derive(Debug, Clone)]
pub struct Walk {
    listing: Listing,
    at: Position,
}

/// What came of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its objects are the next of the list.
    Page,
    /// It says nothing new; the walk goes on.
    Nothing,
    /// It came before: to be asked for again, after a while.
    Again,
    /// The list cannot be read; with the reason.
    Stuck(&'static str),
}

impl Walk {
    /// A walk from the beginning of the list.
    pub fn new(listing: Listing) -> Self {
        Self {
            listing,
            at: Position::default(),
        }
    }

    /// Goes on from where [`Self::position`] was taken; from the beginning if that makes no sense.
    pub fn resume(listing: Listing, position: &serde_json::Value) -> Self {
        let at = Position::deserialize(position).ok();
        let at =
            at.filter(|at| at.round <= listing.rounds.len() && (MIN_LIMIT..=MAX_LIMIT).contains(&at.limit));
        Self {
            at: at.unwrap_or_default(),
            listing,
        }
    }

    /// Where the walk is.
    pub fn position(&self) -> serde_json::Value {
        serde_json::json!(self.at)
    }

    /// The list.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Whether there is nothing more to ask.
    pub fn is_done(&self) -> bool {
        self.at.done
    }

    /// Whether as many rows were seen as Clerk counts. Only then does it mean something that a row was not seen.
    pub fn is_complete(&self) -> bool {
        self.at.done && self.at.complete
    }

    /// When the first answer came, by Clerk, in microseconds since 1970: whatever was there then and since is seen by the end.
    pub fn began_at(&self) -> Option<i64> {
        self.at.began_at
    }

    /// How many rows were seen.
    pub fn seen(&self) -> u64 {
        self.at.seen_before + self.at.seen
    }

    /// How many there should be, if that is known.
    pub fn total(&self) -> Option<u64> {
        match self.at.total {
            Some(total) => Some(self.at.total_before + total),
            None => self.at.done.then_some(self.at.total_before),
        }
    }

    /// What the last row that was seen is sorted by, in microseconds since 1970.
    pub fn edge(&self) -> Option<i64> {
        self.at.edge
    }

    /// Whether the number of rows is to be asked for before the next page.
    pub fn wants_count(&self) -> bool {
        self.at.recount && !self.at.done && self.listing.count_path.is_some()
    }

    /// Takes the number of rows, as it was at that time by Clerk.
    pub fn count(&mut self, total: u64, observed_at: i64) {
        self.at.began_at.get_or_insert(observed_at);
        self.counted(total);
    }

    fn counted(&mut self, total: u64) {
        self.at.recount = false;
        self.at.first_total.get_or_insert(total);
        self.at.total = Some(total);
    }

    /// What to ask for next.
    pub fn query(&self) -> Query {
        let mut query = self.listing.filters.clone();
        query.extend(
            self.listing
                .rounds
                .get(self.at.round)
                .copied()
                .flatten()
                .map(|(name, value)| (name, value.to_owned())),
        );
        if let Some(order) = self.listing.order.filter(|order| order.asked) {
            let sign = if order.newest_first { '-' } else { '+' };
            query.push(("order_by", format!("{sign}{}", order.by)));
        }
        query.push(("limit", self.at.limit.to_string()));
        if let Some(cursor) = self.cursor() {
            query.push(("starting_after", cursor.to_owned()));
        } else if self.at.offset > 0 {
            query.push(("offset", self.at.offset.to_string()));
        }
        query
    }

    /// Asks for half as much from now on. False if that is not possible.
    pub fn shrink(&mut self) -> bool {
        let is_possible = self.at.limit > MIN_LIMIT;
        self.at.limit = (self.at.limit / 2).max(MIN_LIMIT);
        is_possible
    }

    /// Takes an earlier cursor, because Clerk does not know the last one any more: its user was deleted. False if there was
    /// none, or the walk has begun again for that reason before.
    pub fn refuse_cursor(&mut self) -> bool {
        if self.cursor().is_none() {
            return false;
        }
        self.at.refused += 1;
        if self.cursor().is_none() {
            self.at.restarts += 1;
            self.begin_again();
        }
        self.at.restarts <= MAX_PASSES
    }

    /// The last row before those of the last time, or an earlier one. The very last row comes last: others of its time may follow.
    fn cursor(&self) -> Option<&str> {
        let tail = &self.at.tail;
        let ends_with_last = self.at.tied.is_empty() && tail.len() > 1;
        let (before, last) = tail.split_at(tail.len() - usize::from(ends_with_last));
        let mut cursors = before.iter().rev().chain(last);
        cursors
            .nth(self.at.refused)
            .filter(|_| self.listing.by_cursor)
            .map(String::as_str)
    }

    /// How many of the rows were not seen before.
    fn new_of(&self, rows: &[Row]) -> usize {
        let is_new = |row: &&Row| !self.is_known(row) && !self.is_before_edge(row);
        rows.iter().filter(is_new).count()
    }

    /// Whether the row is one of the last that were seen.
    fn is_known(&self, row: &Row) -> bool {
        self.at.tail.contains(&row.id) || self.at.tied.contains(&row.id)
    }

    /// Reads an answer: an array of objects, or one in `data`.
    ///
    /// # Errors
    /// When it is nothing of that, in words that follow "the answer is".
    pub fn read(&self, body: &str) -> Result<Answered, String> {
        Answered::read(body, self.listing.order)
    }

    /// Takes the answer to [`Self::query`], of that time by Clerk.
    pub fn advance(&mut self, answer: &Answered, observed_at: i64) -> Step {
        self.at.began_at.get_or_insert(observed_at);
        if let Some(total) = answer.total {
            self.counted(total);
        }
        if self.at.idle >= MAX_IDLE {
            return Step::Stuck("it goes on without showing anything new");
        }
        if self
            .at
            .total
            .is_some_and(|total| self.at.seen > 2 * total + MAX_EXCESS)
        {
            return Step::Stuck("it goes on far beyond the number of rows that Clerk counts");
        }
        self.at.idle += 1;
        if self.listing.by_cursor {
            self.by_cursor(&answer.rows)
        } else {
            self.by_offset(&answer.rows)
        }
    }

    fn by_cursor(&mut self, rows: &[Row]) -> Step {
        let is = |row: &Row, id: Option<&str>| id == Some(row.id.as_str());
        let new = self.new_of(rows);
        let is_full = rows.len() >= self.at.limit as usize;
        let comes_again = new > 0 && rows.last().is_some_and(|last| is(last, self.at.mark.as_deref()));
        if comes_again || (new == 0 && is_full) || rows.iter().any(|row| is(row, self.cursor())) {
            return self.repeated();
        }
        if let Some(last) = rows.last() {
            self.at.lap += 1;
            if self.at.lap == self.at.next_lap {
                self.at.mark = Some(last.id.clone());
                self.at.next_lap *= 2;
                self.at.lap = 0;
            }
        }
        if new > 0 {
            // An empty answer before this one was not the end.
            self.at.passes = 0;
        }
        self.see(rows, new);
        self.end_if_short(rows, new == 0)
    }

    fn by_offset(&mut self, rows: &[Row]) -> Step {
        let joins = self.at.offset == 0
            || rows.iter().any(|row| self.at.tail.contains(&row.id))
            || rows.first().is_some_and(|first| self.is_before_edge(first))
            // So many are of one time that a page has hardly room for others.
            || (self.at.tied.len() + OVERLAP >= self.at.limit as usize && rows.iter().any(|row| self.is_known(row)));
        if !joins {
            let back = (2 * self.at.back)
                .max(u64::from(self.at.limit.div_ceil(2)))
                .min(self.at.offset);
            self.at.back = back;
            self.at.offset -= back;
            self.at.owed += back;
            return Step::Nothing;
        }
        let new = self.new_of(rows);
        let is_full = rows.len() >= self.at.limit as usize;
        if is_full && new == 0 && self.at.owed == 0 {
            return self.repeated();
        }
        let overlap = match tied(rows) {
            0 => OVERLAP.min(rows.len() / 2),
            tied => (tied + OVERLAP).min(rows.len() - 1),
        };
        let forward = (rows.len() - overlap) as u64;
        self.at.back = 0;
        self.at.owed = if new > 0 {
            0
        } else {
            self.at.owed.saturating_sub(forward)
        };
        self.at.offset += forward;
        self.see(rows, new);
        self.end_if_short(rows, new == 0)
    }

    /// Whether the row comes before the last one that was seen, for sure: one that is sorted by the same may be another.
    fn is_before_edge(&self, row: &Row) -> bool {
        match (self.listing.order, row.key, self.at.edge) {
            (Some(order), Some(key), Some(edge)) => order.is_before(key, edge),
            _ => false,
        }
    }

    fn see(&mut self, rows: &[Row], new: usize) {
        self.at.repeats = 0;
        if new > 0 {
            self.at.idle = 0;
        }
        self.at.seen += new as u64;
        if !rows.is_empty() {
            self.at.refused = 0;
        }
        if !rows.is_empty() {
            let (before, tied) = rows.split_at(rows.len() - tied(rows));
            for row in &before[before.len().saturating_sub(OVERLAP)..] {
                self.at.tail.retain(|id| *id != row.id);
                self.at.tail.push(row.id.clone());
            }
            let excess = self.at.tail.len().saturating_sub(OVERLAP);
            self.at.tail.drain(..excess);
            self.at.tied = tied.iter().map(|row| row.id.clone()).collect();
        }
        let last = rows.last().filter(|last| !self.is_before_edge(last));
        self.at.edge = last.and_then(|last| last.key).or(self.at.edge);
    }

    fn repeated(&mut self) -> Step {
        self.at.repeats += 1;
        if self.at.repeats > MAX_REPEATS {
            return Step::Stuck("the same page comes again and again");
        }
        Step::Again
    }

    /// A short page is the last one, unless Clerk counts more rows than were seen: then one more is asked for.
    fn end_if_short(&mut self, rows: &[Row], is_over: bool) -> Step {
        let is_short = rows.len() < self.at.limit as usize;
        if is_short && (is_over || self.at.total.is_some_and(|total| self.at.seen >= total)) {
            self.end();
        }
        if rows.is_empty() {
            Step::Nothing
        } else {
            Step::Page
        }
    }

    fn end(&mut self) {
        // Rows that were deleted during the walk make the count smaller, rows that were added make it larger.
        let least = self.at.total.min(self.at.first_total);
        let is_enough = least.is_none_or(|least| self.at.seen >= least);
        // What changes meanwhile leaves a list that is sorted by changes.
        let is_steady = self.listing.order.is_none_or(|order| order.by != "updated_at");
        if !is_enough && is_steady && self.at.passes < MAX_PASSES {
            self.at.passes += 1;
            if self.listing.by_cursor {
                // Nothing can have been passed over, so more can only come behind the last row.
                self.at.recount = true;
            } else {
                self.begin_again();
            }
            return;
        }
        self.at = Position {
            began_at: self.at.began_at,
            round: self.at.round + 1,
            limit: self.at.limit,
            seen_before: self.at.seen_before + self.at.seen,
            total_before: self.at.total_before + self.at.total.unwrap_or(self.at.seen),
            edge: self.at.edge,
            complete: self.at.complete && is_enough,
            done: self.at.round + 1 >= self.listing.rounds.len(),
            ..Position::default()
        };
        if !self.at.done {
            self.at.edge = None;
        }
    }

    /// From the first row of this round.
    fn begin_again(&mut self) {
        self.at = Position {
            began_at: self.at.began_at,
            round: self.at.round,
            limit: self.at.limit,
            seen_before: self.at.seen_before,
            total_before: self.at.total_before,
            passes: self.at.passes,
            restarts: self.at.restarts,
            complete: self.at.complete,
            idle: self.at.idle,
            ..Position::default()
        };
    }
}

/// How many rows at the end of a page are sorted by one time: 0 unless they are several and come after another time, because of what
/// fills the page nothing is known.
fn tied(rows: &[Row]) -> usize {
    let key = rows.last().and_then(|last| last.key);
    let of_one_time = rows
        .iter()
        .rev()
        .take_while(|row| key.is_some() && row.key == key)
        .count();
    if of_one_time == rows.len() || of_one_time == 1 {
        0
    } else {
        of_one_time
    }
}
