//! Chance, from a seed.

use fastrand::Rng;

/// The only source of chance in a world.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Rng);

/// What ids are made of, the first 62 of them different.
pub(crate) const LETTERS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01";

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.f64() < probability
    }

    /// A number from 0 to `end` - 1.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        self.0.i64(least..=most)
    }

    /// One of several.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// `prefix` and 27 letters and digits, as long as Clerk's own ids.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        let mut id = String::with_capacity(prefix.len() + 27);
        id.push_str(prefix);
        self.letters(&mut id, 27);
        id
    }

    /// Some letters and digits.
    pub(crate) fn token(&mut self, length: usize) -> String {
        let mut token = String::with_capacity(length);
        self.letters(&mut token, length);
        token
    }

    /// Nine letters from each draw of 64 bits.
    fn letters(&mut self, text: &mut String, mut count: usize) {
        while count > 0 {
            let mut bits = self.0.u64(..);
            for _ in 0..count.min(9) {
                text.push(LETTERS[(bits & 63) as usize] as char);
                bits >>= 6;
            }
            count = count.saturating_sub(9);
        }
    }
}
