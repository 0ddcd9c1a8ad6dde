//! Operations: maintenance with and without a launcher.

#[cfg(pg_cron)]
mod cron;
mod launcher;
mod rounds;
mod scene;
mod shutdown;
