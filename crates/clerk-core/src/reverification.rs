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
pub struct ReverificationError {
    /// What was wrong.
    pub message: String,
    /// What to write.
    pub hint: String,
}

impl fmt::Display for ReverificationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReverificationError {}

/// Clerk's presets: name, level and minutes.
const PRESETS: [(&str, ReverificationLevel, i32); 4] = [
    ("strict_mfa", ReverificationLevel::MultiFactor, 10),
    ("strict", ReverificationLevel::SecondFactor, 10),
    ("moderate", ReverificationLevel::SecondFactor, 60),
    ("lax", ReverificationLevel::SecondFactor, 1440),
];

const HINT: &str = "Use a preset (strict_mfa, strict, moderate, lax), or a level (first_factor, second_factor, multi_factor) \
                    with the minutes after which it is too old.";

/// Most digits that minutes may have in a text.
const MAX_DIGITS: usize = 9;

impl ReverificationLevel {
    const ALL: [Self; 3] = [Self::FirstFactor, Self::SecondFactor, Self::MultiFactor];

    /// Clerk's name of the level.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstFactor => "first_factor",
            Self::SecondFactor => "second_factor",
            Self::MultiFactor => "multi_factor",
        }
    }
}

impl Reverification {
    /// One of Clerk's presets (`strict_mfa`, `strict`, `moderate`, `lax`) alone, or a level (`first_factor`,
    /// `second_factor`, `multi_factor`) with a positive `after_minutes`.
    ///
    /// # Errors
    /// For any other word, a preset with minutes, and a level without.
    pub fn parse(preset_or_level: &str, after_minutes: Option<i32>) -> Result<Self, ReverificationError> {
        let preset = preset(preset_or_level);
        match (preset, after_minutes) {
            (Some((_, level, minutes)), None) => Ok(Reverification {
                level,
                after_minutes: minutes,
            }),
            (Some(_), Some(_)) => Err(error(
                "a preset has its own minutes; leave after_minutes out",
                HINT,
            )),
            (None, _) => Ok(Reverification {
                level: level(preset_or_level)?,
                after_minutes: after_minutes
                    .filter(|minutes| *minutes > 0)
                    .ok_or_else(|| error("a level needs after_minutes, greater than 0", HINT))?,
            }),
        }
    }

    /// The same in one text: `strict`, or `second_factor:30`.
    ///
    /// # Errors
    /// As [`Reverification::parse`], and for minutes that are not one to nine digits.
    pub fn parse_text(text: &str) -> Result<Self, ReverificationError> {
        let Some((name, minutes)) = text.split_once(':') else {
            return Self::parse(text, None);
        };
        // What a person may have meant, for the hint.
        let meant = match minutes.chars().filter(char::is_ascii_digit).collect::<String>() {
            digits if digits.is_empty() || digits.len() > MAX_DIGITS => "30".to_owned(),
            digits => digits,
        };
        if let Some((name, level, own)) = preset(name) {
            let hint = format!(
                "Write '{}:{meant}', or '{name}' for its own {own} minutes.",
                level.as_str()
            );
            return Err(error(format!("the preset {name} has its own minutes"), hint));
        }
        let level = level(name)?.as_str();
        let is_number =
            (1..=MAX_DIGITS).contains(&minutes.len()) && minutes.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err(error(
                format!("{} is no number of minutes", crate::quote(minutes)),
                format!("Write the minutes in digits, as in '{level}:{meant}'."),
            ));
        }
        Self::parse(level, minutes.parse().ok())
    }
}

fn preset(name: &str) -> Option<(&'static str, ReverificationLevel, i32)> {
    PRESETS.into_iter().find(|(preset, ..)| *preset == name)
}

fn level(name: &str) -> Result<ReverificationLevel, ReverificationError> {
    let mut all = ReverificationLevel::ALL.into_iter();
    all.find(|level| level.as_str() == name).ok_or_else(|| {
        let message = format!(
            "{} is neither a preset (strict_mfa, strict, moderate, lax) nor a level (first_factor, second_factor, \
             multi_factor)",
            crate::quote(name)
        );
        error(message, HINT)
    })
}

fn error(message: impl Into<String>, hint: impl Into<String>) -> ReverificationError {
    ReverificationError {
        message: message.into(),
        hint: hint.into(),
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
