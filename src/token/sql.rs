//! `clerk.verify_jwt`: the claims of a valid token.

use clerk_core::{TokenType, quote};
use pgrx::prelude::*;

use super::verify;
use crate::c_function;
use crate::call::Call;
use crate::error::Fault;
use crate::pg::hidden_statement::HiddenStatement;

c_function!(clerk_verify_jwt, verify_jwt);

/// `verify_jwt(token text, token_type text default 'session')`, strict.
fn verify_jwt(call: &Call) -> Option<pg_sys::Datum> {
    let _hidden = HiddenStatement::enter();
    let (token, token_type) = (call.text(0)?, call.text(1)?);
    let credential = verify(&token, parse_type(&token_type)).unwrap_or_else(|fault| fault.raise());
    Some(credential.claims_as_jsonb())
}

fn parse_type(name: &str) -> TokenType {
    TokenType::parse(name).unwrap_or_else(|| {
        Fault::argument(
            format!("unknown token type {}", quote(name)),
            "Use 'session', 'template', 'm2m' or 'oauth'.",
        )
        .raise()
    })
}
