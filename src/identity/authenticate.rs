//! `clerk.authenticate` and `clerk.clear_authentication`: sign a transaction in and out.

use std::ffi::CString;

use clerk_core::TokenType;
use pgrx::prelude::*;

use super::problems;
use super::resolve::{Source, signed_out};
use crate::error::Fault;
use crate::pg::hidden_statement::HiddenStatement;
use crate::settings;
use crate::token::{trust, verify};

#[pg_extern(strict, volatile, parallel_unsafe)]
fn authenticate(token: Option<&str>) -> Option<String> {
    let _hidden = HiddenStatement::enter();
    let token = token?;
    let trust = trust::current();
    if Source::in_force(&trust) != Source::Token {
        // Signing in without effect would leave the caller with somebody else's identity.
        Fault::prerequisite(
            "clerk.authenticate() has no effect here: the identity comes from request.jwt.claims",
            "Behind PostgREST send the token in the Authorization header instead. Elsewhere see \
             clerk.set_identity_source.",
        )
        .raise();
    }
    let credential = verify(token, TokenType::Session).unwrap_or_else(|fault| {
        problems::count_refused(&fault, token);
        fault.raise()
    });
    let setting = CString::new(token).unwrap_or_default();
    settings::set_request_token(&setting);
    warn_outside_transaction("clerk.authenticate()");
    (!signed_out(&trust, &credential.claims)).then(|| credential.session().user_id.clone())
}

#[pg_extern(volatile, parallel_unsafe)]
fn clear_authentication() {
    settings::set_request_token(c"");
    warn_outside_transaction("clerk.clear_authentication()");
}

/// As `SET LOCAL` does: without a transaction block the setting is gone when the statement ends.
fn warn_outside_transaction(function: &str) {
    // SAFETY: reads the transaction's state.
    if !unsafe { pg_sys::IsTransactionBlock() } {
        Fault::new(
            PgSqlErrorCode::ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
            format!("{function} lasts until the end of the transaction, and this is no transaction block"),
            "Call it between BEGIN and COMMIT.",
        )
        .warn();
    }
}
