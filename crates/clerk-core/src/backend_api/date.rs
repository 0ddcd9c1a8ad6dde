//! When an answer was true.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Farthest that Clerk's clock and this machine's may differ before one of them must be wrong. Times of the mirror are Clerk's
/// alone, so minutes and hours do not matter.
const FARTHEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The time of an answer in microseconds since 1970: its header `Date` (RFC 9110, 6.6.1), to the second, in Clerk's clock.
///
/// There is no stand-in for a header that is missing or absurd. This machine's own time could lie before a change that the
/// answer does not show yet, and would make the older state win over the newer one; so such an answer says nothing.
///
/// # Errors
/// When there is none, it is no HTTP date, or it is more than a day away from `now`, this machine's time.
pub fn answered_at(date: Option<&str>, now: SystemTime) -> Result<i64, &'static str> {
    let date = date.ok_or("it has no Date header")?;
    let time = httpdate::parse_http_date(date.trim()).map_err(|_| "its Date header is no HTTP date")?;
    let apart = time.duration_since(now).unwrap_or_else(|error| error.duration());
    if apart > FARTHEST {
        return Err("its Date header and this server's clock are more than a day apart");
    }
    let since_1970 = time
        .duration_since(UNIX_EPOCH)
        .map_err(|_| "its Date header is no HTTP date")?;
    i64::try_from(since_1970.as_micros()).map_err(|_| "its Date header is no HTTP date")
}

#[cfg(test)]
mod unit {
    use super::*;

    /// RFC 9110, 5.6.7.
    const EXAMPLE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EXAMPLE_SECONDS: u64 = 784_111_777;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_date_counts_whatever_our_clock_says() {
        let micros = EXAMPLE_SECONDS as i64 * 1_000_000;
        for now in [EXAMPLE_SECONDS, EXAMPLE_SECONDS - 600, EXAMPLE_SECONDS + 86_400] {
            assert_eq!(answered_at(Some(EXAMPLE), at(now)), Ok(micros));
        }
    }

    #[test]
    fn no_time_is_made_up() {
        let now = at(EXAMPLE_SECONDS);
        for bad in [
            None,
            Some(""),
            Some("784111777"),
            Some("1994-11-06T08:49:37Z"),
            Some("Sun, 06 Nov 1994 08:49:37 +0100"),
            Some("Sun, 31 Feb 1994 08:49:37 GMT"),
            Some("Mon, 06 Nov 1994 08:49:37 GMT"),
        ] {
            assert!(answered_at(bad, now).is_err(), "{bad:?}");
        }
        for now in [EXAMPLE_SECONDS + 86_401, EXAMPLE_SECONDS - 86_401, 0] {
            assert!(answered_at(Some(EXAMPLE), at(now)).is_err(), "{now}");
        }
    }
}
