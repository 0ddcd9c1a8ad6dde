//! The worker that asks Clerk something on the spot, for `clerk.doctor(online => true)` and `clerk.webhook_portal_url()`.
//!
//! It only asks and tells; nothing that it learns is stored.

use std::time::Duration;

use clerk_core::Jwk;
use clerk_core::backend_api::ApiFault;
use pgrx::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::exchange::KEY_SETS;
use super::one_shot::{self, OneShot};
use super::session;
use super::task::Task;
use crate::clerk_api::{Backend, jwks, objects};
use crate::clock;
use crate::error::Fault;

const TASK: Task = Task {
    function: c"clerk_ask_clerk_worker",
    name: c"clerk_sync: ask Clerk",
    purpose: "ask Clerk",
};

/// Clerk may want to be left alone for a while, and somebody is waiting.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Serialize, Deserialize)]
enum Question {
    Examine {
        issuer: String,
        jwks_url: Option<String>,
        has_secret_key: bool,
    },
    PortalUrl {
        issuer: String,
    },
}

/// What an examination found, or why it could not be found.
#[derive(Serialize, Deserialize, Default)]
pub struct Examination {
    /// The keys at the JWKS URL, if there is one.
    pub keys: Option<Result<Vec<Jwk>, Trouble>>,
    /// How far Clerk's clock is ahead of ours in seconds, to half a second.
    pub clock_ahead: Option<f64>,
    /// Whether Clerk accepts the secret key, if there is one.
    pub secret_key: Option<Result<(), Trouble>>,
}

/// What went wrong, and what to do.
#[derive(Serialize, Deserialize)]
pub struct Trouble {
    pub message: String,
    pub hint: String,
}

impl From<ApiFault> for Trouble {
    fn from(fault: ApiFault) -> Self {
        Self {
            message: fault.message,
            hint: fault.hint,
        }
    }
}

/// Looks at an instance from outside: the keys at `jwks_url`, and whether its secret key opens its Backend API.
pub fn examine(issuer: String, jwks_url: Option<String>, has_secret_key: bool) -> Result<Examination, Fault> {
    ask(&Question::Examine {
        issuer,
        jwks_url,
        has_secret_key,
    })
}

/// A URL that opens the instance's log of webhook deliveries.
pub fn portal_url(issuer: String) -> Result<Result<String, Trouble>, Fault> {
    ask(&Question::PortalUrl { issuer })
}

fn ask<A: DeserializeOwned>(question: &Question) -> Result<A, Fault> {
    // There the worker would not start before the standby is promoted.
    // SAFETY: raises, or does nothing.
    unsafe { pg_sys::PreventCommandDuringRecovery(c"questions to Clerk".as_ptr()) };
    let worker = one_shot::start(&TASK, (), question, KEY_SETS).map(OneShot::for_us_alone);
    let answer = worker.and_then(|worker| worker.answer(LONGEST));
    answer.map_err(|failure| failure.fault(&TASK))
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_ask_clerk_worker(_argument: pg_sys::Datum) {
    // The one who asked may have been cancelled.
    let Some(exchange) = session::begin::<()>().and_then(|begun| begun.exchange) else {
        return;
    };
    match exchange.question::<Question>() {
        Some(Question::Examine {
            issuer,
            jwks_url,
            has_secret_key,
        }) => {
            exchange.reply(&look(&issuer, jwks_url.as_deref(), has_secret_key));
        }
        Some(Question::PortalUrl { issuer }) => {
            let url =
                Backend::open(&issuer).and_then(|mut backend| objects::webhook_portal_url(&mut backend));
            exchange.reply(&url.map_err(Trouble::from));
        }
        None => {}
    }
}

fn look(issuer: &str, jwks_url: Option<&str>, has_secret_key: bool) -> Examination {
    let mut found = Examination::default();
    found.keys = jwks_url.map(|url| {
        let fetched = jwks::fetch_dated(url);
        let now = clock::now();
        let (keys, answered_at) = fetched.map_err(|refusal| Trouble {
            message: refusal.message,
            hint: refusal.hint,
        })?;
        found.clock_ahead = answered_at.map(|micros| ahead_of(now, micros));
        Ok(keys)
    });
    found.secret_key = has_secret_key.then(|| {
        let answer = Backend::open(issuer).and_then(|mut backend| backend.get("/jwks", &[]))?;
        // Nearer to the source than a set of keys that anybody may have kept.
        found.clock_ahead = Some(ahead_of(clock::now(), answer.observed_at));
        Ok(())
    });
    found
}

/// How far Clerk's clock is ahead, in seconds. Its time is cut to the second, so it was half a second later on average.
fn ahead_of(now: f64, answered_at: i64) -> f64 {
    answered_at as f64 / 1e6 + 0.5 - now
}
