//! The headers that a delivery is judged by.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::refusal::{WebhookReason, WebhookRefusal};
use crate::quote::quote;

/// What Svix writes, and with it Clerk.
const SVIX: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];
/// What Standard Webhooks calls the same.
const STANDARD: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// Longest id, in bytes. Svix's have 31.
const MAX_ID_BYTES: usize = 256;
/// Longest list of signatures, in bytes: well over a hundred of them.
const MAX_SIGNATURE_BYTES: usize = 8192;

const HINT: &str =
    "Clerk sends svix-id, svix-timestamp and svix-signature: forward each of them once and unchanged.";

/// The id, the timestamp and the signatures of a delivery, as they were sent.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookHeaders {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) signature: String,
}

impl WebhookHeaders {
    /// Reads the three headers from `json`, an object of header names and values.
    ///
    /// Names may be in any case, and white space around values is not part of them; a value that is nothing else, or
    /// null, is no value. `svix-*` goes before `webhook-*`; the two are never mixed.
    ///
    /// # Errors
    /// `webhook-headers-missing` when one of the three is not there; `webhook-headers-invalid` when `json` is not an
    /// object, a header is not a string or comes again with another value, the id is longer than 256 bytes or has a
    /// control character or a full stop in it, or the signatures are longer than 8192 bytes.
    pub fn read(json: &str) -> Result<Self, WebhookRefusal> {
        let given = Given::parse(json)?;
        for names in [SVIX, STANDARD] {
            let values = given.values(names)?;
            if let [Some(id), Some(timestamp), Some(signature)] = values {
                return Self::check(names, id, timestamp, signature);
            }
            if values.iter().any(Option::is_some) {
                return Err(missing(names, values));
            }
        }
        Err(missing(SVIX, [None; 3]))
    }

    /// The id of the event: the same for every delivery of it.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn check(names: [&str; 3], id: &str, timestamp: &str, signature: &str) -> Result<Self, WebhookRefusal> {
        if id.len() > MAX_ID_BYTES {
            let found = format!("{} has {} bytes, more than {MAX_ID_BYTES}", names[0], id.len());
            return Err(invalid(found));
        }
        // The specification forbids the full stop because it separates what is signed: with one in the id, a signed
        // delivery could be read as another one, of another id.
        if id.contains(|c: char| c.is_control() || c == '.') {
            let found = format!("{} is {}, with a character that no id has", names[0], quote(id));
            return Err(invalid(found));
        }
        if signature.len() > MAX_SIGNATURE_BYTES {
            let found = format!(
                "{} has {} bytes, more than {MAX_SIGNATURE_BYTES}",
                names[2],
                signature.len()
            );
            return Err(invalid(found));
        }
        Ok(WebhookHeaders {
            id: id.to_owned(),
            timestamp: timestamp.to_owned(),
            signature: signature.to_owned(),
        })
    }
}

/// Without the signatures: they do not belong in a log.
impl fmt::Debug for WebhookHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookHeaders")
            .field("id", &self.id)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// Those of the six headers that were given, names in lower case.
struct Given(Vec<(String, Value)>);

impl Given {
    fn parse(json: &str) -> Result<Self, WebhookRefusal> {
        // serde_json's own complaint about another type would repeat the value.
        if !json.trim_ascii_start().starts_with('{') {
            return Err(invalid("the headers are not a JSON object"));
        }
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer
            .deserialize_map(Wanted)
            .and_then(|given| deserializer.end().map(|()| given))
            .map_err(|error| invalid(format!("the headers are not a JSON object: {error}")))
    }

    fn values(&self, names: [&str; 3]) -> Result<[Option<&str>; 3], WebhookRefusal> {
        let [id, timestamp, signature] = names.map(|name| self.value(name));
        Ok([id?, timestamp?, signature?])
    }

    /// The one value that the header has, in however many spellings it comes.
    fn value(&self, name: &str) -> Result<Option<&str>, WebhookRefusal> {
        let mut found = None;
        for (_, value) in self.0.iter().filter(|(own, _)| own == name) {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.trim(),
                _ => return Err(invalid(format!("{name} is not a string"))),
            };
            if text.is_empty() {
                continue;
            }
            if found.is_some_and(|earlier| earlier != text) {
                return Err(invalid(format!("{name} comes twice, with different values")));
            }
            found = Some(text);
        }
        Ok(found)
    }
}

/// Visits all headers and keeps those that matter here.
struct Wanted;

impl<'de> Visitor<'de> for Wanted {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
        let mut given = Vec::new();
        while let Some(mut name) = map.next_key::<String>()? {
            name.make_ascii_lowercase();
            if SVIX.contains(&&*name) || STANDARD.contains(&&*name) {
                given.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Given(given))
    }
}

fn missing(names: [&str; 3], values: [Option<&str>; 3]) -> WebhookRefusal {
    let absent: Vec<&str> = names
        .into_iter()
        .zip(values)
        .filter_map(|(name, value)| value.is_none().then_some(name))
        .collect();
    let message = format!("missing or empty: {}", absent.join(", "));
    WebhookRefusal::new(WebhookReason::WebhookHeadersMissing, message, HINT)
}

fn invalid(message: impl Into<String>) -> WebhookRefusal {
    WebhookRefusal::new(WebhookReason::WebhookHeadersInvalid, message, HINT)
}
