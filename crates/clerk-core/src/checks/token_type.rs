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
}

/// What the header's `cat` says (`jwtCategories.ts` of `@clerk/backend`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    /// Nothing: there is none, or it is that of instances which opted out.
    None,
    /// A kind of token.
    Of(TokenType),
    /// A category that is not known.
    Unknown,
}

impl Category {
    pub(super) fn parse(cat: &str) -> Self {
        match cat {
            "cl_B7d4PD111AAA" => Category::Of(TokenType::Session),
            "cl_B7d4PD222AAA" => Category::Of(TokenType::Template),
            "cl_B7d4PD333AAA" => Category::Of(TokenType::M2m),
            "cl_I7d4PD111III" => Category::None,
            _ => Category::Unknown,
        }
    }
}
