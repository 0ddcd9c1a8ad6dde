//! Talking to Clerk. Only background workers come here.
//!
//! `http` asks over the network and `attend` waits for it; `backend` is one instance's Backend API, with its `account` (URL and
//! secret key) and its `budget` of requests; `pages` and `objects` are what is asked of it.

mod account;
mod attend;
mod backend;
mod budget;
mod http;
pub mod jwks;
pub mod objects;
pub mod pages;
mod trouble;

pub use backend::Backend;
