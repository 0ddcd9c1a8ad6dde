//! What a token's claims must say, times apart.
//!
//! One key signs an instance's session, template, M2M, OAuth and ID tokens, and PostgREST shows SQL no header. So the
//! claims alone must tell the kinds apart.

use super::criterion::{Criterion, judge};
use super::token_type::TokenType;
use crate::claims::{Claim, Claims};
use crate::quote::{quote, quote_all};
use crate::reason::{Reason, Refusal};

/// What the operator configured for an instance.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Every accepted `iss`, compared exactly.
    pub issuers: &'a [String],
    /// Every accepted `azp`; empty to accept any.
    pub authorized_parties: &'a [String],
    /// Whether a token without `azp` passes all the same: native apps send no `Origin`, so theirs have none.
    pub allow_missing_azp: bool,
    /// Every accepted `aud`; empty when no token of ours should have one.
    pub audiences: &'a [String],
    /// Whether a JWT-template token passes for a session token.
    pub accept_template_tokens: bool,
}

/// Judges the claims of a token whose signature was verified, by us or by whoever set `request.jwt.claims`. Times are
/// judged apart ([`super::Times::judge`]).
///
/// # Errors
/// `token-invalid-issuer`, `token-type-mismatch`, `token-invalid-audience`, `token-invalid-authorized-parties`, or
/// `token-verification-failed` when `sub` is not a string.
pub fn judge_claims(claims: &Claims, token_type: TokenType, rules: &Rules) -> Result<(), Refusal> {
    judge(
        ClaimsSubject::CRITERIA,
        &ClaimsSubject {
            claims,
            token_type,
            rules,
        },
    )
}

pub(super) struct ClaimsSubject<'a> {
    pub(super) claims: &'a Claims,
    pub(super) token_type: TokenType,
    pub(super) rules: &'a Rules<'a>,
}

