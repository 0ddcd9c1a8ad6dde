//! JSON objects whose members stay as they were written.
//!
//! A payload is stored almost as it came and only a few of its members are looked at, so nothing is built that is not needed.
//! Nesting has no limit here: members are skipped without recursion.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fit::fit;
use super::time;
use super::value::{MAX_ID_BYTES, Value};
use crate::json::Name;

/// An object: names, and values as text. Of members with one name only the last counts, as in JavaScript and jsonb.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawObject<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> RawObject<'a> {
    /// None if `json` is not an object. The error says why it is not JSON.
    pub(crate) fn parse(json: &'a str) -> Result<Option<Self>, serde_json::Error> {
        if !json.trim_ascii_start().starts_with('{') {
            serde_json::from_str::<&RawValue>(json)?;
            return Ok(None);
        }
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let members = deserializer.deserialize_map(Members)?;
        deserializer.end()?;
        Ok(Some(Self(members)))
    }

    /// The object inside JSON that has been parsed before; None if it is something else.
    pub(crate) fn inside(json: &'a str) -> Option<Self> {
        Self::parse(json).ok().flatten()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The value as text; None also for null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(own, _)| own == name)?;
        (*value != "null").then_some(*value)
    }

    /// The value as text that jsonb takes, also null; None if there is no such member.
    pub(crate) fn fitted(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(own, _)| own == name)?;
        Some(fit(value).into_owned())
    }

    /// The object without the members that `is_excluded` names.
    pub(crate) fn without(&self, is_excluded: impl Fn(&str) -> bool) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !is_excluded(name));
        Self(kept.cloned().collect())
    }

    pub(crate) fn object(&self, name: &str) -> Option<RawObject<'a>> {
        Self::inside(self.get(name)?)
    }

    /// The elements of an array, as text.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<&'a str>> {
        elements(self.get(name)?)
    }

    /// A string, without what text cannot hold.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.get(name)?)
    }

    /// A string that is not empty and short enough for an id.
    pub(crate) fn id(&self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        (!text.is_empty() && text.len() <= MAX_ID_BYTES).then(|| text.into_owned())
    }

    pub(crate) fn micros(&self, name: &str) -> Option<i64> {
        time::micros(self.get(name)?)
    }

    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        self.get(name)?.parse().ok()
    }

    /// A column of type text.
    pub(crate) fn text_value(&self, name: &str) -> Value {
        Value::Text(self.text(name).map(Cow::into_owned))
    }

    /// A column that holds an id.
    pub(crate) fn id_value(&self, name: &str) -> Value {
        Value::Text(self.id(name))
    }

    pub(crate) fn time_value(&self, name: &str) -> Value {
        Value::Time(self.micros(name))
    }

    pub(crate) fn boolean_value(&self, name: &str) -> Value {
        Value::Boolean(self.boolean(name))
    }

    pub(crate) fn integer_value(&self, name: &str) -> Value {
        Value::Integer(self.get(name).and_then(|value| value.parse().ok()))
    }

    /// A column of type jsonb.
    pub(crate) fn json_value(&self, name: &str) -> Value {
        Value::Json(self.get(name).map(|value| fit(value).into_owned()))
    }

    /// A column of type text[], from an array of strings.
    pub(crate) fn texts_value(&self, name: &str) -> Value {
        let list = self.list(name);
        Value::Texts(list.map(|list| list.into_iter().filter_map(string).map(Cow::into_owned).collect()))
    }
}

/// The text that a JSON string stands for; None if the value is no string.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(&fit(json)).ok().map(Cow::Owned)
}

/// The elements of a JSON array as text; None if the value is no array.
pub(crate) fn elements(json: &str) -> Option<Vec<&str>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_seq(Elements).ok()
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::with_capacity(48);
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &RawValue = map.next_value()?;
            members.push((name, value.get()));
        }
        keep_last(&mut members);
        Ok(members)
    }
}

/// Removes members whose name comes again later.
fn keep_last(members: &mut Vec<(Cow<'_, str>, &str)>) {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_unstable_by(|&a, &b| members[a].0.cmp(&members[b].0).then(a.cmp(&b)));
    let mut repeated: Vec<usize> = order
        .windows(2)
        .filter(|pair| members[pair[0]].0 == members[pair[1]].0)
        .map(|pair| pair[0])
        .collect();
    repeated.sort_unstable();
    for index in repeated.into_iter().rev() {
        members.remove(index);
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element::<&RawValue>()? {
            elements.push(element.get());
        }
        Ok(elements)
    }
}
