//! SQL text: searched for what it does, and moved from schema `clerk` into another one for whoever leaves.
//!
//! Whoever searches a text looks at its [`code`], in which a comment or a message cannot be taken for a statement.
//!
//! Two kinds of text are moved, in two ways. What Postgres prints from its catalogs (a policy, a view) it can print twice, with and without
//! our schema in the search path: what differs is what names our objects, so [`move_printed`] guesses nothing. The body of a
//! function is whatever somebody typed: [`move_body`] changes what can only be ours and tells of the rest.

mod body;
mod code;
mod lexemes;
mod names;
mod printed;

pub use body::{Body, move_body};
pub use code::code;
pub use names::Names;
pub use printed::{Misaligned, move_printed};

/// The schema that names are moved out of.
const SCHEMA: &str = "clerk";
