//! The mirror as an API shows it: PostgREST's way in and out, and who sees what.

mod handlers;
mod pooled;
mod scene;

mod bad_input;
mod ensure;
mod forget;
mod future;
mod leaks;
mod notify;
mod postgrest;
mod restored;
mod secrets;
mod settings;
mod squatters;
mod verify;
mod visibility;
