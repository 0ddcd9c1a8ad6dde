//! What a round consists of.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::round::Caller;
use crate::error::Fault;
use crate::mirror::prune::{self, prune_in};
use crate::mirror::retry::{Retried, retry_due};
use crate::mirror::setup;
use crate::mirror::{erase, handlers};
use crate::operations::key_store;
use crate::operations::realtime::keep_up;
use crate::operations::tell_postgrest::tell_again;
use crate::sync;
use crate::workers::fetch_keys;

/// What a part is about. The launcher sees to the two apart, so that a broken mirror stops no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Keys, and whoever they are passed on to.
    Keys,
    /// The mirror, its events and its runs.
    Mirror,
}

/// A part, and what it says of itself.
pub struct Part {
    pub name: &'static str,
    pub about: About,
    pub run: fn(Caller) -> Value,
}

const fn part(name: &'static str, about: About, run: fn(Caller) -> Value) -> Part {
    Part { name, about, run }
}

/// In this order. Those that wait for workers come first, because in SQL the others leave rows locked until the transaction
/// ends; keys come before whatever passes keys on.
pub const PARTS: &[Part] = &[
    part("keys", About::Keys, keys),
    part("handlers", About::Mirror, handlers),
    part("realtime", About::Keys, realtime),
    part("retried", About::Mirror, retried),
    part("erased", About::Mirror, erased),
    part("pruned", About::Mirror, pruned),
    part("syncs", About::Mirror, syncs),
    // Last, because a worker that fetches keys writes the same row, and in SQL it stays locked from here on.
    part("postgrest", About::Keys, postgrest),
];

/// A part that goes through much ends after this; the rest is for the next round.
const LONGEST: Duration = Duration::from_secs(20);

/// Fetches the keys of every instance, so that a key that Clerk rotated counts within one interval: behind PostgREST nobody can
/// show us a token of it before.
fn keys(caller: Caller) -> Value {
    let due = caller.batch(key_store::due_issuers);
    let fetched = match caller {
        _ if due.is_empty() => 0,
        // In a worker, which may wait for Clerk itself.
        Caller::Launcher => fetch_keys::store_due(&due).unwrap_or_else(|error| error.raise()),
        Caller::Sql => fetch_keys::store_due_in_worker(&due).unwrap_or_else(|fault| fault.raise()),
    };
    json!({ "due": due.len(), "fetched": fetched })
}

/// Has the worker that calls handlers do what is due. Only SQL waits for it: a round in a worker has better to do.
fn handlers(caller: Caller) -> Value {
    match caller {
        Caller::Launcher => caller.batch(handlers::start_due),
        Caller::Sql => handlers::run_due(),
    }
}

/// Gives Realtime's tenants the keys that count now, if `sync_realtime_keys()` was called once.
fn realtime(caller: Caller) -> Value {
    let answer = caller.batch(keep_up);
    answer.map_or(Value::Null, |answer| {
        serde_json::from_str(&answer).unwrap_or(Value::String(answer))
    })
}

/// Tells PostgREST to read its configuration if it may not have the keys that count now.
fn postgrest(caller: Caller) -> Value {
    let reason = caller.batch(tell_again);
    json!({ "told": reason })
}

/// Failed events whose time has come.
fn retried(caller: Caller) -> Value {
    /// Most events of one round, and of one transaction.
    const MOST: usize = 1_000;
    const BATCH: usize = 20;
    let started = Instant::now();
    let mut total = Retried::default();
    while total.count() < MOST && started.elapsed() < LONGEST {
        let batch = caller.batch(|| retry_due(BATCH as i32, &setup::current()));
        total.add(&batch);
        if batch.count() < BATCH {
            break;
        }
    }
    total.to_json()
}

/// What is left of people whom Clerk deleted.
fn erased(caller: Caller) -> Value {
    /// Payloads of one transaction.
    const BATCH: usize = 1_000;
    let started = Instant::now();
    let mut total = 0;
    while started.elapsed() < LONGEST {
        let batch = caller.batch(|| erase::erase(BATCH as i32, &setup::current()));
        total += batch;
        if batch < BATCH {
            break;
        }
    }
    json!(total)
}

/// What is older than it is to be kept.
fn pruned(caller: Caller) -> Value {
    prune_in(|kind| caller.batch(|| prune::count(kind)))
}

/// Runs that were interrupted or put off, and those that are due.
fn syncs(caller: Caller) -> Value {
    let (lanes, failed) = caller.batch(sync::start_open);
    let mut report = caller.batch(sync::request_due);
    report["lanes"] = json!(lanes);
    if !failed.is_empty() {
        report["not_started"] = failed.iter().map(|fault| fault.message().to_owned()).collect();
        failed.into_iter().for_each(Fault::warn);
    }
    report
}
