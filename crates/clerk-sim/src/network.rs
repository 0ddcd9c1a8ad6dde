//! What lies between Clerk and an endpoint.

use serde::{Deserialize, Serialize};

use crate::world::{Dice, Event};

/// Milliseconds from one failed attempt to the next, as Svix waits.
const SCHEDULE: [i64; 8] = [
    0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000,
];

/// A network and its faults, reproducible from a seed. The default one delivers everything once, in order, at once.
/// Probabilities are from 0 to 1; in JSON everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// The same network does the same to the same events.
    pub seed: u64,
    /// An attempt does not arrive. Svix tries again, eight times in all; the last attempt always arrives.
    pub loss: f64,
    /// No attempt of an event ever arrives.
    pub drop_for_good: f64,
    /// An attempt arrives but counts as failed, so there is another; or a twin of it comes at nearly the same time.
    pub duplicate: f64,
    /// The most milliseconds an attempt is on its way.
    pub delay_ms: i64,
    /// An attempt takes much longer, up to 20 times the delay and 20 seconds, and others overtake it.
    pub reorder: f64,
    /// An attempt is held up with others until the next ten seconds are over; then all arrive at once, in any order.
    pub burst: f64,
}

/// One arrival of an event. It is to be signed when it is sent: each attempt has a timestamp of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which of the events, counted from 0.
    pub event: usize,
    /// Which attempt, counted from 0; attempts before it may have been lost.
    pub attempt: usize,
    /// When it arrives, in the world's time.
    pub at_ms: i64,
}

impl Network {
    /// What arrives of these events, in the order of arrival.
    pub fn deliver(&self, events: &[Event]) -> Vec<Delivery> {
        let mut dice = Dice::new(self.seed);
        let mut arrivals = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            if !dice.chance(self.drop_for_good) {
                self.attempts(index, event.timestamp_ms, &mut dice, &mut arrivals);
            }
        }
        arrivals.sort_unstable_by_key(|(delivery, order)| (delivery.at_ms, *order));
        arrivals.into_iter().map(|(delivery, _)| delivery).collect()
    }

    /// Adds what arrives of one event, each with its order among what arrives in the same millisecond.
    fn attempts(
        &self,
        event: usize,
        mut sent_ms: i64,
        dice: &mut Dice,
        arrivals: &mut Vec<(Delivery, (i64, usize))>,
    ) {
        for (attempt, wait) in SCHEDULE.iter().enumerate() {
            sent_ms += wait;
            if attempt + 1 < SCHEDULE.len() && dice.chance(self.loss) {
                continue;
            }
            let mut arrive = |dice: &mut Dice| {
                let (at_ms, order) = self.arrival(sent_ms, dice);
                let delivery = Delivery {
                    event,
                    attempt,
                    at_ms,
                };
                arrivals.push((delivery, (order, arrivals.len())));
            };
            arrive(dice);
            if !dice.chance(self.duplicate) {
                return;
            }
            if dice.chance(0.5) {
                arrive(dice);
                return;
            }
        }
    }

    fn arrival(&self, sent_ms: i64, dice: &mut Dice) -> (i64, i64) {
        let mut at_ms = sent_ms + dice.between(0, self.delay_ms.max(0));
        if dice.chance(self.reorder) {
            at_ms += dice.between(1, 20 * (self.delay_ms.max(0) + 1_000));
        }
        if dice.chance(self.burst) {
            return ((at_ms / 10_000 + 1) * 10_000, dice.between(0, i64::MAX));
        }
        (at_ms, 0)
    }
}
