//! The endpoints as a client sees them on the wire.

mod client;
mod control;
mod keys;
mod start;
