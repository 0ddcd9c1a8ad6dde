//! When a token is good: `exp`, `nbf` and `iat` against a clock that the caller reads.

use super::criterion::{Criterion, judge};
use crate::claims::Claim;
use crate::reason::{Reason, Refusal};

/// How far our clock and Clerk's may be apart, in seconds, unless it is configured (the default of `@clerk/backend`).
pub const DEFAULT_CLOCK_SKEW_SECONDS: f64 = 5.0;

/// The last second of the year 9999. A time beyond it is no time.
const LATEST: f64 = 253_402_300_799.0;

/// The times in a token, in seconds since 1970, as they were found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Times {
    /// From when on it is expired.
    pub exp: Claim<f64>,
    /// Before when it is not good yet.
    pub nbf: Claim<f64>,
    /// When it was made.
    pub iat: Claim<f64>,
}

impl Times {
    /// The times as they are judged where the two clocks may be `skew_seconds` apart.
    pub fn with_skew(self, skew_seconds: f64) -> Validity {
        Validity {
            times: self,
            skew: skew_seconds,
        }
    }

    /// `exp`, if it is a time.
    pub fn expires_at(self) -> Option<f64> {
        time(self.exp)
    }
}

/// When a token is good.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validity {
    times: Times,
    /// How far the two clocks may be apart, in seconds.
    skew: f64,
}

impl Validity {
    /// Judges the times at `now_seconds` since 1970.
    ///
    /// # Errors
    /// `token-expired` when `exp <= now - skew`, `token-not-active-yet` when `nbf > now + skew`,
    /// `token-iat-in-the-future` when `iat > now + skew`; `token-verification-failed` when `exp` is missing or one of
    /// them is not a number of seconds between the years 1970 and 9999.
    pub fn judge(self, now_seconds: f64) -> Result<(), Refusal> {
        judge(
            CRITERIA,
            &Moment {
                validity: self,
                now: now_seconds,
            },
        )
    }

    /// Whether `exp` has passed at `now_seconds` since 1970, the skew included; also where it is no time.
    #[inline]
    pub fn have_ended(&self, now_seconds: f64) -> bool {
        time(self.times.exp).is_none_or(|exp| exp <= now_seconds - self.skew)
    }
}

/// A token's validity, and the clock it is judged by.
pub(super) struct Moment {
    pub(super) validity: Validity,
    pub(super) now: f64,
}

const CLOCK_HINT: &str = "Compare the server's clock with the time of a time server.";

pub(super) const CRITERIA: &[Criterion<Moment>] = &[
    Criterion {
        name: "exp",
        passes: |at| !at.validity.have_ended(at.now),
        expected: |at| format!("in the future, give or take {} s", at.validity.skew),
        public: true,
        found: |at| describe(at.validity.times.exp, at.now),
        reason: |at| reason(at.validity.times.exp, Reason::TokenExpired),
        hint: |_| "Session tokens live 60 s: ask Clerk's getToken() for a new one before each request.",
    },
    Criterion {
        name: "nbf",
        passes: |at| at.has_come(at.validity.times.nbf),
        expected: |at| format!("absent or past, give or take {} s", at.validity.skew),
        public: true,
        found: |at| describe(at.validity.times.nbf, at.now),
        reason: |at| reason(at.validity.times.nbf, Reason::TokenNotActiveYet),
        hint: |_| CLOCK_HINT,
    },
    Criterion {
        name: "iat",
        passes: |at| at.has_come(at.validity.times.iat),
        expected: |at| format!("absent or past, give or take {} s", at.validity.skew),
        public: true,
        found: |at| describe(at.validity.times.iat, at.now),
        reason: |at| reason(at.validity.times.iat, Reason::TokenIatInTheFuture),
        hint: |_| CLOCK_HINT,
    },
];

fn time(claim: Claim<f64>) -> Option<f64> {
    match claim {
        Claim::Present(seconds) if (0.0..=LATEST).contains(&seconds) => Some(seconds),
        _ => None,
    }
}

impl Moment {
    fn has_come(&self, claim: Claim<f64>) -> bool {
        claim.is_absent() || time(claim).is_some_and(|seconds| seconds <= self.now + self.validity.skew)
    }
}

/// `out_of_time` for a real time; else the claim itself is at fault.
fn reason(claim: Claim<f64>, out_of_time: Reason) -> Reason {
    if time(claim).is_some() {
        out_of_time
    } else {
        Reason::TokenVerificationFailed
    }
}

fn describe(claim: Claim<f64>, now: f64) -> String {
    match claim {
        Claim::Absent => "absent".to_owned(),
        Claim::Malformed(kind) => kind.to_owned(),
        Claim::Present(seconds) if time(claim).is_none() => format!("{seconds:e}, which is no time"),
        Claim::Present(seconds) if seconds > now => format!("{seconds} ({:.0} s from now)", seconds - now),
        Claim::Present(seconds) => format!("{seconds} ({:.0} s ago)", now - seconds),
    }
}
