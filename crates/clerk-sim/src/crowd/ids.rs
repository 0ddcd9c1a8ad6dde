//! Ids from which the place can be told, and back.

use crate::world::LETTERS;

/// As many of the 27 letters tell the place; the rest is there to look like Clerk's.
const DIGITS: usize = 6;
const LENGTH: usize = 27;
const BASE: u64 = 62;

/// Writes the letters of the id of a place. Later places have greater ids, as at Clerk.
pub(super) fn write(place: u64, text: &mut String) {
    let mut letters = [0; LENGTH];
    let mut left = place;
    for letter in letters[..DIGITS].iter_mut().rev() {
        *letter = LETTERS[(left % BASE) as usize];
        left /= BASE;
    }
    let mut state = place;
    for chunk in letters[DIGITS..].chunks_mut(7) {
        state = scramble(state);
        let mut bits = state;
        for letter in chunk {
            *letter = LETTERS[(bits & 63) as usize];
            bits >>= 6;
        }
    }
    text.push_str(std::str::from_utf8(&letters).expect("letters and digits are ASCII"));
}

/// The id of a place.
pub(super) fn id(prefix: &str, place: u64) -> String {
    let mut id = prefix.to_owned();
    write(place, &mut id);
    id
}

/// The place of an id; nothing if the id is nobody's.
pub(super) fn place(prefix: &str, id: &str) -> Option<u64> {
    let letters = id.strip_prefix(prefix)?;
    let mut place = 0;
    for letter in letters.as_bytes().get(..DIGITS)? {
        let digit = LETTERS[..BASE as usize]
            .iter()
            .position(|known| known == letter)?;
        place = place * BASE + digit as u64;
    }
    (self::id(prefix, place) == id).then_some(place)
}

/// A number that looks like chance and follows from another one (the finalizer of SplitMix64).
pub(super) fn scramble(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::{id, place};

    #[test]
    fn an_id_tells_its_place_and_nobody_elses_does() {
        let ids: Vec<String> = (0..5_000)
            .chain([56_800_235_583])
            .map(|at| id("user_", at))
            .collect();
        assert!(ids.is_sorted(), "in the order of their places");
        for (at, text) in ids[..5_000].iter().enumerate() {
            assert_eq!((place("user_", text), text.len()), (Some(at as u64), 32));
        }
        assert_eq!(place("user_", &ids[5_000]), Some(56_800_235_583));
        let mut changed = ids[7].clone();
        changed.replace_range(31.., if changed.ends_with('a') { "b" } else { "a" });
        assert_eq!(place("user_", &changed), None);
        assert_eq!(place("org_", &ids[7]), None);
        assert_eq!(place("user_", "user_"), None);
    }
}
