//! Clerk's Backend API, below `/v1`.
//!
//! A request is noted, let in, counted against the limit, and then answered or spoilt. Whatever the answer is, its
//! `Date` is the world's time, cut off to the second as at Clerk: an answer may show what is up to a second younger
//! than it says, and never says to be younger than what it shows. So what is told by a later event is never
//! outdone by somebody who looked before it.

mod access;
mod chaos;
mod error;
mod fault;
mod handler;
mod journal;
mod life;
mod limit;
mod lists;
mod parameters;
mod population;
mod query;
mod reply;
mod route;
mod settings;

use std::sync::{Mutex, MutexGuard};

use crate::crowd::Crowd;

use limit::Limiter;

pub use chaos::{Chaos, FaultPlan};
pub use fault::ApiFault;
pub use journal::ApiRequest;
pub use settings::{ApiSettings, RateLimit, WorldClock};

pub(crate) use settings::new_secret_key;

pub(crate) use chaos::Faults;
pub(crate) use handler::router;
pub(crate) use journal::Journal;
pub(crate) use life::{Life, Pace};
pub(crate) use population::Population;

/// What the API keeps between requests.
pub(crate) struct Api {
    settings: Mutex<ApiSettings>,
    limiter: Mutex<Limiter>,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
    crowd: Mutex<Option<Crowd>>,
    life: Mutex<Life>,
}

impl Api {
    pub(crate) fn new(settings: ApiSettings) -> Self {
        Self {
            settings: Mutex::new(settings),
            limiter: Mutex::default(),
            faults: Mutex::default(),
            journal: Mutex::default(),
            crowd: Mutex::default(),
            life: Mutex::default(),
        }
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, ApiSettings> {
        self.settings.lock().expect("no holder of the settings panics")
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("no holder of the faults panics")
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().expect("no holder of the journal panics")
    }

    /// The synthetic population that stands in for the world, if there is one.
    pub(crate) fn crowd(&self) -> MutexGuard<'_, Option<Crowd>> {
        self.crowd.lock().expect("no holder of the crowd panics")
    }

    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().expect("no hook panics")
    }

    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().expect("no holder of the limiter panics")
    }
}
