//! `ask_clerk` and `webhook_portal_url`: questions that a worker asks Clerk while the caller waits.

use pgrx::prelude::*;
use serde_json::{Value, json};

use crate::call::Call;
use crate::error::Fault;
use crate::workers::ask_clerk::{Trouble, examine, portal_url};
use crate::{c_function, json, sync};

c_function!(clerk_ask_clerk, ask_clerk);
c_function!(clerk_webhook_portal_url, webhook_portal_url);

/// `ask_clerk(issuer text, jwks_url text, has_secret_key boolean)`, called on NULL too: without a URL no keys are asked for.
fn ask_clerk(call: &Call) -> Option<pg_sys::Datum> {
    let issuer = call.text(0)?;
    let has_secret_key = call.argument(2).is_some_and(|flag| flag.value() != 0);
    let found = examine(issuer, call.text(1), has_secret_key).unwrap_or_else(|fault| fault.raise());
    let keys = found.keys.map(|keys| {
        outcome(keys.map(|keys| {
            keys.iter()
                .map(|key| json!({ "kid": key.kid, "n": key.n, "e": key.e }))
                .collect::<Value>()
        }))
    });
    let answer = json!({
        "keys": keys,
        "clock_ahead": found.clock_ahead,
        "secret_key": found.secret_key.map(|accepted| outcome(accepted.map(|()| json!(true)))),
    });
    Some(json::to_datum(&json::to_jsonb(&answer.to_string())))
}

fn outcome(result: Result<Value, Trouble>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(trouble) => json!({ "error": trouble.message, "hint": trouble.hint }),
    }
}

/// `webhook_portal_url(instance text)`.
fn webhook_portal_url(call: &Call) -> Option<pg_sys::Datum> {
    let instance = sync::find_instance(call.text(0).as_deref()).unwrap_or_else(|fault| fault.raise());
    match portal_url(instance.issuer).unwrap_or_else(|fault| fault.raise()) {
        Ok(url) => url.into_datum(),
        Err(trouble) => Fault::prerequisite(trouble.message, trouble.hint).raise(),
    }
}
