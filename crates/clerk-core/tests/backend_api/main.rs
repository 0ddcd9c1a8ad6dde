//! What Clerk's Backend API answers, and what follows from it.

mod faults;
mod list_of_clerk;
mod lists;
mod walks;
