//! What came of the calls, and the figures that are printed at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

/// What one session did.
#[derive(Default)]
pub struct Tally {
    pub calls: usize,
    /// By SQLSTATE; success is `00000`.
    outcomes: BTreeMap<String, usize>,
    /// The longest call of each function.
    slowest: BTreeMap<String, Duration>,
    /// Of a session that lasted; see `Session::memory`.
    pub memory: Option<(i64, i64)>,
    /// What must not happen, one of a kind.
    pub findings: Vec<String>,
    kinds: BTreeSet<String>,
}

impl Tally {
    pub fn count(&mut self, subject: &str, sqlstate: &str, took: Duration) {
        self.calls += 1;
        *self.outcomes.entry(sqlstate.to_owned()).or_default() += 1;
        let slowest = self.slowest.entry(subject.to_owned()).or_default();
        *slowest = took.max(*slowest);
    }

    /// Keeps the first of each kind.
    pub fn find(&mut self, kind: String, finding: impl FnOnce() -> String) {
        if self.kinds.insert(kind) {
            self.findings.push(finding());
        }
    }

    pub fn line(&self, who: &str) -> String {
        let mut line = format!("{who}: {} calls;", self.calls);
        let mut outcomes: Vec<_> = self.outcomes.iter().collect();
        outcomes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (sqlstate, count) in outcomes {
            write!(line, " {sqlstate} {count}").expect("writing to a String cannot fail");
        }
        if let Some((begin, end)) = self.memory {
            write!(line, "; memory {begin} to {end} KiB").expect("writing to a String cannot fail");
        }
        line
    }

    /// The functions that took longest, longest first.
    pub fn slowest(&self) -> Vec<(Duration, &str)> {
        let mut slowest: Vec<_> = self
            .slowest
            .iter()
            .map(|(name, took)| (*took, name.as_str()))
            .collect();
        slowest.sort_by(|one, other| other.cmp(one));
        slowest
    }
}
