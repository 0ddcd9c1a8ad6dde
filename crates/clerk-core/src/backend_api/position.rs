//! Where a walk along a list is.

use serde::{Deserialize, Serialize};

use super::lists::MAX_LIMIT;

/// What is saved of a walk, so that another process can go on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Position {
    /// When the first answer came, by Clerk, in microseconds since 1970.
    pub(super) began_at: Option<i64>,
    /// Which of the list's rounds.
    pub(super) round: usize,
    /// Rows per page: fewer than the most after an answer that was too large.
    pub(super) limit: u32,
    /// Ids of the last rows that were seen, the latest last, without those of `tied`.
    pub(super) tail: Vec<String>,
    /// Ids of the rows at the end that are sorted by one time, if they are several: others of that time may be still to come.
    pub(super) tied: Vec<String>,
    /// How many of these, from the end, are no cursors any more.
    pub(super) refused: usize,
    /// Rows before the next page.
    pub(super) offset: u64,
    /// How far the last step back went, if the walk has not found the way again.
    pub(super) back: u64,
    /// Rows that are to come again after steps back.
    pub(super) owed: u64,
    /// What the last row that was seen is sorted by.
    pub(super) edge: Option<i64>,
    /// Rows seen in this round, and in those before.
    pub(super) seen: u64,
    pub(super) seen_before: u64,
    /// Clerk's count of this round, when it was first and last told, and of those before.
    pub(super) first_total: Option<u64>,
    pub(super) total: Option<u64>,
    pub(super) total_before: u64,
    /// Whether Clerk is to be asked for its count.
    pub(super) recount: bool,
    /// How often the round was begun again.
    pub(super) passes: u32,
    pub(super) repeats: u32,
    pub(super) idle: u32,
    pub(super) restarts: u32,
    /// Brent's way to notice a circle: a cursor from before, replaced after 1, 2, 4, … pages.
    pub(super) mark: Option<String>,
    pub(super) lap: u64,
    pub(super) next_lap: u64,
    /// Whether no round that has ended had fewer rows than Clerk counts.
    pub(super) complete: bool,
    pub(super) done: bool,
}

impl Default for Position {
    fn default() -> Self {
        Self {
            began_at: None,
            round: 0,
            limit: MAX_LIMIT,
            tail: Vec::new(),
            tied: Vec::new(),
            refused: 0,
            offset: 0,
            back: 0,
            owed: 0,
            edge: None,
            seen: 0,
            seen_before: 0,
            first_total: None,
            total: None,
            total_before: 0,
            recount: true,
            passes: 0,
            repeats: 0,
            idle: 0,
            restarts: 0,
            mark: None,
            lap: 0,
            next_lap: 1,
            complete: true,
            done: false,
        }
    }
}
