//! Strict reading of JSON objects, in one pass.
//!
//! Stricter than serde_json alone: member names are unique, nesting is bounded, and values nobody asked for are
//! checked as closely as the others. What passes here has one meaning for every reader.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::quote::quote;

/// Deepest nesting of arrays and objects, the outermost object being level 1.
pub(crate) const MAX_DEPTH: usize = 64;

/// A JSON value; numbers as the doubles that JavaScript would read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool,
    Number(f64),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
}

impl Json<'_> {
    /// The type of the value, with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool => "a boolean",
            Json::Number(_) => "a number",
            Json::Text(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }
}

/// The members of an object.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// Reads the object `text`, of which only the members called `names` are kept.
    ///
    /// The error says why `text` is not a strict JSON object: not an object, not JSON, a lone surrogate, a number that
    /// no double can hold, nesting deeper than [`MAX_DEPTH`], or a member name that comes twice, either in the object
    /// itself or anywhere inside what is kept.
    pub(crate) fn parse(text: &'a str, names: &[&str]) -> Result<Self, String> {
        if !text.trim_ascii_start().starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = deserializer
            .deserialize_map(Outermost { names })
            .map_err(|error| error.to_string())?;
        deserializer.end().map_err(|error| error.to_string())?;
        Ok(object)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Moves a value out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let index = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.swap_remove(index).1)
    }
}

/// Visits the outermost object, keeping the members called `names`.
struct Outermost<'n> {
    names: &'n [&'n str],
}

impl<'de> Visitor<'de> for Outermost<'_> {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::with_capacity(self.names.len());
        let mut ignored = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let keep = self.names.contains(&&*name);
            let value = map.next_value_seed(Node { level: 2, keep })?;
            if keep {
                kept.push((name, value));
            } else {
                ignored.push(name);
            }
        }
        refuse_duplicates(kept.iter().map(|(name, _)| name).chain(&ignored))?;
        Ok(Object(kept))
    }
}

fn refuse_duplicates<'n, E: Error>(names: impl Iterator<Item = &'n Cow<'n, str>>) -> Result<(), E> {
    let mut names: Vec<&str> = names.map(|name| &**name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(E::custom(format_args!(
            "the member {} comes twice",
            quote(pair[0])
        ))),
        None => Ok(()),
    }
}

/// A member name, borrowed from the text when it has no escapes.
pub(crate) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A value at nesting `level`; checked, but built only to `keep` it.
#[derive(Clone, Copy)]
struct Node {
    level: usize,
    keep: bool,
}

impl Node {
    /// For what is inside this array or object.
    fn inner<E: Error>(self) -> Result<Node, E> {
        if self.level > MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Node {
            level: self.level + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Json::Number(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(if self.keep {
            Json::Text(Cow::Owned(text.to_owned()))
        } else {
            Json::Null
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let inner = self.inner()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            if self.keep {
                items.push(item);
            }
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let inner = self.inner()?;
        let mut entries = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let value = map.next_value_seed(inner)?;
            if self.keep {
                entries.push((name, value));
            }
        }
        refuse_duplicates(entries.iter().map(|(name, _)| name))?;
        Ok(Json::Object(Object(entries)))
    }
}
