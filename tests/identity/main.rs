//! Who is asking.

mod policies;
