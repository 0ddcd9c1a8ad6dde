//! Objects that are written once and then only filled in.

use serde_json::Value;

use super::ids;

/// What an object's places are filled with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filling {
    /// Whose ids they are.
    pub(super) place: u64,
    pub(super) created_at_ms: i64,
    pub(super) updated_at_ms: i64,
    /// How often it was changed.
    pub(super) revision: u64,
}

/// What stands for a filling in the model of an object. The numbers occur in no other value.
pub(super) mod stand_in {
    pub(in crate::crowd) const ID: &str = "<id>";
    pub(in crate::crowd) const SERIAL: &str = "<serial>";
    pub(in crate::crowd) const CREATED_AT: i64 = 1_111_111_111_111;
    pub(in crate::crowd) const UPDATED_AT: i64 = 2_222_222_222_222;
    pub(in crate::crowd) const REVISION: i64 = 3_333_333_333_333;
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Id,
    Serial,
    CreatedAt,
    UpdatedAt,
    Revision,
}

/// A model of an object, cut where something is to be filled in.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<(String, Slot)>,
    end: String,
}

impl Template {
    pub(super) fn of(model: &Value) -> Self {
        let slots = [
            (stand_in::ID.to_owned(), Slot::Id),
            (stand_in::SERIAL.to_owned(), Slot::Serial),
            (stand_in::CREATED_AT.to_string(), Slot::CreatedAt),
            (stand_in::UPDATED_AT.to_string(), Slot::UpdatedAt),
            (stand_in::REVISION.to_string(), Slot::Revision),
        ];
        let text = model.to_string();
        let (mut rest, mut pieces) = (text.as_str(), Vec::new());
        loop {
            let found = slots
                .iter()
                .filter_map(|(mark, slot)| rest.find(mark).map(|at| (at, mark.len(), *slot)));
            let Some((at, length, slot)) = found.min_by_key(|(at, ..)| *at) else {
                break;
            };
            pieces.push((rest[..at].to_owned(), slot));
            rest = &rest[at + length..];
        }
        Self {
            pieces,
            end: rest.to_owned(),
        }
    }

    /// Adds the object to a text.
    pub(super) fn fill(&self, filling: Filling, text: &mut String) {
        for (piece, slot) in &self.pieces {
            text.push_str(piece);
            match slot {
                Slot::Id => ids::write(filling.place, text),
                Slot::Serial => number(filling.place as i64, 7, text),
                Slot::CreatedAt => number(filling.created_at_ms, 1, text),
                Slot::UpdatedAt => number(filling.updated_at_ms, 1, text),
                Slot::Revision => number(filling.revision as i64, 1, text),
            }
        }
        text.push_str(&self.end);
    }
}

/// Digits, with zeros before them up to a width. `format!` would be most of the cost of an object.
fn number(number: i64, width: usize, text: &mut String) {
    let mut digits = [b'0'; 20];
    let (mut left, mut at) = (number.unsigned_abs(), digits.len());
    while left > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    text.push_str(std::str::from_utf8(&digits[at..]).expect("digits are ASCII"));
}
