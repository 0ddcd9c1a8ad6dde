//! What a token's header must say.

use super::claim_checks::Rules;
use super::criterion::{Criterion, judge};
use super::token_type::TokenType;
use crate::algorithm::Algorithm;
use crate::jwt::Header;
use crate::quote::quote;
use crate::reason::{Reason, Refusal};

/// Judges a header, before any key is looked for.
///
/// # Errors
/// `token-invalid` for a `crit`, and for an M2M token in place of a session token; `token-type-mismatch` for a `cat` or
/// `typ` of another kind of token; `token-invalid-algorithm` for any `alg` but RS256, RS384 and RS512.
pub fn judge_header(header: &Header, token_type: TokenType, rules: &Rules) -> Result<(), Refusal> {
    judge(
        HeaderSubject::CRITERIA,
        &HeaderSubject {
            header,
            token_type,
            rules,
        },
    )
}

pub(super) struct HeaderSubject<'a> {
    pub(super) header: &'a Header,
    pub(super) token_type: TokenType,
    pub(super) rules: &'a Rules<'a>,
}

const TYPE_HINT: &str = "Pass the kind of token it is: session, template, m2m or oauth.";

impl<'a> HeaderSubject<'a> {
    pub(super) const CRITERIA: &'a [Criterion<HeaderSubject<'a>>] = &[
        Criterion {
            name: "crit",
            passes: |token| !token.header.crit,
            expected: |_| "absent".to_owned(),
            public: true,
            found: |token| if token.header.crit { "present" } else { "absent" }.to_owned(),
            reason: |_| Reason::TokenInvalid,
            hint: "Clerk's tokens have no critical extensions.",
        },
        Criterion {
            name: "cat",
            passes: |token| token.category().is_none_or(|category| token.accepts(category)),
            expected: |token| {
                format!(
                    "absent, or not the category of another kind than {}",
                    token.token_type.as_str()
                )
            },
            public: true,
            found: |token| match token.category() {
                Some(category) => format!("the category of {} tokens", category.as_str()),
                None => describe(token.header.cat.as_deref()),
            },
            reason: |token| match (token.token_type, token.category()) {
                (TokenType::Session, Some(TokenType::M2m)) => Reason::TokenInvalid,
                _ => Reason::TokenTypeMismatch,
            },
            hint: TYPE_HINT,
        },
        Criterion {
            name: "typ",
            passes: |token| match (token.token_type, token.header.typ.as_deref()) {
                (TokenType::Oauth, typ) => matches!(typ, Some("at+jwt" | "application/at+jwt")),
                (_, typ) => matches!(typ, None | Some("JWT")),
            },
            expected: |token| match token.token_type {
                TokenType::Oauth => "\"at+jwt\" or \"application/at+jwt\"".to_owned(),
                _ => "absent or \"JWT\"".to_owned(),
            },
            public: true,
            found: |token| describe(token.header.typ.as_deref()),
            reason: |_| Reason::TokenTypeMismatch,
            hint: TYPE_HINT,
        },
        Criterion {
            name: "alg",
            passes: |token| token.header.alg.as_deref().and_then(Algorithm::parse).is_some(),
            expected: |_| "RS256, RS384 or RS512".to_owned(),
            public: true,
            found: |token| describe(token.header.alg.as_deref()),
            reason: |_| Reason::TokenInvalidAlgorithm,
            hint: "Clerk signs with RS256. Tokens from a template with a custom signing key cannot be verified.",
        },
    ];

    fn category(&self) -> Option<TokenType> {
        self.header.cat.as_deref().and_then(TokenType::of_category)
    }

    fn accepts(&self, category: TokenType) -> bool {
        category == self.token_type
            || (self.token_type == TokenType::Session
                && category == TokenType::Template
                && self.rules.accept_template_tokens)
    }
}

fn describe(parameter: Option<&str>) -> String {
    parameter.map_or_else(|| "absent".to_owned(), quote)
}
