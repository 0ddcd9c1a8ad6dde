//! Reading SQL for checks that are written in SQL.

use pgrx::prelude::*;

use crate::operations::arguments::elements;

/// What a text in SQL or PL/pgSQL does, to be searched: see [`clerk_core::sql_text::code`].
#[pg_extern(immutable, parallel_safe, strict)]
fn sql_code(sql: Option<&str>, kept: Option<Vec<Option<String>>>) -> Option<String> {
    Some(clerk_core::sql_text::code(sql?, &elements("kept", kept?)))
}
