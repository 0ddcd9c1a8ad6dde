//! Which library a session runs, for `clerk.doctor()`.

use pgrx::prelude::*;

use crate::c_function;
use crate::call::Call;

c_function!(clerk_library_version, library_version);

/// `library_version()`: also of a library that was replaced on disk while this session has it loaded.
fn library_version(_call: &Call) -> Option<pg_sys::Datum> {
    env!("CARGO_PKG_VERSION").into_datum()
}
