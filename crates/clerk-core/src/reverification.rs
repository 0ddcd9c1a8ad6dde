//! Reverification: how long ago the session's factors were last verified.

use std::fmt;

use crate::session_claims::SessionClaims;

/// Which factors must be fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReverificationLevel {
    /// The first factor.
    FirstFactor,
    /// The second factor, or the first where no second is enrolled.
    SecondFactor,
    /// Both factors, or the first where no second is enrolled.
    MultiFactor,
}

/// A demand on the session's factors: `level` was verified less than `after_minutes` minutes ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reverification {
    /// Which factors.
    pub level: ReverificationLevel,
    /// Minutes; a verification exactly this old is too old.
    pub after_minutes: i32,
}

/// Why a demand cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverificationError(pub String);

impl fmt::Display for ReverificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReverificationError {}

impl Reverification {
    /// One of Clerk's presets (`strict_mfa`, `strict`, `moderate`, `lax`) alone, or a level (`first_factor`,
    /// `second_factor`, `multi_factor`) with a positive `after_minutes`.
    ///
    /// # Errors
    /// For any other word, a preset with minutes, and a level without.
    pub fn parse(preset_or_level: &str, after_minutes: Option<i32>) -> Result<Self, ReverificationError> {
        use ReverificationLevel::{FirstFactor, MultiFactor, SecondFactor};
        let level = match preset_or_level {
            "strict_mfa" => return preset(MultiFactor, 10, after_minutes),
            "strict" => return preset(SecondFactor, 10, after_minutes),
            "moderate" => return preset(SecondFactor, 60, after_minutes),
            "lax" => return preset(SecondFactor, 1440, after_minutes),
            "first_factor" => FirstFactor,
            "second_factor" => SecondFactor,
            "multi_factor" => MultiFactor,
            other => {
                return Err(ReverificationError(format!(
                    "{} is neither a preset (strict_mfa, strict, moderate, lax) nor a level (first_factor, \
                     second_factor, multi_factor)",
                    crate::quote(other)
                )));
            }
        };
        match after_minutes {
            Some(after_minutes) if after_minutes > 0 => Ok(Reverification { level, after_minutes }),
            _ => Err(ReverificationError(
                "a level needs after_minutes, greater than 0".to_owned(),
            )),
        }
    }
}

fn preset(
    level: ReverificationLevel,
    minutes: i32,
    after_minutes: Option<i32>,
) -> Result<Reverification, ReverificationError> {
    match after_minutes {
        None => Ok(Reverification {
            level,
            after_minutes: minutes,
        }),
        Some(_) => Err(ReverificationError(
            "a preset has its own minutes; leave after_minutes out".to_owned(),
        )),
    }
}

impl SessionClaims {
    /// Whether the session's factors meet `demand`. False when the token does not carry well-formed factor ages.
    pub fn has_reverification(&self, demand: &Reverification) -> bool {
        let Some([first, second]) = self.fva else {
            return false;
        };
        let enrolled = |age: f64| age != NEVER;
        let fresh = |age: f64| enrolled(age) && f64::from(demand.after_minutes) > age;
        match demand.level {
            ReverificationLevel::FirstFactor => fresh(first),
            ReverificationLevel::SecondFactor if enrolled(second) => fresh(second),
            ReverificationLevel::SecondFactor => fresh(first),
            ReverificationLevel::MultiFactor if enrolled(second) => fresh(first) && fresh(second),
            ReverificationLevel::MultiFactor => fresh(first),
        }
    }
}

/// The age of a factor that is not enrolled or was never verified.
const NEVER: f64 = -1.0;

/// `ages` if Clerk could have written them: each -1 or a number of minutes from 0 on.
pub(crate) fn well_formed_ages(ages: [f64; 2]) -> Option<[f64; 2]> {
    ages.iter().all(|&age| age == NEVER || age >= 0.0).then_some(ages)
}
