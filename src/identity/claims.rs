//! `clerk.current_claims()` and `clerk.claim(…)`: all of the caller's claims, and one value out of them.
//!
//! Unlike the other answers these are copied at every call: they are large, and what is kept for one identity can only
//! be freed when no statement is left running.

use clerk_core::quote;
use pgrx::direct_function_call_as_datum;
use pgrx::prelude::*;

use super::answers;
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;

c_function!(clerk_current_claims, current_claims);
c_function!(clerk_claim, claim);

fn current_claims(call: &Call) -> Option<pg_sys::Datum> {
    Some(answers::identity(call)?.claims_as_jsonb())
}

/// `claim(variadic path text[])`: as `current_claims() #>> path`.
fn claim(call: &Call) -> Option<pg_sys::Datum> {
    let path = call.argument(0)?;
    // SAFETY: the argument is declared as text[].
    let keys = unsafe { Vec::<Option<String>>::from_datum(path, false) }?;
    keys.iter().flatten().for_each(|key| refuse_paths(key));
    let claims = answers::identity(call)?.claims_as_jsonb();
    // SAFETY: a jsonb and a text[], as the function wants.
    unsafe { direct_function_call_as_datum(pg_sys::jsonb_extract_path_text, &[Some(claims), Some(path)]) }
}

/// `claim('o.id')` and `claim('o->>id')` would look for a claim of that very name, find none and deny for ever. Names that are
/// URLs, as namespaced claims have, are left alone.
fn refuse_paths(key: &str) {
    if (key.contains('.') || key.contains("->")) && !key.contains("://") {
        let parts: Vec<String> = key
            .replace("->>", ".")
            .replace("->", ".")
            .split('.')
            .map(|part| format!("'{}'", part.trim_matches([' ', '\'', '"'])))
            .collect();
        Fault::argument(
            format!(
                "clerk.claim() was asked for {}; a path is given as separate arguments",
                quote(key)
            ),
            format!("Write clerk.claim({}).", parts.join(", ")),
        )
        .raise();
    }
}
