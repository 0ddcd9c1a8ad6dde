//! The worker that fetches an instance's keys.
//!
//! Started by a token that fits no cached key, it stores what it fetched. Started by an administrator's call, it hands
//! the keys back, because they belong to that call's transaction.

use std::ffi::CStr;
use std::time::Duration;

use clerk_core::{Jwk, Reason, Refusal};
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::exchange::Exchange;
use super::one_shot::{self, OneShot};
use crate::clerk_api;
use crate::error::Fault;
use crate::operations::key_store::{self, Origin};
use crate::settings;
use crate::subtransaction::{SqlError, survive};
use crate::token::keys::no_free_slot;

const FUNCTION: &CStr = c"clerk_fetch_keys_worker";
const NAME: &CStr = c"clerk_sync: fetch keys";

/// What the worker is told; small enough for a worker's argument.
#[derive(Serialize, Deserialize)]
struct Order {
    database: u32,
    owner: u32,
    purpose: Purpose,
}

#[derive(Serialize, Deserialize)]
enum Purpose {
    /// Store the keys of the instance whose issuer has this hash, unless that was tried just now.
    Store(i64),
    /// Answer a question in shared memory.
    Answer(u32),
}

fn start(purpose: Purpose) -> Result<Option<OneShot>, Fault> {
    // SAFETY: MyDatabaseId is set in every backend that runs SQL.
    let database = unsafe { pg_sys::MyDatabaseId };
    let order = Order {
        database: database.to_u32(),
        owner: one_shot::owner()?.to_u32(),
        purpose,
    };
    let argument =
        serde_json::to_string(&order).map_err(|error| Fault::prerequisite(error.to_string(), ""))?;
    Ok(one_shot::start(FUNCTION, NAME, &argument))
}

/// Starts a worker that fetches and stores the keys of a committed instance. None if no slot is free.
pub fn start_for(issuer: &str) -> Result<Option<OneShot>, Fault> {
    start(Purpose::Store(key_store::issuer_hash(issuer)))
}

/// How long a worker may take: one request and its short transactions.
pub fn longest() -> Duration {
    settings::http_timeout() + Duration::from_secs(2)
}

/// A question: fetch from this URL.
#[derive(Serialize, Deserialize)]
struct Question {
    url: String,
}

/// A refusal on its way through shared memory.
#[derive(Serialize, Deserialize)]
struct Trouble {
    reason: String,
    message: String,
    hint: String,
}

/// The keys at `url`, fetched by a worker while we wait.
pub fn fetch_now(url: &str) -> Result<Vec<Jwk>, Fault> {
    let question = Question { url: url.to_owned() };
    let exchange = Exchange::ask(&question)
        .ok_or_else(|| Fault::argument("the URL is too long", "Pass a URL of ordinary length."))?;
    let worker = start(Purpose::Answer(exchange.handle()))?.ok_or_else(no_free_slot)?;
    let worker = TerminatedOnDrop(worker);
    worker.0.wait(longest());
    match exchange.answer::<Result<Vec<Jwk>, Trouble>>() {
        Some(Ok(keys)) => Ok(keys),
        Some(Err(trouble)) => Err(refusal(trouble).into()),
        None => Err(Refusal::new(
            Reason::JwkRemoteFailedToLoad,
            "the background worker that fetches Clerk's keys ended without an answer",
            "The server log says why; a common cause is that no more connections are allowed.",
        )
        .into()),
    }
}

/// Nobody else waits for the answer, so a cancelled call ends its worker.
struct TerminatedOnDrop(OneShot);

impl Drop for TerminatedOnDrop {
    fn drop(&mut self) {
        self.0.terminate();
    }
}

fn refusal(trouble: Trouble) -> Refusal {
    let known = Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == trouble.reason);
    Refusal::new(
        *known.unwrap_or(&Reason::JwkRemoteFailedToLoad),
        trouble.message,
        trouble.hint,
    )
}

/// Entry point of the worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn clerk_fetch_keys_worker(_argument: pg_sys::Datum) {
    let Ok(order) = serde_json::from_str::<Order>(&one_shot::argument()) else {
        return Fault::argument("clerk_fetch_keys_worker was started without an order", "").warn();
    };
    one_shot::connect(order.database.into(), order.owner.into());
    match order.purpose {
        Purpose::Store(hash) => {
            if let Err(error) = store(hash) {
                let hint = "A token that fits no key, or the next round of maintenance, tries again.";
                Fault::new(error.sqlstate, error.message, hint).warn();
            }
        }
        Purpose::Answer(handle) => answer(handle),
    }
}

fn answer(handle: u32) {
    // The one who asked may have been cancelled.
    let Some(exchange) = Exchange::open(handle) else {
        return;
    };
    let Some(question) = exchange.question::<Question>() else {
        return;
    };
    let result = clerk_api::jwks::fetch(&question.url).map_err(|refusal| Trouble {
        reason: refusal.reason.as_str().to_owned(),
        message: refusal.message,
        hint: refusal.hint,
    });
    exchange.reply(&result);
}

/// Fetches and stores the keys of the instance whose issuer has this hash, unless that was tried just now. For workers, outside
/// a transaction. Fails only for trouble with our tables; how the fetch itself went is noted there.
pub fn store(issuer_hash: i64) -> Result<(), SqlError> {
    let lock = key_store::fetch_lock(issuer_hash);
    // One fetch at a time per instance; who comes second has nothing to do.
    if !lock.try_acquire() {
        return Ok(());
    }
    let stored = survive(|| fetch_and_store(issuer_hash));
    lock.release();
    stored
}

fn fetch_and_store(issuer_hash: i64) {
    let Some(attempt) = BackgroundWorker::transaction(|| key_store::begin_attempt(issuer_hash)) else {
        return;
    };
    let fetched = clerk_api::jwks::fetch(&attempt.jwks_url);
    BackgroundWorker::transaction(|| {
        let unchanged = key_store::hold_instance(&attempt);
        // What came from a URL that an administrator has changed meanwhile is not the instance's.
        if !unchanged {
            return;
        }
        let error = fetched.as_ref().err().map(ToString::to_string);
        key_store::note_fetch(&attempt.issuer, error.as_deref());
        if let Ok(keys) = &fetched {
            key_store::replace(&attempt.issuer, keys, Origin::Fetched);
        }
    });
    // A commit can be seen before it is announced. So whoever sees that the attempt has ended must find the keys
    // announced already.
    BackgroundWorker::transaction(|| key_store::end_attempt(&attempt.issuer));
}
