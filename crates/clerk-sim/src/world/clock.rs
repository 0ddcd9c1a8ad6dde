//! The world's own time. It never goes back, and nothing but the generator moves it.

use super::dice::Dice;

#[derive(Clone, Debug)]
pub(super) struct Clock {
    now_ms: i64,
    /// While frozen, everything happens in one millisecond.
    frozen: bool,
}

impl Clock {
    pub(super) fn new(start_ms: i64) -> Self {
        Self {
            now_ms: start_ms,
            frozen: false,
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub(super) fn freeze(&mut self) {
        self.frozen = true;
    }

    pub(super) fn thaw(&mut self) {
        self.frozen = false;
    }

    /// Some time goes by between two actions, mostly little.
    pub(super) fn pass(&mut self, dice: &mut Dice) {
        let most = *dice.pick(&[&5, &100, &2_000, &90_000]);
        self.wait(dice.between(1, most));
    }

    /// What Clerk needs between a change and its event: often nothing, mostly a few milliseconds.
    pub(super) fn lag(&mut self, dice: &mut Dice) {
        if dice.chance(0.6) {
            self.wait(dice.between(1, 40));
        }
    }

    /// Waits, unless frozen.
    pub(super) fn wait(&mut self, ms: i64) {
        if !self.frozen {
            self.now_ms += ms;
        }
    }

    /// Waits for the next full second. False, and no wait, while frozen.
    pub(super) fn wait_for_full_second(&mut self) -> bool {
        if !self.frozen {
            self.now_ms = (self.now_ms + 999) / 1000 * 1000;
        }
        !self.frozen
    }
}
