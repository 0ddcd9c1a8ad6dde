//! When a token is good: `exp`, `nbf` and `iat` against a clock that the caller reads.

use super::criterion::{Criterion, judge};
use crate::claims::Claim;
use crate::reason::{Reason, Refusal};

/// How far our clock and Clerk's may be apart, in seconds (the default of `@clerk/backend`).
pub const CLOCK_SKEW_SECONDS: f64 = 5.0;

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
                times: self,
                now: now_seconds,
            },
        )
    }

    /// Whether `exp` has passed at `now_seconds` since 1970, the skew included; also where it is no time.
    #[inline]
    pub fn have_ended(&self, now_seconds: f64) -> bool {
        time(self.exp).is_none_or(|exp| exp <= now_seconds - CLOCK_SKEW_SECONDS)
    }

    /// `exp`, if it is a time.
    pub fn expires_at(self) -> Option<f64> {
        time(self.exp)
    }
}

/// Times, and the clock they are judged by.
pub(super) struct Moment {
    pub(super) times: Times,
    pub(super) now: f64,
}

const CLOCK_HINT: &str = "Compare the server's clock with the time of a time server.";

pub(super) const CRITERIA: &[Criterion<Moment>] = &[
    Criterion {
        name: "exp",
        passes: |at| !at.times.have_ended(at.now),
        expected: |_| format!("in the future, give or take {CLOCK_SKEW_SECONDS} s"),
        public: true,
        found: |at| describe(at.times.exp, at.now),
        reason: |at| reason(at.times.exp, Reason::TokenExpired),
        hint: "Session tokens live 60 s: ask Clerk's getToken() for a new one before each request.",
    },
    Criterion {
        name: "nbf",
        passes: |at| has_come(at.times.nbf, at.now),
        expected: |_| format!("absent or past, give or take {CLOCK_SKEW_SECONDS} s"),
        public: true,
        found: |at| describe(at.times.nbf, at.now),
        reason: |at| reason(at.times.nbf, Reason::TokenNotActiveYet),
        hint: CLOCK_HINT,
    },
    Criterion {
        name: "iat",
        passes: |at| has_come(at.times.iat, at.now),
        expected: |_| format!("absent or past, give or take {CLOCK_SKEW_SECONDS} s"),
        public: true,
        found: |at| describe(at.times.iat, at.now),
        reason: |at| reason(at.times.iat, Reason::TokenIatInTheFuture),
        hint: CLOCK_HINT,
    },
];

fn time(claim: Claim<f64>) -> Option<f64> {
    match claim {
        Claim::Present(seconds) if (0.0..=LATEST).contains(&seconds) => Some(seconds),
        _ => None,
    }
}

fn has_come(claim: Claim<f64>, now: f64) -> bool {
    claim.is_absent() || time(claim).is_some_and(|seconds| seconds <= now + CLOCK_SKEW_SECONDS)
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
