//! What a token's header must say.

use super::claim_checks::Rules;
use super::criterion::{Criterion, judge};
use super::token_type::{Category, TokenType};
use crate::algorithm::Algorithm;
use crate::jwt::Header;
use crate::quote::quote;
use crate::reason::{Reason, Refusal};

/// Judges a header, before any key is looked for.
///
/// # Errors
/// `token-invalid` for a `crit`, for an M2M token in place of a session token, and for any other `cat` in place of an M2M
/// token; `token-type-mismatch` for another `cat` or `typ` of another kind of token, and for a `cat` that is not known;
/// `token-invalid-algorithm` for any `alg` but RS256, RS384 and RS512.
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

const UNKNOWN_HINT: &str =
    "Clerk signs other kinds of token with the same key. If getToken() gives this one, update clerk_sync.";
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
            hint: |_| "Clerk's tokens have no critical extensions.",
        },
        Criterion {
            name: "cat",
            passes: |token| match token.category() {
                Category::None => true,
                Category::Of(category) => token.accepts(category),
                // Clerk's SDK does not look at the category of an OAuth token, which its typ tells from others.
                Category::Unknown => token.token_type == TokenType::Oauth,
            },
            expected: |token| format!("absent or the category of {} tokens", token.token_type.as_str()),
            public: true,
            found: |token| match token.category() {
                Category::Of(category) => format!("the category of {} tokens", category.as_str()),
                _ => describe(token.header.cat.as_deref()),
            },
            reason: |token| match (token.token_type, token.category()) {
                (TokenType::Session, Category::Of(TokenType::M2m)) | (TokenType::M2m, _) => {
                    Reason::TokenInvalid
                }
                _ => Reason::TokenTypeMismatch,
            },
            hint: |token| match (token.token_type, token.category()) {
                (TokenType::Session, Category::Of(TokenType::Template)) => {
                    "Call getToken() without a template."
                }
                (_, Category::Unknown) => UNKNOWN_HINT,
                _ => TYPE_HINT,
            },
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
            hint: |_| TYPE_HINT,
        },
        Criterion {
            name: "alg",
            passes: |token| token.header.alg.as_deref().and_then(Algorithm::parse).is_some(),
            expected: |_| "RS256, RS384 or RS512".to_owned(),
            public: true,
            found: |token| describe(token.header.alg.as_deref()),
            reason: |_| Reason::TokenInvalidAlgorithm,
            hint: |_| "Clerk signs with RS256. Tokens from a template with a custom signing key cannot be verified.",
        },
    ];

    fn category(&self) -> Category {
        self.header.cat.as_deref().map_or(Category::None, Category::parse)
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
