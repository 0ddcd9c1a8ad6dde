//! Rounds: every case once per round, the median of its rounds as its result.

use std::time::{Duration, Instant};

/// Runs all cases in turn, `rounds` times, and gives the median of each. `every` says in which rounds a case takes part:
/// 1 in all, 5 in each fifth, for cases so slow that fewer runs must do.
pub fn medians<C>(
    rounds: usize,
    cases: &[C],
    every: impl Fn(&C) -> usize,
    mut run: impl FnMut(&C) -> Duration,
) -> Vec<Duration> {
    let mut samples = vec![Vec::new(); cases.len()];
    for round in 0..rounds {
        for (case, samples) in cases.iter().zip(&mut samples) {
            if round % every(case) == 0 {
                samples.push(run(case));
            }
        }
    }
    samples.into_iter().map(median).collect()
}

/// The middle one, the upper of two.
pub fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// How long `work` takes.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// How many times longer `one` is than `other`.
pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
