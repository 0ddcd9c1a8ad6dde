//! Notices tokens that arrive without a role claim.
//!
//! PostgREST runs such a token as `anon`. Its owner is signed in and sees nothing, and nothing says why: policies `TO
//! authenticated` are not even asked. So the claims are looked at when a transaction ends, helper or no helper, and
//! `clerk.doctor()` tells. Noting it takes a worker, because the transaction may be read-only and `anon` may not write.

use std::ffi::{CStr, c_void};

use clerk_core::Claims;
use pgrx::prelude::*;

use crate::catalog::{self, EXTENSION};
use crate::pg::backend_local::BackendLocal;
use crate::subtransaction::attempt;
use crate::token::trust;
use crate::workers::note_missing_role;
use crate::{clock, settings};

/// How often one backend looks closely, and how often it is noted, for all of them. Strangers who may run SQL can claim
/// anything.
const SECONDS: f64 = 60.0;

const TABLE: &CStr = c"tokens_without_role";

/// When this backend last looked closely, in seconds since 1970.
static LOOKED_AT: BackendLocal<f64> = BackendLocal::new(0.0);

/// Registers the look at the end of every transaction, once per process.
pub fn watch_transactions() {
    // SAFETY: the callback is static.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

/// Before the commit, because afterwards the claims are gone and nothing can be looked up.
#[pg_guard]
unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    if event != pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT || !may_be_without_role(&settings::request_claims())
    {
        return;
    }
    let now = clock::statement_time();
    let is_due = LOOKED_AT.with(|at| is_due(at, now));
    // SAFETY: read state of the backend; only a client's sessions carry claims.
    let may_start = unsafe {
        !pg_sys::MyProcPort.is_null() && !pg_sys::IsInParallelMode() && !pg_sys::RecoveryInProgress()
    };
    // The library may be preloaded into databases without the extension, in which others may have given things our names.
    if !is_due || !may_start || !EXTENSION.has_member(TABLE) {
        return;
    }
    // Whatever goes wrong with a note must not cost the transaction.
    let _ = attempt(note);
}

/// Whether a backend that last looked closely at `last` looks again at `now`; notes it then. What comes in between does not put the
/// next look off. A clock that was set back must not block it for ever.
fn is_due(last: &mut f64, now: f64) -> bool {
    let is_due = (now - *last).abs() >= SECONDS;
    if is_due {
        *last = now;
    }
    is_due
}

/// A look that costs next to nothing. PostgREST writes claims anew, without spaces, with the role that it chose.
fn may_be_without_role(claims: &CStr) -> bool {
    let claims = claims.to_bytes();
    let has = |needle: &[u8]| claims.windows(needle.len()).any(|window| window == needle);
    !claims.is_empty() && has(br#""role":"anon""#) && has(br#""sub":"user_"#)
}

fn note() {
    let Some(issuer) = issuer_without_role() else {
        return;
    };
    let mut noted_at = f64::NEG_INFINITY;
    let rows: Vec<(String, TimestampWithTimeZone)> =
        catalog::rows(&catalog::table(TABLE), [c"issuer", c"last_seen_at"]);
    for (_, last_seen_at) in rows.into_iter().filter(|(of, _)| *of == issuer) {
        noted_at = clock::from_timestamp(last_seen_at);
    }
    // A time in the future, after the clock was set back, must not block it for ever.
    if (clock::now() - noted_at).abs() >= SECONDS {
        note_missing_role::start_at_commit(&issuer);
    }
}

/// The instance whose token runs as `anon`.
fn issuer_without_role() -> Option<String> {
    let claims = Claims::parse(settings::request_claims().to_str().ok()?).ok()?;
    let trust = trust::current();
    let instance = trust.instance(claims.iss()?)?;
    (claims.role() == Some("anon") && claims.sid().is_some()).then(|| instance.issuer.clone())
}

#[cfg(test)]
mod unit {
    use super::is_due;

    #[test]
    fn a_busy_session_looks_once_a_minute() {
        let mut last = 0.0;
        let looks: Vec<u32> = (0..200)
            .filter(|second| is_due(&mut last, 1_800_000_000.0 + f64::from(*second)))
            .collect();
        assert_eq!(looks, [0, 60, 120, 180]);
        assert!(is_due(&mut last, 1_700_000_000.0), "the clock was set back");
    }
}
