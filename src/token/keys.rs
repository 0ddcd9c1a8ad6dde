//! When to ask Clerk for newer keys, and how to wait for them.
//!
//! A token that fits no cached key is either forged or signed by a key we have not seen. The worker that looks is
//! started at most once per cool-down for the whole cluster, because it commits the time of its attempt before it
//! fetches; a refused token's rollback cannot undo that.

use std::time::{Duration, Instant};

use clerk_core::{Reason, Refusal};
use pgrx::prelude::*;

use super::trust::{self, Instance};
use crate::error::Fault;
use crate::operations::key_store::{fetch_lock, issuer_hash};
use crate::pg::backend_local::BackendLocal;
use crate::pg::deadline::Deadline;
use crate::workers::one_shot::nap;
use crate::workers::{Failure, fetch_keys};
use crate::{catalog, clock, settings};

/// One row of `clerk.jwks_fetches`, times in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Fetches {
    /// When a token last caused a fetch to begin.
    attempted_at: Option<f64>,
    /// When keys last arrived, by whatever cause.
    succeeded_at: Option<f64>,
    /// When a fetch last failed, by whatever cause.
    failed_at: Option<f64>,
}

impl Fetches {
    fn of(issuer: &str) -> Self {
        type Time = Option<TimestampWithTimeZone>;
        type Row = (String, Time, Time, Time);
        let columns = [c"issuer", c"attempted_at", c"succeeded_at", c"last_error_at"];
        let rows: Vec<Row> = catalog::rows(&catalog::table(c"jwks_fetches"), columns);
        let row = rows.into_iter().find(|(of, ..)| of == issuer);
        row.map_or_else(Self::default, |(_, attempted_at, succeeded_at, failed_at)| {
            let time = |at: Time| at.map(clock::from_timestamp);
            Self {
                attempted_at: time(attempted_at),
                succeeded_at: time(succeeded_at),
                failed_at: time(failed_at),
            }
        })
    }

    fn younger_than(&self, time: Option<f64>, age: Duration) -> bool {
        // A time in the future, after the clock was set back, must not block fetching for ever.
        time.is_some_and(|time| (clock::now() - time).abs() < age.as_secs_f64())
    }

    fn cooling_down(&self) -> bool {
        self.younger_than(self.attempted_at, settings::jwks_cooldown())
    }
}

/// Looks for keys newer than the ones of the count `changes`, by which `refusal` was judged. True if the trust has
/// changed since, so that judging again makes sense.
///
/// Starts nothing during the cool-down, on a standby (its keys come by replication) and in parallel mode. If the keys have not come
/// shortly before `statement_timeout` would end the statement, that is an error (08006), and the worker goes on.
pub fn fetch_newer(instance: &Instance, refusal: &Refusal, changes: u64) -> Result<bool, Fault> {
    let curable = matches!(
        refusal.reason,
        Reason::JwkKidMismatch | Reason::TokenInvalidSignature
    );
    if !curable || instance.jwks_url.is_none() || !may_start_workers() {
        return Ok(false);
    }
    let deadline = Deadline::before_statement_timeout();
    // One that is under way may bring the key; if it is a round's, it may also have begun before there was that key.
    wait_until_finished(&instance.issuer, deadline)?;
    let fetches = Fetches::of(&instance.issuer);
    let unchanged = trust::changes() == changes;
    if unchanged && !fetches.cooling_down() && !started_just_now(&instance.issuer) {
        start_fetch(&instance.issuer, &fetches, deadline)?;
    }
    wait_until_finished(&instance.issuer, deadline)?;
    Ok(trust::changes() != changes)
}

/// How often to look for a fetch that another session's worker is about to begin, or for a free slot: when many
/// sessions meet a new key at once, one worker does for all of them.
const LOOKS: u32 = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Whether the last fetch that a token caused has not brought keys, and nothing has since.
pub fn are_out_of_reach(instance: &Instance) -> bool {
    let fetches = Fetches::of(&instance.issuer);
    fetches.attempted_at > fetches.succeeded_at
}

