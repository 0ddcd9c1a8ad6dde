//! `maintain`: one round of everything that is to be done again and again.

use pgrx::prelude::*;
use serde_json::{Map, Value, json};

use super::setup::{self, Setup};
use super::{erase, handlers, prune, retry};
use crate::call::Call;
use crate::error::Fault;
use crate::subtransaction::attempt;
use crate::sync;
use crate::{c_function, json};

c_function!(clerk_maintain, maintain);

/// Most events retried in one round.
const MOST: i32 = 1_000;

/// A part of a round, and what it says of itself.
type Part = (&'static str, fn(&Setup) -> Value);

/// `maintain()`: each part on its own, so that one that fails does not stop the others.
fn maintain(_call: &Call) -> Option<pg_sys::Datum> {
    let setup = setup::current();
    let parts: [Part; 5] = [
        // First, because it waits, and the others leave rows locked until the transaction ends.
        ("handlers", |_| handlers::run_due()),
        ("retried", |setup| retry::retry_due(MOST, setup).to_json()),
        ("erased", |setup| json!(erase::erase(setup))),
        ("pruned", |_| prune::prune()),
        ("syncs", |_| sync::start_due()),
    ];
    let mut report = Map::new();
    for (name, part) in parts {
        let done = attempt(|| part(&setup)).unwrap_or_else(|error| {
            Fault::new(
                error.sqlstate,
                format!(
                    "clerk.maintain() could not do this part: {name}: {}",
                    error.message
                ),
                "The other parts are done. Mend the cause; the next round tries again.",
            )
            .warn();
            json!({ "error": error.to_string() })
        });
        report.insert(name.to_owned(), done);
    }
    Some(json::to_datum(&json::to_jsonb(
        &Value::Object(report).to_string(),
    )))
}
