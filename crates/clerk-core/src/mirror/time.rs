//! Clerk's times: integers since 1970, in microseconds here because that is Postgres' grain.

/// Below this, a number counts seconds: as milliseconds it would lie before March 1973. Clerk sends milliseconds; its
/// OpenAPI examples, and with them test events and copied fixtures, have seconds.
const FIRST_MILLISECONDS: f64 = 1e11;

/// 9999-12-31 in milliseconds. Later ones are no times of Clerk's, and Postgres should not be asked to print them.
const LAST_MILLISECONDS: f64 = 253_402_300_799_000.0;

/// The time that a JSON number stands for.
pub(crate) fn micros(number: &str) -> Option<i64> {
    let (milliseconds, _) = milliseconds(number)?;
    Some((milliseconds * 1000.0) as i64)
}

/// The latest time that a JSON number can stand for: one that counts seconds may mean any moment of its second.
pub(crate) fn latest_micros(number: &str) -> Option<i64> {
    let (milliseconds, in_seconds) = milliseconds(number)?;
    let micros = (milliseconds * 1000.0) as i64;
    Some(if in_seconds {
        latest_of_second(micros)
    } else {
        micros
    })
}

/// The same for a time that a clock of seconds gave, as the header `svix-timestamp`.
pub(crate) fn latest_of_second(micros: i64) -> i64 {
    let is_whole_second = micros % 1_000_000 == 0;
    micros.saturating_add(if is_whole_second { 999_000 } else { 0 })
}

fn milliseconds(number: &str) -> Option<(f64, bool)> {
    let value: f64 = number.parse().ok()?;
    let in_seconds = value < FIRST_MILLISECONDS;
    let milliseconds = if in_seconds { value * 1000.0 } else { value }.trunc();
    (0.0..=LAST_MILLISECONDS)
        .contains(&milliseconds)
        .then_some((milliseconds, in_seconds))
}

#[cfg(test)]
mod unit {
    use super::{latest_micros, latest_of_second, micros};

    #[test]
    fn milliseconds_and_seconds_are_told_apart() {
        assert_eq!(micros("1744276393644"), Some(1_744_276_393_644_000));
        assert_eq!(micros("1716883200"), Some(1_716_883_200_000_000));
        assert_eq!(micros("1e12"), Some(1_000_000_000_000_000));
    }

    #[test]
    fn a_time_in_seconds_may_mean_the_end_of_its_second() {
        assert_eq!(latest_micros("1716883200"), Some(1_716_883_200_999_000));
        assert_eq!(latest_micros("1744276393644"), Some(1_744_276_393_644_000));
        assert_eq!(latest_micros("1744276393000"), Some(1_744_276_393_000_000));
        assert_eq!(latest_of_second(1_716_883_200_000_000), 1_716_883_200_999_000);
        assert_eq!(latest_of_second(1_716_883_200_250_000), 1_716_883_200_250_000);
    }

    #[test]
    fn what_is_no_time_gives_none() {
        for number in ["-1", "1e400000", "1e300", "null", "\"2024\"", "NaN", "inf"] {
            assert_eq!(micros(number), None, "{number}");
        }
    }
}
