//! Works out the caller's identity from the two settings.

use std::rc::Rc;

use clerk_core::{Claims, TokenType, judge_claims};

use crate::error::Fault;
use crate::settings;
use crate::token::trust::{self, IdentitySource, Trust};
use crate::token::verified::Credential;
use crate::token::verify;

/// Which setting speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `request.jwt.claims`
    Claims,
    /// `clerk.jwt`
    Token,
}

impl Source {
    /// The setting that counts now. PostgREST always sets `request.jwt.claims`, so a `clerk.jwt` that an earlier
    /// request left behind in a pooled connection never counts there.
    pub fn in_force(trust: &Trust) -> Self {
        match trust.source {
            IdentitySource::Claims => Source::Claims,
            IdentitySource::Token => Source::Token,
            IdentitySource::Auto if settings::has_request_claims() => Source::Claims,
            IdentitySource::Auto => Source::Token,
        }
    }
}

/// The caller; None if nobody is signed in through Clerk.
pub type Identity = Option<Rc<Credential>>;

/// The caller's identity. Raises nothing itself: a fault of a token or of an instance's own claims comes back as the
/// error that the helpers raise.
pub fn resolve() -> Result<Identity, Fault> {
    let trust = trust::current();
    match Source::in_force(&trust) {
        Source::Claims => from_claims(&trust),
        Source::Token => from_token(&trust),
    }
}

/// Claims that are no object, or from nobody we know, are somebody else's affair: an anon or service key, GoTrue.
fn from_claims(trust: &Trust) -> Result<Identity, Fault> {
    let Ok(payload) = settings::request_claims().into_string() else {
        return Ok(None);
    };
    let Ok(claims) = Claims::parse(&payload) else {
        return Ok(None);
    };
    let Some(instance) = claims.iss().and_then(|issuer| trust.instance(issuer)) else {
        return Ok(None);
    };
    judge_claims(&claims, TokenType::Session, &instance.rules())?;
    if signed_out(trust, &claims) {
        return Ok(None);
    }
    Ok(Some(Rc::new(Credential::new(
        TokenType::Session,
        claims,
        payload,
        None,
    ))))
}

fn from_token(trust: &Trust) -> Result<Identity, Fault> {
    let token = settings::request_token();
    if token.is_empty() {
        return Ok(None);
    }
    // A token is ASCII; what is not cannot be one, and `decode` says so.
    let token = token.to_string_lossy();
    let credential = verify(&token, TokenType::Session)?;
    Ok((!signed_out(trust, &credential.claims)).then_some(credential))
}

/// A session with unfinished tasks counts as signed out, unless its instance says otherwise (`sts`, clerk.md 1.4).
pub fn signed_out(trust: &Trust, claims: &Claims) -> bool {
    let instance = claims.iss().and_then(|issuer| trust.instance(issuer));
    claims.is_pending() && instance.is_none_or(|instance| instance.treat_pending_as_signed_out)
}
