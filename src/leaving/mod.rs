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
    functions: Option<Vec<Option<String>>>,
    relations: Option<Vec<Option<String>>>,
    target: Option<&str>,
    once: Option<bool>,
) -> Option<String> {
    let names = Names::new(self::names(functions), self::names(relations), target?);
    move_printed(qualified?, unqualified?, &names, once?).ok()
}

/// The body of a function in SQL or PL/pgSQL with its names moved, and what a person must look at.
#[pg_extern(immutable, parallel_safe, strict)]
#[allow(clippy::type_complexity)]
fn eject_body(
    body: Option<&str>,
    functions: Option<Vec<Option<String>>>,
    relations: Option<Vec<Option<String>>>,
    known: Option<Vec<Option<String>>>,
    target: Option<&str>,
) -> TableIterator<'static, (name!(moved, String), name!(left_over, Vec<String>))> {
    // The function's owner can make it be called with NULL all the same.
    let (Some(body), Some(target)) = (body, target) else {
        return TableIterator::empty();
    };
    let known = self::names(known);
    let names = Names::new(self::names(functions), self::names(relations), target);
    let body = move_body(body, &names, &|name| known.iter().any(|known| known == name));
    TableIterator::once((body.moved, body.left))
}

/// An array of names; NULL is none, and names nothing.
fn names(array: Option<Vec<Option<String>>>) -> Vec<String> {
    array.unwrap_or_default().into_iter().flatten().collect()
}
