//! The kinds of token that an instance's key signs.

/// What a token is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// A user's session token.
    Session,
    /// A token from a JWT template: a user's, but of no session.
    Template,
    /// A machine-to-machine token.
    M2m,
    /// An OAuth access token.
    Oauth,
}

impl TokenType {
    /// The kind called `session`, `template`, `m2m` or `oauth`; `None` for any other word.
    pub fn parse(word: &str) -> Option<Self> {
        [
            TokenType::Session,
            TokenType::Template,
            TokenType::M2m,
            TokenType::Oauth,
        ]
        .into_iter()
        .find(|token_type| token_type.as_str() == word)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenType::Session => "session",
            TokenType::Template => "template",
            TokenType::M2m => "m2m",
            TokenType::Oauth => "oauth",
        }
    }

    /// The kind that the header's `cat` stands for (`jwtCategories.ts` of `@clerk/backend`). `None` for tags that carry
    /// no kind: that of instances which opted out, and any we do not know.
    pub(super) fn of_category(cat: &str) -> Option<Self> {
        match cat {
            "cl_B7d4PD111AAA" => Some(TokenType::Session),
            "cl_B7d4PD222AAA" => Some(TokenType::Template),
            "cl_B7d4PD333AAA" => Some(TokenType::M2m),
            _ => None,
        }
    }
}
