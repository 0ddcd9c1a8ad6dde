//! Asking again: how often, and after which wait.

use std::time::{Duration, SystemTime};

/// How often one question is asked in all. An outage of some seconds is waited out here; a longer one ends the run, which goes on
/// later where it stopped.
pub const MAX_ATTEMPTS: u32 = 5;

/// The longest wait for which somebody who asks stays.
pub const LONGEST_STAY: Duration = Duration::from_secs(60);

/// The longest wait that an answer can impose. Clerk's windows last ten seconds; more is a mistake or malice.
pub const LONGEST_BLOCK: Duration = Duration::from_secs(60 * 60);

/// How long to wait after an answer 429 that does not say: one whole window of Clerk's.
pub const WINDOW: Duration = Duration::from_secs(10);

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(8);

/// The wait after the `failures`th failure (from 1): 0.5 s, doubled each time up to 8 s, of which `dice`, from 0 to 1, says how
/// much of its second half: many workers must not come back at the same moment.
pub fn pause(failures: u32, dice: f64) -> Duration {
    let whole = FIRST
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(LONGEST);
    whole.mul_f64(0.5 + 0.5 * dice.clamp(0.0, 1.0))
}

/// What a header `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date, which counts from `answered`, the answer's own
/// date. At most an hour. None if it is neither.
pub fn retry_after(value: &str, answered: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are more than an hour.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(answered).unwrap_or_default()
    };
    Some(wait.min(LONGEST_BLOCK))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ() {
        let whole = |failures| pause(failures, 1.0).as_millis();
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 99].map(whole),
            [500, 1000, 2000, 4000, 8000, 8000, 8000]
        );
        assert_eq!(pause(3, 0.0).as_millis(), 1000);
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        let answered = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("it is a date");
        let seconds = |value| retry_after(value, answered).map(|wait| wait.as_secs());
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds(" 7 "), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("999999"), Some(3600));
        assert_eq!(seconds("99999999999999999999999999"), Some(3600));
        for neither in ["", "-1", "1.5", "soon", "7 s"] {
            assert_eq!(seconds(neither), None, "{neither}");
        }
    }
}
