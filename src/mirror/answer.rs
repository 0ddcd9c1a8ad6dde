//! What `receive_webhook` and `apply_event` answer.

use clerk_core::WebhookRefusal;
use pgrx::pg_sys;
use serde_json::{Map, Value, json};

use super::ledger::{self, Entry, State};
use crate::json;
use crate::subtransaction::SqlError;

/// An answer: a JSON object with `status` and the `http_status` to send.
pub struct Answer(Map<String, Value>);

impl Answer {
    fn new(status: &str, http_status: u16) -> Self {
        let mut members = Map::new();
        members.insert("status".to_owned(), json!(status));
        members.insert("http_status".to_owned(), json!(http_status));
        Self(members)
    }

    fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), json!(value));
        }
        self
    }

    fn about(self, entry: &Entry) -> Self {
        let event_type = (!entry.event_type.is_empty()).then_some(entry.event_type.as_str());
        self.with("svix_id", Some(&entry.svix_id))
            .with("type", event_type)
            .with("subject_id", entry.subject_id.as_deref())
    }

    /// The event is in the ledger, in that state.
    pub fn stored(entry: &Entry, state: State) -> Self {
        Self::new(state.as_str(), 200)
            .about(entry)
            .with("reason", state.reason())
    }

    /// The event is in the ledger and could not be applied yet. What went wrong is in the ledger, for administrators.
    pub fn failed(entry: &Entry, state: State, error: &SqlError) -> Self {
        let sqlstate = crate::subtransaction::sqlstate_text(error.sqlstate);
        Self::new(state.as_str(), 200)
            .about(entry)
            .with("reason", Some(&sqlstate))
    }

    /// The event was in the ledger before.
    pub fn duplicate(svix_id: &str) -> Self {
        let answer = Self::new("duplicate", 200).with("svix_id", Some(svix_id));
        match ledger::find(svix_id) {
            None => answer,
            Some(known) => answer
                .with(
                    "type",
                    (!known.event_type.is_empty()).then_some(known.event_type.as_str()),
                )
                .with("subject_id", known.subject_id.as_deref())
                .with("state", Some(&known.state)),
        }
    }

    /// It could not be stored in time; the sender is to try again.
    pub fn busy(svix_id: &str, error: &SqlError) -> Self {
        let is_twin = error.sqlstate == pgrx::PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE;
        let sqlstate = crate::subtransaction::sqlstate_text(error.sqlstate);
        let reason = if is_twin {
            "delivery-in-progress"
        } else {
            sqlstate.as_str()
        };
        let message = if is_twin {
            "another transaction is storing this delivery and has not ended"
        } else {
            "the delivery could not be stored; the server log says why"
        };
        if !is_twin {
            pgrx::log!("clerk_sync could not store a webhook delivery: {error}");
        }
        Self::new("busy", 503)
            .with("svix_id", Some(svix_id))
            .with("reason", Some(reason))
            .with("message", Some(message))
    }

    /// It is no delivery of Clerk's.
    pub fn rejected(refusal: &WebhookRefusal) -> Self {
        Self::new("rejected", refusal.reason.http_status())
            .with("reason", Some(refusal.reason.as_str()))
            .with("message", Some(&refusal.message))
    }

    /// As jsonb, in the current memory context.
    pub fn into_datum(self) -> pg_sys::Datum {
        json::to_datum(&json::to_jsonb(&Value::Object(self.0).to_string()))
    }
}
