//! JSON objects whose members stay as they were written.
//!
//! A payload is stored almost as it came and only a few of its members are looked at, so nothing is built that is not needed.
//! Everything is read as jsonb would read it once it fits (see [`super::fit`]), so that an object and the stored form of it
//! say the same.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fit::fit;
use super::time;
use super::value::{MAX_ID_BYTES, Value};
use super::{scan, scan::elements};

/// An object: names, and values as text. Of members with one name only the last counts, as in JavaScript and jsonb.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawObject<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> RawObject<'a> {
    /// None if `json` is not an object. The error says why it is not JSON.
    pub(crate) fn parse(json: &'a str) -> Result<Option<Self>, serde_json::Error> {
        serde_json::from_str::<&RawValue>(json)?;
        Ok(Self::inside(json))
    }

    /// The object inside JSON that has been parsed before; None if it is something else.
    pub(crate) fn inside(json: &'a str) -> Option<Self> {
        let mut members = Vec::with_capacity(16);
        scan::members(json, |name, value| {
            members.push((string(name).unwrap_or_default(), value));
        })?;
        keep_last(&mut members);
        Some(Self(members))
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }

    /// The value as text; None also for null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(own, _)| own == name)?;
        (*value != "null").then_some(*value)
    }

    pub(crate) fn into_members(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        self.0.into_iter()
    }

    /// Whether there is such a member, null or not.
    pub(crate) fn carries(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// The value as text, also null; None if there is no such member.
    pub(crate) fn at(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| *value)
    }

    /// The object without the members that `is_excluded` names.
    pub(crate) fn without(&self, is_excluded: impl Fn(&str) -> bool) -> Self {
        let kept = self.0.iter().filter(|(name, _)| !is_excluded(name));
        Self(kept.cloned().collect())
    }

    /// The object with this member, which replaces one of that name, at its end.
    pub(crate) fn with(&self, name: &'static str, value: &'a str) -> Self {
        let mut with = self.without(|own| own == name);
        with.0.push((Cow::Borrowed(name), value));
        with
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

    /// A number as text. One that is stored as a string is none.
    pub(crate) fn number(&self, name: &str) -> Option<&'a str> {
        let value = self.get(name)?;
        let is_number = value.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        (is_number && matches!(fit(value), Cow::Borrowed(_))).then_some(value)
    }

    pub(crate) fn micros(&self, name: &str) -> Option<i64> {
        time::micros(self.number(name)?)
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
        Value::Integer(self.number(name).and_then(integer))
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

impl<'a> FromIterator<(Cow<'a, str>, &'a str)> for RawObject<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, &'a str)>>(members: I) -> Self {
        Self(members.into_iter().collect())
    }
}

/// The text that a JSON string stands for; None if the value is no string. A number that is stored as a string is one.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let json = match json.as_bytes().first()? {
        b'"' => Cow::Borrowed(json),
        b'-' | b'0'..=b'9' => fit(json),
        _ => return None,
    };
    if let Cow::Borrowed(json) = json {
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        if !inner.contains('\\') {
            return Some(Cow::Borrowed(inner));
        }
    }
    serde_json::from_str(&fit(&json)).ok().map(Cow::Owned)
}

fn integer(number: &str) -> Option<i64> {
    /// Up to here a double holds every integer.
    const MOST: f64 = 9_007_199_254_740_992.0;
    let in_other_words = || {
        let value: f64 = number.parse().ok()?;
        (value.fract() == 0.0 && value.abs() <= MOST).then_some(value as i64)
    };
    number.parse().ok().or_else(in_other_words)
}

/// Removes members whose name comes again later.
fn keep_last(members: &mut Vec<(Cow<'_, str>, &str)>) {
    let name_of = |at: usize| (members[at].0.len(), &*members[at].0);
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_unstable_by(|&a, &b| name_of(a).cmp(&name_of(b)).then(a.cmp(&b)));
    let repeated = order
        .windows(2)
        .filter(|pair| name_of(pair[0]) == name_of(pair[1]));
    let repeated: Vec<usize> = repeated.map(|pair| pair[0]).collect();
    if repeated.is_empty() {
        return;
    }
    let mut is_kept = vec![true; members.len()];
    for at in repeated {
        is_kept[at] = false;
    }
    let mut kept = is_kept.into_iter();
    members.retain(|_| kept.next().unwrap_or(true));
}
