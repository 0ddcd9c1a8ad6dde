//! What a check is, and the two ways to run one.

use crate::reason::{Reason, Refusal};

/// One thing that must hold of a subject `S`. Only `passes` runs on the way to a verdict; the words are made on demand.
pub(super) struct Criterion<S> {
    /// The claim or header parameter that is looked at.
    pub(super) name: &'static str,
    pub(super) passes: fn(&S) -> bool,
    /// What it must be, to follow "must be" or "expected".
    pub(super) expected: fn(&S) -> String,
    /// What it is.
    pub(super) found: fn(&S) -> String,
    /// Clerk's code for a failure.
    pub(super) reason: fn(&S) -> Reason,
    pub(super) hint: &'static str,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `format`, `signature`, or the claim or header parameter that was checked.
    pub name: &'static str,
    /// Whether the token passed it.
    pub passed: bool,
    /// What was expected and what was found.
    pub detail: String,
}

/// Runs the criteria up to the first that fails.
pub(super) fn judge<S>(criteria: &[Criterion<S>], subject: &S) -> Result<(), Refusal> {
    match criteria.iter().find(|criterion| !(criterion.passes)(subject)) {
        None => Ok(()),
        Some(failed) => Err(Refusal::new(
            (failed.reason)(subject),
            format!(
                "{} must be {}, but is {}",
                failed.name,
                (failed.expected)(subject),
                (failed.found)(subject)
            ),
            failed.hint,
        )),
    }
}

/// Runs every criterion and tells what each found.
pub(super) fn report<S>(criteria: &[Criterion<S>], subject: &S) -> impl Iterator<Item = Check> {
    criteria.iter().map(move |criterion| Check {
        name: criterion.name,
        passed: (criterion.passes)(subject),
        detail: format!(
            "expected {}; found {}",
            (criterion.expected)(subject),
            (criterion.found)(subject)
        ),
    })
}
