//! What a check is, and the two ways to run one.

use crate::reason::{Reason, Refusal};

/// One thing that must hold of a subject `S`. Only `passes` runs on the way to a verdict; the words are made on demand.
pub(super) struct Criterion<S> {
    /// The claim or header parameter that is looked at.
    pub(super) name: &'static str,
    pub(super) passes: fn(&S) -> bool,
    /// What it must be, to follow "must be" or "expected".
    pub(super) expected: fn(&S) -> String,
    /// Whether `expected` is a rule of Clerk's. What an administrator configured is for administrators: a refusal goes
    /// to whoever brought the token.
    pub(super) public: bool,
    /// What it is.
    pub(super) found: fn(&S) -> String,
    /// Clerk's code for a failure.
    pub(super) reason: fn(&S) -> Reason,
    /// The next step.
    pub(super) hint: fn(&S) -> &'static str,
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
            complaint(failed, subject),
            (failed.hint)(subject),
        )),
    }
}

fn complaint<S>(failed: &Criterion<S>, subject: &S) -> String {
    let found = (failed.found)(subject);
    match failed.public {
        true => format!(
            "{} must be {}, but is {found}",
            failed.name,
            (failed.expected)(subject)
        ),
        false => format!("{} is {found}, which is not accepted here", failed.name),
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
