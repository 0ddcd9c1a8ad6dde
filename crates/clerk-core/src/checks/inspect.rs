//! Every check of a token at once, for whoever wants to know why it is refused.

use super::claim_checks::{ClaimsSubject, Rules};
use super::criterion::{Check, report};
use super::header_checks::HeaderSubject;
use super::times::{self, Moment};
use super::token_type::TokenType;
use crate::jwt::Jwt;
use crate::quote::quote;
use crate::reason::Refusal;

/// What every check finds in a token, in the order in which verification runs them.
///
/// `decoded` is the outcome of [`Jwt::decode`]; if that failed, the check `format` says why and is the only one.
/// `signature` is the outcome of [`Jwt::verify_signature`], or `None` if there is no key to verify with.
/// `now_seconds` is the time since 1970, `skew_seconds` how far the two clocks may be apart.
pub fn inspect(
    decoded: &Result<Jwt<'_>, Refusal>,
    token_type: TokenType,
    rules: &Rules<'_>,
    signature: Option<Result<(), Refusal>>,
    now_seconds: f64,
    skew_seconds: f64,
) -> Vec<Check> {
    let jwt = match decoded {
        Ok(jwt) => jwt,
        Err(refusal) => {
            return vec![Check {
                name: "format",
                passed: false,
                detail: refusal.message.clone(),
            }];
        }
    };
    let claims = &jwt.claims;
    let mut checks = vec![Check {
        name: "format",
        passed: true,
        detail: "a signed JWT".to_owned(),
    }];
    checks.extend(report(
        HeaderSubject::CRITERIA,
        &HeaderSubject {
            header: &jwt.header,
            token_type,
            rules,
        },
    ));
    checks.push(signature_check(jwt, signature.as_ref()));
    checks.extend(report(
        ClaimsSubject::CRITERIA,
        &ClaimsSubject {
            claims,
            token_type,
            rules,
        },
    ));
    checks.extend(report(
        times::CRITERIA,
        &Moment {
            validity: claims.times().with_skew(skew_seconds),
            now: now_seconds,
        },
    ));
    checks
}

fn signature_check(jwt: &Jwt<'_>, outcome: Option<&Result<(), Refusal>>) -> Check {
    let kid = jwt
        .header
        .kid
        .as_deref()
        .map_or_else(|| "no kid".to_owned(), |kid| format!("the kid {}", quote(kid)));
    let found = match outcome {
        Some(Ok(())) => format!("a genuine one, by {kid}"),
        Some(Err(refusal)) => format!("with {kid}: {}", refusal.message),
        None => format!("{kid}, for which there is no key"),
    };
    let detail = format!("expected a signature by a key of the issuer; found {found}");
    Check {
        name: "signature",
        passed: matches!(outcome, Some(Ok(()))),
        detail,
    }
}