/// Starts a worker, and returns when a fetch later than those in `before` has begun, by whichever worker.
fn start_fetch(issuer: &str, before: &Fetches, deadline: Option<Deadline>) -> Result<(), Fault> {
    let mut started = false;
    for _ in 0..LOOKS {
        if !started {
            match fetch_keys::start_for(issuer) {
                Ok(worker) => {
                    started = true;
                    note_start(issuer);
                    let longest = fetch_keys::longest();
                    worker.wait(deadline.map_or(longest, |deadline| deadline.left().min(longest)));
                }
                Err(Failure::NoSlot) => {}
                Err(failure) => return Err(failure.fault(&fetch_keys::TASK)),
            }
        }
        // Ours ends at once if another was first.
        if is_fetching(issuer) || Fetches::of(issuer) != *before {
            return Ok(());
        }
        refuse_to_wait_after(deadline)?;
        nap(BETWEEN_LOOKS);
    }
    // A worker that has not even begun cannot connect; the server log says why.
    if started { Ok(()) } else { Err(no_free_slot()) }
}

/// The issuers, by hash, for which this backend started a worker within the cool-down, and when.
static LAST_STARTS: BackendLocal<Vec<(i64, f64)>> = BackendLocal::new(Vec::new());

/// A second cool-down, of this backend alone: a worker that cannot even connect leaves no attempt behind, and forged
/// tokens must not start one after the other.
fn started_just_now(issuer: &str) -> bool {
    let (hash, now) = (issuer_hash(issuer), clock::now());
    let cooldown = settings::jwks_cooldown().as_secs_f64();
    LAST_STARTS.with(|starts| {
        starts.retain(|(_, at)| (now - at).abs() < cooldown);
        starts.iter().any(|(started, _)| *started == hash)
    })
}

fn note_start(issuer: &str) {
    let start = (issuer_hash(issuer), clock::now());
    LAST_STARTS.with(|starts| starts.push(start));
}

/// Whether a worker is fetching the instance's keys. One that has ended, however, has given its lock back.
fn is_fetching(issuer: &str) -> bool {
    fetch_lock(issuer_hash(issuer)).is_taken()
}

fn wait_until_finished(issuer: &str, deadline: Option<Deadline>) -> Result<(), Fault> {
    let longest = Instant::now() + fetch_keys::longest();
    while is_fetching(issuer) && Instant::now() < longest {
        refuse_to_wait_after(deadline)?;
        nap(BETWEEN_LOOKS);
    }
    // The worker's changes arrive as messages that are otherwise read at the start of a transaction.
    // SAFETY: allowed wherever locks may be taken.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    Ok(())
}

/// That the statement has no time left to wait says nothing of the token (08006), and PostgREST answers 503 for it.
fn refuse_to_wait_after(deadline: Option<Deadline>) -> Result<(), Fault> {
    if !deadline.is_some_and(Deadline::is_over) {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::JwkRemoteFailedToLoad,
        "no cached key fits the token, and newer ones did not come before statement_timeout would have ended the statement",
        "Send the request again: a worker goes on fetching them. If it keeps failing, clerk.jwks_fetches says why.",
    )
    .into())
}

const LOOK_EVERY_SECONDS: f64 = 30.0;

/// Starts a fetch, without waiting for it, if the instance's keys have not been confirmed for `clerk.jwks_max_age`:
/// so a key that Clerk withdrew goes away while tokens arrive. A backend looks up the age at most every 30 s.
pub fn refresh_if_old(instance: &Instance) {
    let now = clock::now();
    // A look that is due later than any could be was planned before the clock was set back.
    let not_due = now < instance.next_look.get() && instance.next_look.get() <= now + LOOK_EVERY_SECONDS;
    if not_due || instance.jwks_url.is_none() || !may_start_workers() {
        return;
    }
    instance.next_look.set(now + LOOK_EVERY_SECONDS);
    let fetches = Fetches::of(&instance.issuer);
    let max_age = settings::jwks_max_age();
    let fresh = fetches.younger_than(fetches.succeeded_at, max_age);
    let tried = fetches.younger_than(fetches.attempted_at, max_age) || fetches.cooling_down();
    if !fresh && !tried {
        // The keys at hand still verify; that no worker could be started now is no reason to refuse the token.
        let _ = fetch_keys::start_for(&instance.issuer);
    }
}

fn may_start_workers() -> bool {
    // SAFETY: both read state.
    unsafe { !pg_sys::IsInParallelMode() && !pg_sys::RecoveryInProgress() }
}

/// What to say when every slot for background workers is taken (53400).
fn no_free_slot() -> Fault {
    let fault = Failure::NoSlot.fault(&fetch_keys::TASK);
    fault.with_reason(Reason::JwkFailedToResolve)
}
