//! Runs that read the Backend API of the simulator into the mirror, and what they do when that, the server or the world does not
//! stand still.

mod absence;
mod backfill;
mod client;
mod faults;
mod interruptions;
mod news;
mod not_started;
mod refusals;
mod reinstalled;
mod savepoints;
mod scene;
mod schedule;
mod stalled;
mod subjects;
mod unattended;
mod unlisted;
mod whole;
