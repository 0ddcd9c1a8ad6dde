//! Operations: maintenance with and without a launcher, and what the database says of itself.

#[cfg(pg_cron)]
mod cron;
mod doctor;
mod launcher;
mod rounds;
mod scene;
mod shutdown;
