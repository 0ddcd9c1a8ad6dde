//! The owner of the extension is hostile: whatever becomes of the tables, indexes and functions, the server does not crash, nobody
//! sees foreign memory, and other databases do not notice.
//!
//! `make test` tries a sample of the changes, `make hostile` all of them. `CLERK_SYNC_SEED` repeats an order, and
//! `CLERK_SYNC_HOSTILE` is `all` or a part of the names of the changes to try.

mod calls;
mod changes;
mod fakes;
mod known;
mod scene;
mod suite;
mod watch;
