//! Writes what people and organizations say of themselves.

use serde_json::{Value, json};

use super::dice::Dice;
use super::options::Adversity;
use super::words::{FIRST_NAMES, LAST_NAMES, ORGANIZATION_NAMES, STRANGE_NAMES};

/// Makes values up. With a marker, every personal value contains it.
pub(crate) struct Pen<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) adversity: &'a Adversity,
    pub(super) marker: Option<&'a str>,
    pub(super) now_ms: i64,
}

impl<'a> Pen<'a> {
    /// A pen that marks nothing, at this time.
    pub(crate) fn new(dice: &'a mut Dice, adversity: &'a Adversity, now_ms: i64) -> Self {
        Self {
            dice,
            adversity,
            marker: None,
            now_ms,
        }
    }
}

impl Pen<'_> {
    fn marked(&self, mut text: String) -> String {
        if let Some(marker) = self.marker {
            text.push_str(marker);
        }
        text
    }

    fn name(&mut self, usual: &[&str]) -> String {
        let strange = self.dice.chance(self.adversity.unicode);
        let name = self
            .dice
            .pick(if strange { STRANGE_NAMES } else { usual })
            .to_owned();
        if self.dice.chance(self.adversity.nul) {
            return name + "\0";
        }
        name
    }

    pub(super) fn first_name(&mut self) -> Value {
        let name = self.name(FIRST_NAMES);
        json!(self.marked(name))
    }

    pub(super) fn last_name(&mut self) -> Value {
        let name = self.name(LAST_NAMES);
        json!(self.marked(name))
    }

    pub(super) fn username(&mut self) -> Value {
        let name = self.dice.pick(FIRST_NAMES).to_lowercase();
        let name = format!("{name}_{}", self.dice.token(6).to_lowercase());
        json!(self.marked(name))
    }

    pub(super) fn email_address(&mut self) -> Value {
        let name = self.dice.pick(FIRST_NAMES).to_lowercase();
        let name = format!("{name}.{}", self.dice.token(6).to_lowercase());
        json!(format!("{}@example.com", self.marked(name)))
    }

    pub(super) fn phone_number(&mut self) -> Value {
        let number = format!("+1555{:07}", self.dice.below(10_000_000));
        json!(self.marked(number))
    }

    pub(super) fn external_id(&mut self) -> Value {
        let id = format!("ext-{}", self.dice.below(1_000_000));
        json!(self.marked(id))
    }

    pub(super) fn image_url(&mut self) -> Value {
        let url = format!("https://img.clerk.com/{}", self.dice.token(20));
        json!(self.marked(url))
    }

    /// Public, private or unsafe metadata: mostly a small object, sometimes empty, large or null.
    pub(super) fn metadata(&mut self) -> Value {
        if self.marker.is_none() {
            if self.dice.chance(self.adversity.null_metadata) {
                return Value::Null;
            }
            if self.dice.chance(0.3) {
                return json!({});
            }
        }
        let mut metadata = json!({
            "plan": *self.dice.pick(&["free", "pro", "team"]),
            "seen": self.dice.below(1_000),
            "flags": { "beta": self.dice.chance(0.5), "ratio": 0.25 },
        });
        if self.dice.chance(self.adversity.unicode) {
            metadata["ключ \"1\""] = json!(self.dice.pick(STRANGE_NAMES));
        }
        if self.dice.chance(self.adversity.large_metadata) {
            let pages: Vec<String> = (0..16).map(|_| self.dice.token(512)).collect();
            metadata["pages"] = json!(pages);
        }
        if let Some(marker) = self.marker {
            metadata["note"] = json!({ "about": marker });
        }
        metadata
    }

    pub(super) fn organization_name(&mut self) -> Value {
        let name = self.name(ORGANIZATION_NAMES);
        json!(name)
    }

    /// An address of somebody who need not be anybody here.
    pub(super) fn strangers_address(&mut self) -> Value {
        json!(format!("guest.{}@example.org", self.dice.token(8).to_lowercase()))
    }
}
