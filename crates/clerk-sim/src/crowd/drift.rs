//! People who change while the crowd is read.

use std::collections::{BTreeSet, HashMap};

use super::ids::scramble;

/// The last change of a person.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) at_ms: i64,
    pub(super) revision: u64,
}

/// Everybody who changed. It grows with the changes, not with the crowd.
pub(super) struct Drift {
    state: u64,
    changes: HashMap<u64, Change>,
    by_time: BTreeSet<(i64, u64)>,
}

impl Drift {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            changes: HashMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    pub(super) fn of(&self, place: u64) -> Option<Change> {
        self.changes.get(&place).copied()
    }

    /// Lets one of `users` people change.
    pub(super) fn change_somebody(&mut self, users: u64, at_ms: i64) {
        self.state = scramble(self.state);
        let place = self.state % users;
        let change = self.changes.entry(place).or_insert(Change { at_ms, revision: 0 });
        self.by_time.remove(&(change.at_ms, place));
        *change = Change {
            at_ms,
            revision: change.revision + 1,
        };
        self.by_time.insert((at_ms, place));
    }

    /// Who changed, first who changed last.
    pub(super) fn latest(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.by_time.iter().rev().map(|(_, place)| *place)
    }
}
