//! Verification of Clerk tokens inside the server.
//!
//! `trust` is what the backend believes (instances and keys), `verify` judges a token against it, `keys` asks for
//! newer keys when a token does not fit, and `verified` remembers what passed.

mod inspect;
pub mod keys;
mod sql;
pub mod trust;
pub mod verified;
mod verify;

pub use verify::{instance_of, verify};
