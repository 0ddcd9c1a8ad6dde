//! Talking to Clerk. Only background workers come here.

mod http;
pub mod jwks;
