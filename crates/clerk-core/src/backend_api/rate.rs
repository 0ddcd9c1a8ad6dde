//! How many requests may go out: Clerk allows an instance 1000 in 10 s, or 100 if it is a development instance.

use crate::publishable_key::Environment;

/// Microseconds.
type Micros = i64;

/// Clerk's window.
const WINDOW: Micros = 10_000_000;

/// Nobody plans farther ahead than this. A later time was written before the clock was set back.
const HORIZON: Micros = 60_000_000;

/// The pace of one kind of instance.
///
/// The application uses the same allowance, so we take at most four fifths: a tenth at once, and seven tenths evenly over each
/// window. What workers have reserved and use a little later comes out of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// From one request to the next.
    interval: Micros,
    /// How many may go out at once after a rest.
    burst: i64,
    /// The most that a worker reserves at a time, so that the table of budgets is written some times a second at most.
    pub at_a_time: u32,
}

impl Rate {
    /// The pace for instances of that kind.
    pub const fn of(environment: Environment) -> Self {
        match environment {
            Environment::Production => Self::within(1000, 10),
            Environment::Development => Self::within(100, 3),
        }
    }

    const fn within(limit: i64, at_a_time: u32) -> Self {
        Self {
            interval: WINDOW * 10 / (limit * 7),
            burst: limit / 10,
            at_a_time,
        }
    }
}

/// What all workers of an instance share. Times are in microseconds of the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// When the next request would be due if all went out evenly: one number that holds the whole bucket of tokens.
    pub next_at: Micros,
    /// Clerk wants no request before.
    pub blocked_until: Micros,
}

impl Budget {
    /// Takes so many requests out of the budget.
    pub fn reserve(&mut self, rate: Rate, wanted: u32, now: Micros) -> Slots {
        let due = if self.next_at > now + HORIZON {
            now
        } else {
            self.next_at.max(now)
        };
        self.next_at = due + rate.interval * i64::from(wanted);
        Slots {
            next_at: due - rate.interval * (rate.burst - 1),
            interval: rate.interval,
            left: wanted,
            reserved_at: now,
        }
    }

    /// Notes that Clerk wants no request for that long.
    pub fn block(&mut self, now: Micros, wait: Micros) {
        self.blocked_until = self.blocked(now).max(now + wait);
    }

    /// Until when nobody may ask; `now` or earlier if they may. A time farther away than anything we write is none.
    pub fn blocked(&self, now: Micros) -> Micros {
        let longest = super::retry::LONGEST_BLOCK.as_micros() as Micros;
        if self.blocked_until > now + longest {
            now
        } else {
            self.blocked_until
        }
    }
}

/// Requests that one worker has reserved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slots {
    next_at: Micros,
    interval: Micros,
    left: u32,
    reserved_at: Micros,
}

impl Slots {
    /// When the next of the requests may go out; it is used up by that. None if all are, or are too old: used late, they would
    /// come on top of a later window's.
    pub fn take(&mut self, now: Micros) -> Option<Micros> {
        let age = now - self.reserved_at;
        if self.left == 0 || !(0..=WINDOW).contains(&age) {
            return None;
        }
        let at = self.next_at;
        self.left -= 1;
        self.next_at += self.interval;
        Some(at.max(now))
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    /// When that many workers, each asking as fast as it may, get their requests out within `until`.
    fn times(rate: Rate, workers: usize, until: Micros) -> Vec<Micros> {
        let mut budget = Budget::default();
        let mut slots = vec![Slots::default(); workers];
        let mut clock = vec![1_000_000_000; workers];
        let mut sent = Vec::new();
        while let Some(worker) = (0..workers)
            .filter(|w| clock[*w] < 1_000_000_000 + until)
            .min_by_key(|w| clock[*w])
        {
            let now = clock[worker];
            let at = slots[worker].take(now).unwrap_or_else(|| {
                slots[worker] = budget.reserve(rate, rate.at_a_time, now);
                slots[worker].take(now).expect("they are new")
            });
            sent.push(at);
            // The request itself takes a millisecond.
            clock[worker] = at + 1_000;
        }
        sent.sort_unstable();
        sent
    }

    fn most_in_a_window(sent: &[Micros]) -> usize {
        (0..sent.len())
            .map(|first| {
                sent[first..]
                    .iter()
                    .take_while(|at| **at < sent[first] + WINDOW)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn no_window_holds_more_than_clerk_allows() {
        for (environment, limit) in [(Environment::Production, 1000), (Environment::Development, 100)] {
            for workers in [1, 2, 5] {
                let sent = times(Rate::of(environment), workers, 60_000_000);
                let most = most_in_a_window(&sent);
                assert!(most <= limit, "{environment:?}, {workers} workers: {most}");
                // And the allowance is used: seven tenths of it over a minute.
                assert!(
                    sent.len() >= 6 * limit * 7 / 10 - limit / 10,
                    "{environment:?}, {workers} workers: {}",
                    sent.len()
                );
            }
        }
    }

    #[test]
    fn old_reservations_are_void() {
        let mut budget = Budget::default();
        let mut slots = budget.reserve(Rate::of(Environment::Development), 3, 1_000_000_000);
        assert_eq!(slots.take(1_000_000_000), Some(1_000_000_000));
        assert_eq!(slots.take(1_000_000_000 + WINDOW + 1), None);
        // The clock was set back.
        assert_eq!(slots.take(999_999_999), None);
    }

    #[test]
    fn a_clock_that_was_set_back_stops_nobody() {
        let now = 1_000_000_000;
        let mut budget = Budget {
            next_at: now + 3_600_000_000_000,
            blocked_until: now + 3_600_000_000_000,
        };
        assert!(budget.blocked(now) <= now);
        assert_eq!(
            budget
                .reserve(Rate::of(Environment::Production), 1, now)
                .take(now),
            Some(now)
        );
        assert!(budget.next_at < now + HORIZON);
    }

    #[test]
    fn a_block_is_never_shortened() {
        let mut budget = Budget::default();
        budget.block(1_000, 5_000);
        budget.block(2_000, 1_000);
        assert_eq!(budget.blocked(2_000), 6_000);
    }
}
