//! Why a token was refused.

use std::fmt;

/// Clerk's code for why a token or its key was refused (`TokenVerificationErrorReason` of `@clerk/backend`).
///
/// `token-type-mismatch` and `token-invalid-audience` are codes of Clerk's request layer and of its Python SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `exp` has passed.
    TokenExpired,
    /// Not a JWT that can be read, or one that must not be accepted at all.
    TokenInvalid,
    /// `alg` is not RS256, RS384 or RS512, or not the algorithm of the key.
    TokenInvalidAlgorithm,
    /// `azp` is not one of the authorized parties.
    TokenInvalidAuthorizedParties,
    /// The signature is not by the key.
    TokenInvalidSignature,
    /// `nbf` has not come yet.
    TokenNotActiveYet,
    /// `iat` has not come yet.
    TokenIatInTheFuture,
    /// A claim is missing or has the wrong type.
    TokenVerificationFailed,
    /// `aud` is none of the configured audiences.
    TokenInvalidAudience,
    /// A genuine token, but of another kind than asked for.
    TokenTypeMismatch,
    /// `iss` is none of the configured issuers.
    TokenInvalidIssuer,
    /// No key of the issuer has the token's `kid`.
    JwkKidMismatch,
    /// The key set that Clerk answered cannot be used.
    JwkRemoteInvalid,
    /// The key set could not be fetched.
    JwkRemoteFailedToLoad,
    /// The key cannot be used.
    JwkFailedToResolve,
    /// The key set that Clerk answered holds no usable key.
    JwkRemoteMissing,
}

impl Reason {
    /// Every reason, for tables of codes.
    pub const ALL: &[Reason] = &[
        Reason::TokenExpired,
        Reason::TokenInvalid,
        Reason::TokenInvalidAlgorithm,
        Reason::TokenInvalidAuthorizedParties,
        Reason::TokenInvalidSignature,
        Reason::TokenNotActiveYet,
        Reason::TokenIatInTheFuture,
        Reason::TokenVerificationFailed,
        Reason::TokenInvalidAudience,
        Reason::TokenTypeMismatch,
        Reason::TokenInvalidIssuer,
        Reason::JwkKidMismatch,
        Reason::JwkRemoteInvalid,
        Reason::JwkRemoteFailedToLoad,
        Reason::JwkFailedToResolve,
        Reason::JwkRemoteMissing,
    ];

    /// The code, as Clerk writes it: `token-expired`, `jwk-kid-mismatch`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::TokenExpired => "token-expired",
            Reason::TokenInvalid => "token-invalid",
            Reason::TokenInvalidAlgorithm => "token-invalid-algorithm",
            Reason::TokenInvalidAuthorizedParties => "token-invalid-authorized-parties",
            Reason::TokenInvalidSignature => "token-invalid-signature",
            Reason::TokenNotActiveYet => "token-not-active-yet",
            Reason::TokenIatInTheFuture => "token-iat-in-the-future",
            Reason::TokenVerificationFailed => "token-verification-failed",
            Reason::TokenInvalidAudience => "token-invalid-audience",
            Reason::TokenTypeMismatch => "token-type-mismatch",
            Reason::TokenInvalidIssuer => "token-invalid-issuer",
            Reason::JwkKidMismatch => "jwk-kid-mismatch",
            Reason::JwkRemoteInvalid => "jwk-remote-invalid",
            Reason::JwkRemoteFailedToLoad => "jwk-remote-failed-to-load",
            Reason::JwkFailedToResolve => "jwk-failed-to-resolve",
            Reason::JwkRemoteMissing => "jwk-remote-missing",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refused token: the code, what was wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code a program can branch on.
    pub reason: Reason,
    /// What was wrong, with the value at fault. Never a whole token; values are cut and escaped by [`crate::quote`].
    pub message: String,
    /// The next step for the person who reads it.
    pub hint: String,
}

impl Refusal {
    /// A refusal for `reason`, saying `message` and `hint`.
    pub fn new(reason: Reason, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Refusal {
            reason,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

impl std::error::Error for Refusal {}
