//! The caller's identity and the values already made from it, valid until the stamp changes.

use std::ffi::CString;

use pgrx::prelude::*;

use super::resolve::{Identity, resolve};
use super::{datums, expiry, problems, stamp};
use crate::call::Call;
use crate::pg::backend_local::BackendLocal;
use crate::settings;
use crate::token::verified::Credential;

/// A value that a helper answers with.
#[derive(Debug, Clone, Copy)]
#[repr(usize)]
pub enum Answer {
    UserId,
    SessionId,
    OrgId,
    OrgSlug,
    OrgRole,
    OrgPermissions,
    ActorId,
    ActorType,
}

const ANSWERS: usize = 8;

#[derive(Clone, Copy)]
enum Slot {
    Unmade,
    Null,
    Value(pg_sys::Datum),
}

struct Current {
    /// The stamp that all of this belongs to; 0 for none.
    stamp: u64,
    /// Whether each call must judge the token's times.
    judge_time: bool,
    identity: Identity,
    slots: [Slot; ANSWERS],
    /// The claims as they were, when no hook tells of their change.
    bytes: Option<CString>,
}

static CURRENT: BackendLocal<Current> = BackendLocal::new(Current {
    stamp: 0,
    judge_time: false,
    identity: None,
    slots: [Slot::Unmade; ANSWERS],
    bytes: None,
});

/// The value if it is at hand and certainly valid: this is all that most rows pay for.
#[inline(always)]
pub fn at_hand(answer: Answer) -> Option<Option<pg_sys::Datum>> {
    if !settings::owns_request_claims() {
        return None;
    }
    // Not guarded against errors, so it must not raise: who finds nothing here asks again where that is allowed.
    CURRENT.try_with(|current| {
        if current.stamp != stamp::now() || current.judge_time {
            return None;
        }
        match current.slots[answer as usize] {
            Slot::Unmade => None,
            Slot::Null => Some(None),
            Slot::Value(datum) => Some(Some(datum)),
        }
    })?
}

/// The stamp under which answers may be remembered elsewhere without being judged again; None if every call must ask.
#[inline(always)]
pub fn lasting_stamp() -> Option<u64> {
    let stamp = stamp::now();
    CURRENT.try_with(|current| {
        (settings::owns_request_claims() && current.stamp == stamp && !current.judge_time).then_some(stamp)
    })?
}

/// The value, worked out if need be. Raises what the identity is refused for.
pub fn get(answer: Answer, call: &Call) -> Option<pg_sys::Datum> {
    let credential = identity(call)?;
    match CURRENT.with(|current| current.slots[answer as usize]) {
        Slot::Value(datum) => Some(datum),
        Slot::Null => None,
        Slot::Unmade => {
            let made = make(answer, &credential).map(datums::keep);
            let slot = made.map_or(Slot::Null, Slot::Value);
            CURRENT.with(|current| current.slots[answer as usize] = slot);
            made
        }
    }
}

/// The caller's identity, good for this call. Raises what it is refused for.
pub fn identity(call: &Call) -> Identity {
    refresh();
    let credential = CURRENT.with(|current| current.identity.clone())?;
    if let Err(refusal) = expiry::judge(&credential, call) {
        let fault = crate::error::Fault::from(refusal);
        problems::count_refused_caller(&fault);
        fault.raise();
    }
    Some(credential)
}

fn refresh() {
    settings::define_request_claims();
    let stamp = stamp::now();
    if CURRENT.with(|current| current.stamp == stamp && unchanged(current)) {
        return;
    }
    // A refused identity is not remembered: the next call is refused anew.
    let identity = resolve().unwrap_or_else(|fault| {
        forget();
        problems::count_refused_caller(&fault);
        fault.raise()
    });
    let bytes = (!settings::owns_request_claims()).then(settings::request_claims);
    datums::mark_stale();
    CURRENT.with(|current| {
        let judge_time = identity
            .as_ref()
            .is_some_and(|credential| credential.times.is_some());
        let empty = if identity.is_some() {
            Slot::Unmade
        } else {
            Slot::Null
        };
        *current = Current {
            stamp,
            judge_time,
            identity,
            slots: [empty; ANSWERS],
            bytes,
        };
    });
}

fn unchanged(current: &Current) -> bool {
    match &current.bytes {
        Some(bytes) => settings::request_claims_are(bytes),
        None => true,
    }
}

/// Drops everything; the next call works it out again.
pub fn forget() {
    let former = CURRENT.with(|current| {
        current.stamp = 0;
        current.slots = [Slot::Unmade; ANSWERS];
        current.identity.take()
    });
    drop(former);
}

fn make(answer: Answer, credential: &Credential) -> Option<pg_sys::Datum> {
    let session = credential.session();
    let org = session.org.as_ref();
    match answer {
        Answer::UserId => session.user_id.as_str().into_datum(),
        Answer::SessionId => session.session_id.as_deref().into_datum(),
        Answer::OrgId => org?.id.as_str().into_datum(),
        Answer::OrgSlug => org?.slug.as_deref().into_datum(),
        Answer::OrgRole => org?.role.as_deref().into_datum(),
        Answer::OrgPermissions => org?.permissions.clone().into_datum(),
        Answer::ActorId => session.actor_id.as_deref().into_datum(),
        Answer::ActorType => session.actor_type?.as_str().into_datum(),
    }
}
