//! Operations: maintenance with and without a launcher, keys handed over to PostgREST and its neighbours, and what the database says
//! of itself.

#[cfg(pg_cron)]
mod cron;
mod doctor;
mod handover;
mod launcher;
mod rounds;
mod scene;
mod shutdown;
