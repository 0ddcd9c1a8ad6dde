//! Clerk's tokens and authorization rules, without Postgres and without a clock of its own.
//!
//! A token is read by [`Jwt::decode`], judged by [`judge_header`], [`Jwt::verify_signature`], [`judge_claims`] and
//! [`Validity::judge`], in that order, and becomes [`SessionClaims`], which answers Clerk's `has()` questions. Whoever got
//! only a payload (`request.jwt.claims`) starts at [`Claims::parse`]. [`inspect`] runs the same checks and tells what each
//! of them saw.

mod address;
mod algorithm;
mod authorization;
pub mod backend_api;
mod checks;
mod claims;
mod existing_keys;
mod json;
mod jwks;
mod jwt;
pub mod mirror;
mod nearest;
mod pasted;
mod pem;
mod permissions;
mod publishable_key;
mod quote;
mod reason;
mod reverification;
mod scoped_list;
mod session_claims;
pub mod sql_text;
mod webhook;

pub use address::{AddressError, check_issuer, check_origin, is_development_address, is_production_address};
pub use algorithm::Algorithm;
pub use checks::{
    Check, DEFAULT_CLOCK_SKEW_SECONDS, Rules, Times, TokenType, Validity, inspect, judge_claims, judge_header,
};
pub use claims::{Claim, Claims};
pub use existing_keys::{ExistingKeys, ExistingKeysError, jwt_secret_fault};
pub use jwks::{Jwk, JwksError, VerifyingKey, parse_jwks};
pub use jwt::{Header, Jwt, MAX_TOKEN_BYTES};
pub use pem::parse_keys;
pub use publishable_key::{Environment, PublishableKey, PublishableKeyError, jwks_url};
pub use quote::{literal, quote};
pub use reason::{Reason, Refusal};
pub use reverification::{Reverification, ReverificationError, ReverificationLevel};
pub use scoped_list::ScopedList;
pub use session_claims::{ActorType, Organization, SessionClaims};
pub use webhook::{
    MAX_WEBHOOK_BYTES, SigningSecret, SigningSecretError, Verified, WEBHOOK_TOLERANCE_SECONDS,
    WebhookHeaders, WebhookReason, WebhookRefusal, verify_webhook,
};
