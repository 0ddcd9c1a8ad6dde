//! Judges one token: signature first, then its claims, then its times.

use std::rc::Rc;

use clerk_core::{Jwt, Reason, Refusal, TokenType, VerifyingKey, judge_claims, judge_header, quote};

use super::keys;
use super::trust::{self, Instance, Trust};
use super::verified::{self, Credential};
use crate::error::Fault;

/// The claims of a valid token of that type.
///
/// Every fault of the token is class 28 with Clerk's reason code. May wait for newer keys, within
/// `clerk.http_timeout`, if the token fits none that are cached.
pub fn verify(token: &str, token_type: TokenType) -> Result<Rc<Credential>, Fault> {
    let trust = trust::current();
    if let Some(credential) = verified::look_up(token, token_type) {
        credential.judge_time()?;
        return Ok(credential);
    }
    let jwt = Jwt::decode(token)?;
    judge_header(&jwt.header, token_type, &instance_of(&trust, &jwt)?.rules())?;
    let (trust, changes) = trust_that_signed(&jwt)?;
    let instance = instance_of(&trust, &jwt)?;
    judge_claims(&jwt.claims, token_type, &instance.rules())?;
    let times = jwt.claims.times().with_skew(trust.clock_skew);
    let (claims, payload) = jwt.into_claims();
    let credential = Rc::new(Credential::new(token_type, claims, payload, Some(times)));
    credential.judge_time()?;
    verified::remember(token, &credential, changes);
    keys::refresh_if_old(instance);
    Ok(credential)
}

/// The trust under which the signature holds. A token that fits no cached key may be signed by a newer one, also under
/// a key id we know: a Clerk key id is the instance's id and outlives a rotation.
fn trust_that_signed(jwt: &Jwt) -> Result<(Rc<Trust>, u64), Fault> {
    // What another session fetched may be older than the token's key; then this session fetches.
    const FETCHES: usize = 2;
    for _ in 0..FETCHES {
        let (changes, trust) = (trust::changes(), trust::current());
        let Err(refusal) = check_signature(&trust, jwt) else {
            return Ok((trust, changes));
        };
        if !keys::fetch_newer(instance_of(&trust, jwt)?, &refusal, changes)? {
            return Err(refusal.into());
        }
    }
    let (changes, trust) = (trust::changes(), trust::current());
    check_signature(&trust, jwt)?;
    Ok((trust, changes))
}

fn check_signature(trust: &Trust, jwt: &Jwt) -> Result<(), Refusal> {
    let instance = instance_of(trust, jwt)?;
    jwt.verify_signature(key_of(trust, instance, jwt)?)
}

/// The configured instance that the token says it is from. The token is not believed yet: it is only told which
/// instance's key it has to fit.
pub fn instance_of<'t>(trust: &'t Trust, jwt: &Jwt) -> Result<&'t Instance, Refusal> {
    let Some(issuer) = jwt.claims.iss() else {
        return Err(Refusal {
            reason: Reason::TokenInvalidIssuer,
            message: "the token has no usable \"iss\" claim".into(),
            hint: "Clerk's tokens name the instance's Frontend API URL as a string; send one of those."
                .into(),
        });
    };
    trust.instance(issuer).ok_or_else(|| Refusal {
        reason: Reason::TokenInvalidIssuer,
        message: format!("the token's issuer {} is not configured", quote(issuer)),
        hint: match trust.instances() {
            [] => {
                "No Clerk instance is configured: run SELECT * FROM clerk.configure(publishable_key => '…')."
                    .into()
            }
            _ => "If this issuer is yours, configure it with clerk.configure(issuer => …).".to_string(),
        },
    })
}

/// The instance's key that the token's header names.
pub fn key_of<'t>(trust: &'t Trust, instance: &Instance, jwt: &Jwt) -> Result<&'t VerifyingKey, Refusal> {
    let keys = match &instance.jwks_url {
        Some(_) => "that clerk.refresh_jwks() succeeds",
        None => "bring its current keys with clerk.import_jwks()",
    };
    let hint = format!("Check that the token comes from this instance, and {keys}.");
    let mismatch = |message: String| Refusal::new(Reason::JwkKidMismatch, message, hint.clone());
    let kid = jwt
        .header
        .kid
        .as_deref()
        .ok_or_else(|| mismatch("the token's header has no \"kid\", so no key can be chosen".into()))?;
    // The cached key ids are not listed: they identify instances.
    trust.key(instance, kid).ok_or_else(|| {
        mismatch(format!(
            "no key of the instance has the token's key id {}",
            quote(kid)
        ))
    })
}
