//! Organization permissions of a version 2 token: `fea` and `o.per` name them, the bit masks of `o.fpm` pick them.

use crate::scoped_list::ScopedList;

/// Longest mask that is read, in decimal digits: over 3,400 permissions. A longer one is malformed, so that no claim can
/// make us compute for long.
const MAX_MASK_DIGITS: usize = 1024;

/// The full keys, `org:<feature>:<permission>`, in the order of the claims.
///
/// Bit 0 of a mask is the leftmost name of `per`; bits beyond the names are ignored. A mask that is not a plain decimal
/// number gives its feature nothing.
///
/// Clerk's docs and five of its SDKs count masks against every element of `fea`, its JavaScript against those of the
/// organization only. When there are as many masks as elements the first reading is meant, else the second; that
/// agrees with every published example.
pub(crate) fn decode(features: &ScopedList, per: &str, fpm: &str) -> Vec<String> {
    if per.is_empty() || fpm.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = per.split(',').map(str::trim).collect();
    let masks: Vec<&str> = fpm.split(',').map(str::trim).collect();
    if masks.len() == features.by_position().count() {
        combine(features.by_position().zip(masks), &names)
    } else {
        combine(features.organization().map(Some).zip(masks), &names)
    }
}

fn combine<'a>(masked: impl Iterator<Item = (Option<&'a str>, &'a str)>, names: &[&str]) -> Vec<String> {
    let mut permissions = Vec::new();
    for (feature, mask) in masked {
        let Some(feature) = feature.filter(|feature| !feature.is_empty()) else {
            continue;
        };
        let Some(mask) = Mask::parse(mask, names.len()) else {
            continue;
        };
        let granted = names
            .iter()
            .enumerate()
            .filter(|(bit, name)| mask.has(*bit) && !name.is_empty());
        permissions.extend(granted.map(|(_, name)| format!("org:{feature}:{name}")));
    }
    permissions
}

/// The lowest bits of a decimal number of any size, least significant limb first.
struct Mask {
    limbs: Vec<u64>,
}

impl Mask {
    /// The lowest `bits` bits of the number `digits` (at least); `None` unless it is digits only.
    fn parse(digits: &str, bits: usize) -> Option<Self> {
        if digits.is_empty() || digits.len() > MAX_MASK_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let mut limbs = vec![0u64; bits.div_ceil(64)];
        for digit in digits.bytes() {
            multiply_add(&mut limbs, 10, u64::from(digit - b'0'));
        }
        Some(Mask { limbs })
    }

    fn has(&self, bit: usize) -> bool {
        self.limbs[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// `limbs = limbs * factor + addend`. The carry out of the last limb is dropped: it only reaches bits nobody asks for.
fn multiply_add(limbs: &mut [u64], factor: u64, addend: u64) {
    let mut carry = u128::from(addend);
    for limb in limbs {
        let wide = u128::from(*limb) * u128::from(factor) + carry;
        *limb = wide as u64;
        carry = wide >> 64;
    }
}
