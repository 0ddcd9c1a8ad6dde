//! The worker that fetches an instance's keys.
//!
//! Started by a token that fits no cached key, or by `clerk.maintain()`, it stores what it fetched. Started by an administrator's
//! call, it hands the keys back, because they belong to that call's transaction.

use std::time::{Duration, Instant};

use clerk_core::{Jwk, Reason, Refusal};
use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde::{Deserialize, Serialize};

use super::exchange::{Exchange, KEY_SETS, SHORT};
use super::failure::Failure;
use super::one_shot::{self, OneShot};
use super::session;
use super::task::Task;
use crate::clerk_api;
use crate::error::Fault;
use crate::operations::key_store::{self, Cause, Origin, issuer_hash};
use crate::settings;
use crate::subtransaction::{SqlError, survive};

pub const TASK: Task = Task {
    function: c"clerk_fetch_keys_worker",
    name: c"clerk_sync: fetch keys",
    purpose: "fetch Clerk's keys",
};

/// What the worker is told.
#[derive(Serialize, Deserialize)]
enum Purpose {
    /// Store the keys of the instance whose issuer has this hash, unless that was tried just now.
    Store(i64),
    /// Store the keys of the instances that the question lists, and answer of how many keys arrived.
    StoreDue,
    /// Answer a question.
    Answer,
}

/// Starts a worker that fetches and stores the keys of a committed instance.
pub fn start_for(issuer: &str) -> Result<OneShot, Failure> {
    let purpose = Purpose::Store(issuer_hash(issuer));
    one_shot::start(&TASK, purpose, &(), SHORT)
}

/// How long a worker may take for one instance: its requests, which `clerk.http_timeout` bounds together, and its short
/// transactions.
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
    let worker = one_shot::start(&TASK, Purpose::Answer, &question, KEY_SETS).map(OneShot::for_us_alone);
    let answer = worker.and_then(|worker| worker.answer::<Result<Vec<Jwk>, Trouble>>(longest()));
    answer
        .map_err(not_fetched)?
        .map_err(|trouble| refusal(trouble).into())
}

/// Whatever became of the worker, the keys could not be fetched (08006), unless none could be started.
fn not_fetched(failure: Failure) -> Fault {
    match failure {
        Failure::Refused(fault) => fault,
        Failure::NoSlot => failure.fault(&TASK).with_reason(Reason::JwkFailedToResolve),
        failure => {
            let fault = failure.fault(&TASK);
            let (message, hint) = (fault.message().to_owned(), fault.hint().to_owned());
            Refusal::new(Reason::JwkRemoteFailedToLoad, message, hint).into()
        }
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
    let Some(begun) = session::begin() else {
        return;
    };
    match begun.order.what {
        Purpose::Store(hash) => {
            if let Err(error) = store(hash, Cause::Token) {
                let hint = "A token that fits no key, or the next round of maintenance, tries again.";
                Fault::new(error.sqlstate, error.message, hint).warn();
            }
        }
        // The one who asked may have been cancelled.
        Purpose::StoreDue => begun.exchange.into_iter().for_each(answer_due),
        Purpose::Answer => begun.exchange.into_iter().for_each(answer),
    }
}

fn answer(exchange: &Exchange) {
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

fn answer_due(exchange: &'static Exchange) {
    let issuers: Vec<String> = exchange.question().unwrap_or_default();
    match store_due(&issuers) {
        Ok(stored) => drop(exchange.reply(&stored)),
        Err(error) => error.raise(),
    }
}

/// Has a worker do [`store_due`], and waits for it.
pub fn store_due_in_worker(issuers: &[String]) -> Result<usize, Fault> {
    let worker = one_shot::start(&TASK, Purpose::StoreDue, &issuers, KEY_SETS);
    let stored = worker.and_then(|worker| worker.answer(LONGEST_FOR_ALL + longest()));
    stored.map_err(|failure| failure.fault(&TASK))
}

/// No further fetch is begun after this.
const LONGEST_FOR_ALL: Duration = Duration::from_secs(20);

/// Fetches and stores the keys of these instances for a round of maintenance, one after the other, as far as the time goes. For
/// workers, outside a transaction. Gives of how many keys arrived.
pub fn store_due(issuers: &[String]) -> Result<usize, SqlError> {
    let started = Instant::now();
    let mut stored = 0;
    for issuer in issuers {
        if started.elapsed() > LONGEST_FOR_ALL {
            break;
        }
        stored += usize::from(store(issuer_hash(issuer), Cause::Round)?);
    }
    Ok(stored)
}

/// Fetches and stores the keys of the instance whose issuer has this hash, unless that was tried just now; gives whether keys
/// arrived. For workers, outside a transaction. Fails only for trouble with our tables; how the fetch itself went is noted there.
fn store(issuer_hash: i64, cause: Cause) -> Result<bool, SqlError> {
    let lock = key_store::fetch_lock(issuer_hash);
    // One fetch at a time per instance; who comes second has nothing to do.
    if !lock.try_acquire() {
        return Ok(false);
    }
    let stored = survive(|| fetch_and_store(issuer_hash, cause));
    // After the commit: whoever sees that the fetch has ended finds its keys announced.
    lock.release();
    stored
}

fn fetch_and_store(issuer_hash: i64, cause: Cause) -> bool {
    let Some(attempt) = BackgroundWorker::transaction(|| key_store::begin_attempt(issuer_hash, cause)) else {
        return false;
    };
    let fetched = clerk_api::jwks::fetch(&attempt.jwks_url);
    BackgroundWorker::transaction(|| {
        let unchanged = key_store::hold_instance(&attempt);
        // What came from a URL that an administrator has changed meanwhile is not the instance's.
        if !unchanged {
            return false;
        }
        let error = fetched.as_ref().err().map(ToString::to_string);
        key_store::note_fetch(&attempt.issuer, error.as_deref());
        if let Ok(keys) = &fetched {
            key_store::replace(&attempt.issuer, keys, Origin::Fetched);
        }
        fetched.is_ok()
    })
}
