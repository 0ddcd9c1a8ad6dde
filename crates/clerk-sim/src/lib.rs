//! A small stand-in for Clerk, for tests, the demo and the benches.
//!
//! [`World`] is a population that lives, signs up, joins, pays and goes, with the webhooks of its life and the truth
//! about it; [`Network`] loses, doubles and reorders them, [`sign`] signs and [`Sender`] sends them. The rest is identity:
//!
//! It holds the signing keys of one imaginary Clerk instance, mints every class of token those keys sign at
//! Clerk, publishes the keys at `/.well-known/jwks.json`, and misbehaves on request. The issuer is free: the
//! tokens may come from `https://clerk.sim.test` while the keys are served on a loopback port.
//!
//! ```
//! use clerk_sim::{Simulator, Token};
//!
//! let clerk = Simulator::start();
//! let token = Token::session(clerk.issuer(), "user_ada").organization(
//!     "org_acme",
//!     "acme",
//!     "admin",
//!     &[("posts", &["read", "manage"])],
//! );
//! let jwt = clerk.mint(token);
//! assert_eq!(jwt.split('.').count(), 3);
//! ```
//!
//! The Backend API is served too, below [`Simulator::api_url`]: over the [`World`] or, for benches, over a [`Crowd`] of
//! any size.
//!
//! The binary `clerk-sim` serves the same over HTTP; [`control`] lists its requests.

mod api;
mod backend;
mod connection;
pub mod control;
mod crowd;
mod faults;
mod keys;
mod network;
mod permissions;
mod publishable_key;
mod random;
mod sender;
mod server;
mod signature;
mod tokens;
mod world;

pub use api::{ApiFault, ApiRequest, ApiSettings, Chaos, FaultPlan, RateLimit, WorldClock};
pub use crowd::{Crowd, CrowdOptions};
pub use faults::Fault;
pub use keys::{Algorithm, Rotation, SigningKeys};
pub use network::{Delivery, Network};
pub use publishable_key::publishable_key;
pub use sender::{Report, Sender};
pub use server::{Options, Simulator};
pub use signature::{SigningSecret, SvixHeaders, new_signing_secret, sign};
pub use tokens::Token;
pub use world::{Activity, Adversity, ApiPage, Event, Fact, Resource, Truth, World, WorldOptions};
