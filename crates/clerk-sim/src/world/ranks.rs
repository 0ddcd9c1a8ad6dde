//! Counts and finds members of a growing list in logarithmic time, whatever has left it.

/// Which places of a list are taken. Places are added at the end and never go away.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    /// A Fenwick tree: `sums[i]` counts the members in the last `i & -i` of the first `i` places. The first is unused.
    sums: Vec<usize>,
    taken: Vec<bool>,
    members: usize,
}

impl Ranks {
    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.members
    }

    /// Adds a place at the end, a member.
    pub(super) fn push(&mut self) {
        if self.sums.is_empty() {
            self.sums.push(0);
        }
        self.taken.push(true);
        self.members += 1;
        let place = self.sums.len();
        let covered = place & place.wrapping_neg();
        self.sums
            .push(1 + self.before(place - 1) - self.before(place - covered));
    }

    /// Takes a member away; its place stays.
    pub(super) fn remove(&mut self, place: usize) {
        if !std::mem::replace(&mut self.taken[place], false) {
            return;
        }
        self.members -= 1;
        let mut at = place + 1;
        while at < self.sums.len() {
            self.sums[at] -= 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many members there are in the first `places`.
    pub(super) fn before(&self, places: usize) -> usize {
        let (mut at, mut sum) = (places, 0);
        while at > 0 {
            sum += self.sums[at];
            at &= at - 1;
        }
        sum
    }

    /// The place of a member, counted from 0.
    pub(super) fn nth(&self, rank: usize) -> Option<usize> {
        if rank >= self.members {
            return None;
        }
        let (mut at, mut left) = (0, rank);
        let mut stride = self.taken.len().next_power_of_two();
        while stride > 0 {
            let next = at + stride;
            if next < self.sums.len() && self.sums[next] <= left {
                left -= self.sums[next];
                at = next;
            }
            stride /= 2;
        }
        Some(at)
    }

    /// The places of all members.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let places = self.taken.iter().enumerate();
        places.filter(|(_, taken)| **taken).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::Ranks;
    use crate::world::Dice;

    #[test]
    fn agrees_with_a_plain_list() {
        let mut dice = Dice::new(1);
        let (mut ranks, mut plain) = (Ranks::default(), Vec::new());
        assert_eq!((ranks.len(), ranks.nth(0), ranks.before(0)), (0, None, 0));
        for step in 0..600 {
            if dice.chance(0.6) || plain.is_empty() {
                ranks.push();
                plain.push(ranks.taken.len() - 1);
            } else {
                let place = plain.remove(dice.below(plain.len()));
                ranks.remove(place);
                ranks.remove(place);
            }
            assert_eq!(ranks.len(), plain.len(), "step {step}");
            assert!(ranks.iter().eq(plain.iter().copied()));
            for (rank, place) in plain.iter().enumerate() {
                assert_eq!((ranks.nth(rank), ranks.before(*place)), (Some(*place), rank));
            }
            assert_eq!(ranks.nth(plain.len()), None);
        }
    }
}
