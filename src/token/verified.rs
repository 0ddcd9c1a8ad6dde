//! The tokens that this backend has verified, so that each is verified once.
//!
//! What is kept are claims, never a verdict that depends on time: `exp`, `nbf` and `iat` are judged at every use, those of the
//! caller's token by `identity::expiry`.

use std::cell::OnceCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use clerk_core::{Claims, Refusal, SessionClaims, TokenType, Validity};
use lru::LruCache;
use pgrx::prelude::*;

use super::trust;
use crate::pg::backend_local::BackendLocal;
use crate::{clock, json, settings};

/// Claims that passed every check that does not depend on time.
pub struct Credential {
    pub token_type: TokenType,
    pub claims: Claims,
    /// The claims as JSON text, as they came.
    pub payload: String,
    /// None for claims that somebody else judges in time: PostgREST did, before it set `request.jwt.claims`.
    pub times: Option<Validity>,
    session: OnceCell<SessionClaims>,
    jsonb: OnceCell<Box<[u8]>>,
}

impl Credential {
    pub fn new(token_type: TokenType, claims: Claims, payload: String, times: Option<Validity>) -> Self {
        let (session, jsonb) = (OnceCell::new(), OnceCell::new());
        Self {
            token_type,
            claims,
            payload,
            times,
            session,
            jsonb,
        }
    }

    /// What the claims say about a user's session. Worked out once, and only for those who ask.
    pub fn session(&self) -> &SessionClaims {
        self.session.get_or_init(|| SessionClaims::new(&self.claims))
    }

    /// The claims as jsonb, in the current memory context. Parsed once.
    pub fn claims_as_jsonb(&self) -> pg_sys::Datum {
        json::to_datum(self.jsonb.get_or_init(|| json::to_jsonb(&self.payload)))
    }

    /// Whether the credential was good when the running statement began.
    pub fn judge_time(&self) -> Result<(), Refusal> {
        match &self.times {
            Some(times) => times.judge(clock::statement_time()),
            None => Ok(()),
        }
    }
}

/// The end of a token: bytes of its signature, so as good as random among tokens that verified, and quicker to hash than
/// a whole token. Two tokens that share it only push each other out.
type Tail = [u8; 32];

fn tail(token: &str) -> Option<Tail> {
    token.as_bytes().last_chunk().copied()
}

struct Entry {
    token: Box<str>,
    credential: Rc<Credential>,
}

struct Cache {
    /// The trust that the entries were verified under.
    changes: u64,
    entries: Option<LruCache<Tail, Entry>>,
}

static CACHE: BackendLocal<Cache> = BackendLocal::new(Cache {
    changes: 0,
    entries: None,
});

/// The credential of a token that was verified before as this type, under the trust that still holds.
pub fn look_up(token: &str, token_type: TokenType) -> Option<Rc<Credential>> {
    let changes = trust::changes();
    CACHE.with(|cache| {
        if cache.changes != changes {
            return None;
        }
        let found = cache.entries.as_mut()?.get(&tail(token)?)?;
        let same = *found.token == *token && found.credential.token_type == token_type;
        same.then(|| found.credential.clone())
    })
}

/// Remembers a credential that was verified under the trust of `changes`.
pub fn remember(token: &str, credential: &Rc<Credential>, changes: u64) {
    let Some(tail) = tail(token) else { return };
    let size = NonZeroUsize::new(settings::token_cache_size()).unwrap_or(NonZeroUsize::MIN);
    let entry = Entry {
        token: token.into(),
        credential: credential.clone(),
    };
    CACHE.with(|cache| {
        let entries = cache.entries.get_or_insert_with(|| LruCache::new(size));
        if cache.changes != changes {
            entries.clear();
            cache.changes = changes;
        }
        if entries.cap() != size {
            entries.resize(size);
        }
        entries.put(tail, entry);
    });
}