impl<'a> ClaimsSubject<'a> {
    pub(super) const CRITERIA: &'a [Criterion<ClaimsSubject<'a>>] = &[
        Criterion {
            name: "iss",
            passes: |token| {
                token
                    .claims
                    .iss()
                    .is_some_and(|iss| token.rules.issuers.iter().any(|issuer| issuer == iss))
            },
            expected: |token| one_of(token.rules.issuers),
            public: true,
            found: |token| describe(&token.claims.iss),
            reason: |_| Reason::TokenInvalidIssuer,
            hint: |_| {
                "The token is of another Clerk instance (development and production are two), or clerk.configure \
                 needs this issuer."
            },
        },
        Criterion {
            name: "sub",
            passes: |token| {
                let prefix = token.subject_prefix();
                token
                    .claims
                    .sub()
                    .is_some_and(|sub| sub.len() > prefix.len() && sub.starts_with(prefix))
            },
            expected: |token| match token.subject_prefix() {
                "" => "a string that is not empty".to_owned(),
                prefix => format!("an id that starts with \"{prefix}\""),
            },
            public: true,
            found: |token| describe(&token.claims.sub),
            reason: |token| match token.claims.sub.filled() {
                Some(_) => Reason::TokenTypeMismatch,
                None => Reason::TokenVerificationFailed,
            },
            hint: |_| KIND_HINT,
        },
        Criterion {
            name: "sid",
            passes: |token| match (token.token_type, &token.claims.sid) {
                (TokenType::Session, Claim::Absent) => token.rules.accept_template_tokens,
                (TokenType::Session, sid) => sid.filled().is_some(),
                _ => true,
            },
            expected: |token| match token.token_type {
                TokenType::Session if token.rules.accept_template_tokens => {
                    "absent or a session id".to_owned()
                }
                TokenType::Session => "a session id".to_owned(),
                _ => "anything".to_owned(),
            },
            public: true,
            found: |token| describe(&token.claims.sid),
            reason: |_| Reason::TokenTypeMismatch,
            hint: |_| {
                "Call getToken() without a template. Tokens of templates count only after \
                 clerk.configure(accept_template_tokens => true)."
            },
        },
        Criterion {
            name: "client_id",
            passes: |token| match token.token_type {
                TokenType::Session | TokenType::Template => token.claims.client_id.is_absent(),
                TokenType::Oauth => token.claims.client_id.filled().is_some(),
                TokenType::M2m => true,
            },
            expected: |token| match token.token_type {
                TokenType::Session | TokenType::Template => "absent".to_owned(),
                TokenType::Oauth => "the OAuth application's client id".to_owned(),
                TokenType::M2m => "anything".to_owned(),
            },
            public: true,
            found: |token| describe(&token.claims.client_id),
            reason: |_| Reason::TokenTypeMismatch,
            hint: |_| KIND_HINT,
        },
        Criterion {
            name: "aud",
            passes: |token| match &token.claims.aud {
                Claim::Absent => true,
                Claim::Present(audiences) if audiences.is_empty() => true,
                _ if token.may_have_any_audience() => true,
                Claim::Present(audiences) => audiences.iter().any(|aud| token.rules.audiences.contains(aud)),
                Claim::Malformed(_) => false,
            },
            expected: |token| match token.rules.audiences {
                _ if token.may_have_any_audience() => "anything".to_owned(),
                [] => "absent".to_owned(),
                audiences => format!("absent, or {}", one_of(audiences)),
            },
            public: false,
            found: |token| match &token.claims.aud {
                Claim::Absent => "absent".to_owned(),
                Claim::Malformed(kind) => (*kind).to_owned(),
                Claim::Present(audiences) => quote_all(audiences),
            },
            reason: |_| Reason::TokenInvalidAudience,
            hint: |_| {
                "Clerk's session tokens have no audience, its ID tokens do. If yours is meant to have one, name it in \
                 the audiences of clerk.configure."
            },
        },
        Criterion {
            name: "azp",
            passes: |token| match &token.claims.azp {
                _ if token.may_have_any_party() => true,
                Claim::Absent => token.rules.allow_missing_azp,
                azp => azp
                    .as_str()
                    .is_some_and(|azp| token.rules.authorized_parties.iter().any(|party| party == azp)),
            },
            expected: |token| match token.rules.authorized_parties {
                _ if token.may_have_any_party() => "anything".to_owned(),
                parties if token.rules.allow_missing_azp => format!("absent, or {}", one_of(parties)),
                parties => one_of(parties),
            },
            public: false,
            found: |token| describe(&token.claims.azp),
            reason: |_| Reason::TokenInvalidAuthorizedParties,
            hint: |token| match token.claims.azp {
                Claim::Absent => {
                    "Tokens of a browser's first request, of native apps and of Clerk's Backend API have no azp. To accept \
                     them, run clerk.configure(allow_missing_azp => true)."
                }
                _ => "If this origin is yours, add it to the authorized_parties of clerk.configure.",
            },
        },
    ];

    fn subject_prefix(&self) -> &'static str {
        match self.token_type {
            TokenType::Session | TokenType::Template => "user_",
            TokenType::M2m => "mch_",
            TokenType::Oauth => "",
        }
    }

    /// A user's token with an audience may be an ID token, so only configured audiences pass. Machine and OAuth tokens
    /// are judged by their audience only if audiences are configured.
    fn may_have_any_audience(&self) -> bool {
        matches!(self.token_type, TokenType::M2m | TokenType::Oauth) && self.rules.audiences.is_empty()
    }

    /// Only a user's token comes from a browser's origin.
    fn may_have_any_party(&self) -> bool {
        matches!(self.token_type, TokenType::M2m | TokenType::Oauth)
            || self.rules.authorized_parties.is_empty()
    }
}

const KIND_HINT: &str = "The instance's key signs several kinds of token. Pass a token of the kind that is expected: \
                         getToken() gives session tokens.";

fn one_of(values: &[String]) -> String {
    match values {
        [] => "one of those configured, but none is".to_owned(),
        [value] => quote(value),
        values => format!("one of {}", quote_all(values)),
    }
}

fn describe(claim: &Claim<String>) -> String {
    match claim {
        Claim::Absent => "absent".to_owned(),
        Claim::Malformed(kind) => (*kind).to_owned(),
        Claim::Present(text) => quote(text),
    }
}
