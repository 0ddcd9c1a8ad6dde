//! When something that is done again and again is due, and that it becomes rarer while it fails.

use std::time::{Duration, Instant};

/// However often it failed, it is tried again after this, unless the interval is longer.
const LONGEST: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    due: Instant,
    /// How often in a row it failed.
    failures: u32,
}

impl Schedule {
    /// Due at once.
    pub fn new() -> Self {
        Self {
            due: Instant::now(),
            failures: 0,
        }
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    /// Has been begun; it is due again after the interval, or later if it has been failing.
    pub fn begin(&mut self, now: Instant, interval: Duration) {
        self.due = now + self.rest(interval);
    }

    /// Is due then, whatever became of it.
    pub fn rest_until(&mut self, due: Instant) {
        self.due = due;
    }

    pub fn succeed(&mut self, interval: Duration) {
        self.failures = 0;
        self.hasten(Instant::now() + interval);
    }

    /// Is due again after twice the time that it was before. Gives that time.
    pub fn fail(&mut self, interval: Duration) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let rest = self.rest(interval);
        self.due = Instant::now() + rest;
        rest
    }

    /// Forgets that it failed.
    pub fn forgive(&mut self) {
        self.failures = 0;
    }

    /// Is due then, if not earlier; unless it has been failing.
    pub fn hasten(&mut self, due: Instant) {
        if self.failures == 0 {
            self.due = self.due.min(due);
        }
    }

    fn rest(&self, interval: Duration) -> Duration {
        let doubled = interval.saturating_mul(1 << self.failures.min(16));
        doubled.min(LONGEST.max(interval))
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn failures_double_the_interval_up_to_an_hour() {
        let minute = Duration::from_secs(60);
        let mut schedule = Schedule::new();
        let rests: Vec<u64> = (0..8).map(|_| schedule.fail(minute).as_secs()).collect();
        assert_eq!(rests, [120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        schedule.hasten(Instant::now());
        assert!(
            schedule.due() > Instant::now() + 50 * minute,
            "a wish does not change that"
        );
        schedule.forgive();
        schedule.hasten(Instant::now());
        assert!(schedule.due() <= Instant::now());
        assert_eq!(schedule.fail(minute).as_secs(), 120);
    }

    #[test]
    fn an_interval_that_is_longer_stays() {
        let two_hours = Duration::from_secs(7200);
        assert_eq!(Schedule::new().fail(two_hours), two_hours);
    }
}
