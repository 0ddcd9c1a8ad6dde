//! `clerk.inspect_jwt`: every check of a token with what it expected and found.

use clerk_core::{Jwt, Rules, TokenType, inspect};
use pgrx::prelude::*;

use super::trust;
use super::verify::{instance_of, key_of};
use crate::clock;
use crate::pg::hidden_statement::HiddenStatement;

/// Never raises by its argument, and never fetches keys: it tells what the database knows now.
#[pg_extern(strict, stable, parallel_safe)]
fn inspect_jwt(
    token: Option<&str>,
) -> TableIterator<'static, (name!(check, String), name!(passed, bool), name!(detail, String))> {
    let _hidden = HiddenStatement::enter();
    let Some(token) = token else {
        return TableIterator::empty();
    };
    let trust = trust::current();
    let decoded = Jwt::decode(token);
    let instance = decoded
        .as_ref()
        .ok()
        .and_then(|jwt| instance_of(&trust, jwt).ok());
    let signature = decoded.as_ref().ok().zip(instance).and_then(|(jwt, instance)| {
        let key = key_of(&trust, instance, jwt).ok()?;
        Some(jwt.verify_signature(key))
    });
    // Without an instance the issuer check fails against the issuers of all of them.
    let issuers: Vec<String> = trust
        .instances()
        .iter()
        .map(|instance| instance.issuer.clone())
        .collect();
    let any = Rules {
        issuers: &issuers,
        authorized_parties: &[],
        allow_missing_azp: true,
        audiences: &[],
        accept_template_tokens: false,
    };
    let rules = instance.map_or(any, |instance| instance.rules());
    let checks = inspect(
        &decoded,
        TokenType::Session,
        &rules,
        signature,
        clock::statement_time(),
        trust.clock_skew,
    );
    TableIterator::new(
        checks
            .into_iter()
            .map(|check| (check.name.to_owned(), check.passed, check.detail)),
    )
}
