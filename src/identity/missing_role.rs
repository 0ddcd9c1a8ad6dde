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
    let looked_just_now = LOOKED_AT.with(|at| (now - std::mem::replace(at, now)).abs() < SECONDS);
    // SAFETY: read state of the backend; only a client's sessions carry claims.
    let may_start = unsafe {
        !pg_sys::MyProcPort.is_null() && !pg_sys::IsInParallelMode() && !pg_sys::RecoveryInProgress()
    };
    // The library may be preloaded into databases without the extension, in which others may have given things our names.
    if looked_just_now || !may_start || !EXTENSION.has_member(TABLE) {
        return;
    }
    // Whatever goes wrong with a note must not cost the transaction.
    let _ = attempt(note);
}

/// A look that costs next to nothing. PostgREST writes claims anew, without spaces, with the role that it chose; Storage passes those of
/// the token, without spaces too, in which the role is missing.
fn may_be_without_role(claims: &CStr) -> bool {
    let claims = claims.to_bytes();
    let has = |needle: &[u8]| claims.windows(needle.len()).any(|window| window == needle);
    !claims.is_empty() && has(br#""sub":"user_"#) && !has(br#""role":"authenticated""#)
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
    let runs_as_anon = match claims.role() {
        Some(role) => role == "anon",
        None => catalog::current_role().name == "anon",
    };
    (runs_as_anon && claims.sid().is_some()).then(|| instance.issuer.clone())
}
