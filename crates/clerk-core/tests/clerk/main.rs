//! Tests of clerk-core through its public interface. Expected values are Clerk's: published examples and documented
//! rules, or an independent model of them.

mod address;
mod authorization;
mod claims;
mod existing_keys;
mod header_checks;
mod inspect;
mod jwks;
mod jwt;
mod kinds_of_token;
mod pem;
mod permissions;
mod publishable_key;
mod reason;
mod reverification;
mod signer;
mod times;
mod webhook;
