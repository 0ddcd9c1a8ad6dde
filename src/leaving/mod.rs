//! Leaving the extension: what `clerk.eject` needs that SQL cannot do, which is reading SQL.

use clerk_core::sql_text::{Names, move_body, move_printed};
use pgrx::prelude::*;

/// `qualified` with `functions` and `relations` of schema clerk named in `target` (in quotes where SQL needs them) instead;
/// `unqualified` is the same text as printed with clerk in the search path. With `once`, calls that depend on no row are put into
/// sub-selects. NULL if the two do not fit each other.
#[pg_extern(immutable, parallel_safe)]
fn eject_text(
    qualified: Option<&str>,
    unqualified: Option<&str>,
    functions: Option<Vec<String>>,
    relations: Option<Vec<String>>,
    target: Option<&str>,
    once: Option<bool>,
) -> Option<String> {
    let names = Names::new(
        functions.unwrap_or_default(),
        relations.unwrap_or_default(),
        target?,
    );
    move_printed(qualified?, unqualified?, &names, once?).ok()
}

/// The body of a function in SQL or PL/pgSQL with its names moved, and what a person must look at.
#[pg_extern(immutable, parallel_safe, strict)]
#[allow(clippy::type_complexity)]
fn eject_body(
    body: &str,
    functions: Vec<String>,
    relations: Vec<String>,
    known: Vec<String>,
    target: &str,
) -> TableIterator<'static, (name!(moved, String), name!(left_over, Vec<String>))> {
    let names = Names::new(functions, relations, target);
    let body = move_body(body, &names, &|name| known.iter().any(|known| known == name));
    TableIterator::once((body.moved, body.left))
}
