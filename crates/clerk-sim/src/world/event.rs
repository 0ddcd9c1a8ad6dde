//! From a change to the envelope that Clerk sends.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::World;
use super::records::Place;

/// One webhook, as Clerk hands it to Svix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `msg_…`, the same in every delivery.
    pub svix_id: String,
    /// Such as `user.created`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened, in milliseconds, also where the body says it in seconds.
    pub timestamp_ms: i64,
    /// The exact text that is signed and sent.
    pub body: String,
}

impl Event {
    /// The body, parsed.
    pub fn envelope(&self) -> Value {
        serde_json::from_str(&self.body).expect("every body is JSON")
    }
}

impl World {
    /// Sends an event with the object as it is now; gives the event's time.
    pub(super) fn announce(&mut self, place: Place, event_type: &str) -> i64 {
        let data = self.webhook_object(place);
        let (at_ms, seconds) = self.event_time();
        self.record_mut(place).show(at_ms);
        // What is embedded whole is shown as well, as it is now.
        for embedded in self.embedded(place) {
            self.record_mut(embedded).show(at_ms);
        }
        let envelope = self.envelope(event_type, data, at_ms, seconds);
        self.post(event_type, at_ms, &envelope);
        at_ms
    }

    /// Ends a thing and sends a deletion event that carries only `stub`.
    pub(super) fn announce_stub(&mut self, place: Place, event_type: &str, stub: Value) {
        let (at_ms, seconds) = self.event_time();
        let envelope = self.envelope(event_type, stub, at_ms, seconds);
        self.post(event_type, at_ms, &envelope);
        self.end(place, Some(at_ms));
    }

    /// Sends an event that is about nothing the world keeps.
    pub(super) fn announce_other(&mut self, event_type: &str, data: Value) {
        let (at_ms, seconds) = self.event_time();
        let envelope = self.envelope(event_type, data, at_ms, seconds);
        self.post(event_type, at_ms, &envelope);
    }

    /// When the next event happens, and whether it says so in seconds.
    pub(super) fn event_time(&mut self) -> (i64, bool) {
        self.clock.lag(&mut self.dice);
        let seconds = self.dice.chance(self.options.adversity.seconds) && self.clock.wait_for_full_second();
        (self.clock.now_ms(), seconds)
    }

    /// The envelope, with what some envelopes lack and some have on top.
    pub(super) fn envelope(&mut self, event_type: &str, data: Value, at_ms: i64, seconds: bool) -> Value {
        let adversity = &self.options.adversity;
        let timestamp = if seconds { at_ms / 1000 } else { at_ms };
        let mut envelope = json!({ "object": "event", "type": event_type, "timestamp": timestamp });
        envelope["data"] = data;
        if !self.dice.chance(adversity.no_instance_id) {
            envelope["instance_id"] = json!(self.options.instance_id);
        }
        if self.dice.chance(adversity.event_attributes) {
            envelope["event_attributes"] = json!({
                "http_request": { "client_ip": "203.0.113.7", "user_agent": "Mozilla/5.0 (sim)" }
            });
        }
        envelope
    }

    pub(super) fn post(&mut self, event_type: &str, at_ms: i64, envelope: &Value) {
        let mut body = envelope.to_string();
        if self.dice.chance(self.options.adversity.escapes) {
            body = escape(&body);
        }
        self.outbox.push(Event {
            svix_id: self.dice.id("msg_"),
            event_type: event_type.to_owned(),
            timestamp_ms: at_ms,
            body,
        });
    }
}

/// The same JSON in ASCII: what lies beyond it can only be inside strings.
fn escape(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(ascii, "\\u{unit:04x}").expect("writing to a String cannot fail");
            }
        }
    }
    ascii
}
