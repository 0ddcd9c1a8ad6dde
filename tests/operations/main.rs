//! Operations: maintenance with and without a launcher, keys handed over to PostgREST and its neighbours, what the database says of
//! itself, and leaving.

mod arguments;
mod broken_rounds;
#[cfg(pg_cron)]
mod cron;
mod doctor;
mod handover;
mod hidden;
mod launcher;
mod leaving;
mod location;
mod manual;
mod rounds;
mod scene;
mod shutdown;
mod worker_settings;
