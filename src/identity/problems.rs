//! Counts what is wrong with the tokens that arrive, by instance and reason, for `clerk.status` and `clerk.doctor()`.
//!
//! A refusal rolls the transaction back, which may be read-only besides, and `anon` may not write. So each backend counts in its
//! own memory, and a background worker writes: the first time at once, and then at most every few seconds for the whole
//! database, whatever strangers send. It is started when a token is refused and when a later transaction of the backend ends.
//!
//! A token without a role claim is not refused. PostgREST runs it as `anon`: its owner is signed in and sees nothing, and policies
//! `TO authenticated` are not even asked. So the claims are looked at when a transaction ends, helper or no helper.

use std::ffi::{CStr, c_void};

use clerk_core::{Claims, Jwt, Reason};
use pgrx::prelude::*;

use super::resolve::Source;
use crate::catalog::{self, EXTENSION};
use crate::error::Fault;
use crate::operations::key_store::issuer_hash;
use crate::pg::backend_local::BackendLocal;
use crate::subtransaction::{attempt, sqlstate_text};
use crate::token::trust;
use crate::workers::note_problem;
use crate::{clock, settings};

/// Not refused, but run as `anon`.
const ROLE_MISSING: &str = "role-claim-missing";
/// Of the refusals for the authorized party those of tokens that name none: the mend is another.
const AZP_MISSING: &str = "azp-missing";

/// Shortest time between two notes of the whole database. Strangers can send anything.
const BETWEEN_NOTES: f64 = 10.0;
/// Shortest time between two looks of one backend at when the last note was.
const BETWEEN_LOOKS: f64 = 1.0;
/// Most problems that one backend counts apart.
const MOST: usize = 64;

const TABLE: &CStr = c"token_problems";

/// One problem, as often as this backend has seen it since it last had it written.
struct Counted {
    /// The instance's hash; None for none that is configured.
    issuer: Option<i64>,
    reason: &'static str,
    seen: u32,
}

struct Counts {
    problems: Vec<Counted>,
    /// When this backend last looked, in seconds since 1970.
    looked_at: f64,
}

static COUNTS: BackendLocal<Counts> = BackendLocal::new(Counts {
    problems: Vec::new(),
    looked_at: 0.0,
});

/// Counts that the caller's claims or token, as the settings have them, were refused.
pub fn count_refused_caller(fault: &Fault) {
    match Source::in_force(&trust::current()) {
        Source::Claims => count(
            fault,
            Claims::parse(&settings::request_claims().to_string_lossy()).ok(),
        ),
        Source::Token => count_refused(fault, &settings::request_token().to_string_lossy()),
    }
}

/// Counts that this token was refused.
pub fn count_refused(fault: &Fault, token: &str) {
    count(fault, Jwt::decode(token).ok().map(|jwt| jwt.claims));
}

/// Only what the token brought upon itself: not that keys are out of reach.
fn count(fault: &Fault, claims: Option<Claims>) {
    let code = fault
        .reason()
        .filter(|_| sqlstate_text(fault.sqlstate()).starts_with("28"));
    let Some(code) = code else { return };
    let names_no_party = claims.as_ref().is_some_and(|claims| claims.azp().is_none());
    let reason = match code == Reason::TokenInvalidAuthorizedParties.as_str() && names_no_party {
        true => AZP_MISSING,
        false => code,
    };
    let trust = trust::current();
    let instance = claims
        .as_ref()
        .and_then(Claims::iss)
        .and_then(|issuer| trust.instance(issuer));
    add(instance.map(|instance| issuer_hash(&instance.issuer)), reason);
    have_written();
}

fn add(issuer: Option<i64>, reason: &'static str) {
    COUNTS.with(|counts| {
        let problems = &mut counts.problems;
        let is_same = |known: &&mut Counted| known.issuer == issuer && known.reason == reason;
        if let Some(known) = problems.iter_mut().find(is_same) {
            known.seen = known.seen.saturating_add(1);
        } else if problems.len() < MOST {
            problems.push(Counted {
                issuer,
                reason,
                seen: 1,
            });
        }
    });
}

/// Registers the look at the end of every transaction, once per process.
pub fn watch_transactions() {
    // SAFETY: the callback is static.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

/// Before the commit, because afterwards the claims are gone and nothing can be looked up.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    if event != pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT {
        return;
    }
    let may_lack_role = may_be_without_role(&settings::request_claims());
    let is_due = COUNTS.with(|counts| !counts.problems.is_empty());
    if !(may_lack_role || is_due) || !may_start_workers() || !EXTENSION.has_member(TABLE) {
        return;
    }
    if may_lack_role {
        // The library may be preloaded into databases in which others have given things our names, and whatever goes wrong
        // here must not cost the transaction.
        if let Ok(Some(issuer)) = attempt(issuer_without_role) {
            add(Some(issuer), ROLE_MISSING);
        }
    }
    have_written();
}

/// A look that costs next to nothing. PostgREST writes claims anew, without spaces, with the role that it chose; Storage passes those of
/// the token, without spaces too, in which the role is missing.
fn may_be_without_role(claims: &CStr) -> bool {
    let claims = claims.to_bytes();
    let has = |needle: &[u8]| claims.windows(needle.len()).any(|window| window == needle);
    !claims.is_empty() && has(br#""sub":"user_"#) && !has(br#""role":"authenticated""#)
}

/// The instance, by hash, whose token runs as `anon`.
fn issuer_without_role() -> Option<i64> {
    let claims = Claims::parse(settings::request_claims().to_str().ok()?).ok()?;
    let trust = trust::current();
    let instance = trust.instance(claims.iss()?)?;
    let runs_as_anon = match claims.role() {
        Some(role) => role == "anon",
        None => catalog::current_role().name == "anon",
    };
    (runs_as_anon && claims.sid().is_some()).then(|| issuer_hash(&instance.issuer))
}

/// Only a client's sessions carry claims.
fn may_start_workers() -> bool {
    // SAFETY: read state of the backend.
    unsafe { !pg_sys::MyProcPort.is_null() && !pg_sys::IsInParallelMode() && !pg_sys::RecoveryInProgress() }
}

/// Has a worker write the problem that was seen most often, unless something was written just now. What is left over waits.
fn have_written() {
    let now = clock::now();
    // A time in the future, after the clock was set back, must not block it for ever.
    let is_due = COUNTS.with(|counts| {
        let is_due = !counts.problems.is_empty() && (now - counts.looked_at).abs() >= BETWEEN_LOOKS;
        if is_due {
            counts.looked_at = now;
        }
        is_due
    });
    if is_due && may_start_workers() && EXTENSION.has_member(TABLE) {
        let _ = attempt(write_one);
    }
}

fn write_one() {
    let noted: Vec<(TimestampWithTimeZone,)> = catalog::rows(&catalog::table(TABLE), [c"last_seen_at"]);
    let now = clock::now();
    let is_recent = |at: TimestampWithTimeZone| (now - clock::from_timestamp(at)).abs() < BETWEEN_NOTES;
    if noted.into_iter().any(|(at,)| is_recent(at)) {
        return;
    }
    let most = COUNTS.with(|counts| {
        let most = counts
            .problems
            .iter()
            .enumerate()
            .max_by_key(|(_, problem)| problem.seen);
        most.map(|(at, problem)| (at, problem.issuer, problem.reason, problem.seen))
    });
    let Some((at, issuer, reason, seen)) = most else {
        return;
    };
    if note_problem::start(issuer, reason, seen) {
        COUNTS.with(|counts| counts.problems.swap_remove(at));
    }
}
