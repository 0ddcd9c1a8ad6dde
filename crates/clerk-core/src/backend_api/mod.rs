//! Clerk's Backend API without HTTP: what to ask, what an answer means, and when to ask again.
//!
//! [`Walk`] reads a [`Listing`] page by page; [`ApiFault`] is why something was not answered; [`retry`] and [`Budget`] say when
//! the next request may go out; [`answered_at`] dates what an answer says.

mod answered;
mod date;
mod fault;
mod lists;
mod position;
mod rate;
pub mod retry;
mod secret_key;
mod url;
mod walk;

pub use answered::Answered;
pub use date::answered_at;
pub use fault::{ApiFault, Cause, FaultKind, Refusing};
pub use lists::{Listing, MAX_IDS};
pub use rate::{Budget, Rate, Slots};
pub use secret_key::{SecretKey, SecretKeyError};
pub use url::{Query, request_url};
pub use walk::{Step, Walk};
