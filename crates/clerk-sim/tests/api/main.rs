//! Clerk's Backend API as the stand-in serves it. What is expected is what Clerk's specification and documentation say.

mod access;
mod client;
mod control;
mod crowd;
mod cursor;
mod faults;
mod life;
mod limit;
mod lists;
mod narrow;
mod paging;
mod time;
