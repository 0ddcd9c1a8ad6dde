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
    jittered(whole, dice)
}

fn jittered(whole: Duration, dice: f64) -> Duration {
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

/// A question that must be answered within some time, and is asked again meanwhile: the time is that of all tries and of the waits
/// between them. Every `elapsed` is the time since the first try began.
#[derive(Debug)]
pub struct Tries {
    whole: Duration,
    failures: u32,
}

/// What one try gets at least, however little that leaves for another: an answer over a slow line may take that long.
const LEAST_TRY: Duration = Duration::from_secs(2);

/// The longest first wait, if there is time enough.
const SHORT: Duration = Duration::from_millis(250);

impl Tries {
    /// A question that has not been asked yet.
    pub fn within(whole: Duration) -> Self {
        Self { whole, failures: 0 }
    }

    /// How long the try that begins now may take: half of the whole time, so that another can follow one that is not answered,
    /// but at least two seconds, and at most what is left.
    pub fn limit(&self, elapsed: Duration) -> Duration {
        let left = self.whole.saturating_sub(elapsed);
        (self.whole / 2).max(LEAST_TRY).min(left)
    }

    /// The wait before the next try, after one that has failed: 250 ms, or an eighth of the whole time if that is shorter, doubled
    /// each time, of which `dice` says how much of its second half; or longer if the answer asked for `wanted`. None if the time
    /// or the tries, [`MAX_ATTEMPTS`] in all, are used up by then.
    pub fn pause(&mut self, elapsed: Duration, wanted: Option<Duration>, dice: f64) -> Option<Duration> {
        let first = SHORT.min(self.whole / 8);
        let pause = jittered(first.saturating_mul(1 << self.failures.min(16)), dice);
        let pause = pause.max(wanted.unwrap_or_default());
        self.failures += 1;
        let fits = elapsed.saturating_add(pause) < self.whole;
        (fits && self.failures < MAX_ATTEMPTS).then_some(pause)
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    const WHOLE: Duration = Duration::from_secs(5);

    #[test]
    fn tries_fit_into_the_whole_time() {
        let limit = |whole: u64, elapsed: u64| {
            let tries = Tries::within(Duration::from_millis(whole));
            tries.limit(Duration::from_millis(elapsed)).as_millis()
        };
        assert_eq!(
            [0, 2_000, 3_000, 5_000, 9_000].map(|at| limit(5_000, at)),
            [2_500, 2_500, 2_000, 0, 0]
        );
        assert_eq!(limit(60_000, 0), 30_000);
        assert_eq!(limit(3_000, 0), 2_000);
        assert_eq!(limit(1_000, 0), 1_000);
    }

    #[test]
    fn waits_between_tries_double_until_nothing_is_left() {
        let mut tries = Tries::within(WHOLE);
        let waits: Vec<_> = (0..5).map(|_| tries.pause(Duration::ZERO, None, 1.0)).collect();
        let expected = [250, 500, 1_000, 2_000].map(|wait| Some(Duration::from_millis(wait)));
        assert_eq!(waits, [&expected[..], &[None]].concat(), "five tries in all");

        let late = Duration::from_millis(4_900);
        assert_eq!(Tries::within(WHOLE).pause(late, None, 1.0), None);
        let short = Tries::within(Duration::from_secs(1)).pause(Duration::ZERO, None, 0.0);
        assert_eq!(short, Some(Duration::from_micros(62_500)));
    }

    #[test]
    fn what_the_answer_asks_for_is_waited_for_if_it_fits() {
        let wait =
            |seconds| Tries::within(WHOLE).pause(Duration::ZERO, Some(Duration::from_secs(seconds)), 0.5);
        assert_eq!(wait(3), Some(Duration::from_secs(3)));
        assert_eq!(wait(5), None);
        assert_eq!(wait(3_600), None);
        assert!(wait(0) > Some(Duration::from_millis(100)), "never at once");
    }

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
