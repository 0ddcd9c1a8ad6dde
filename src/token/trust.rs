//! What this backend believes: the configured instances, their keys and where identity comes from.
//!
//! Read from small tables and kept until one of them changes. Row triggers on those tables announce a change
//! as a relation cache invalidation, which reaches every backend and every hot standby at its next transaction.

use std::cell::{Cell, OnceCell};
use std::ffi::CStr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use clerk_core::{Jwk, Rules, VerifyingKey, quote};
use pgrx::prelude::*;

use crate::call::Call;
use crate::catalog;
use crate::error::Fault;
use crate::identity;
use crate::pg::backend_local::BackendLocal;
use crate::pg::relation::Table;
use crate::workers::wake::{wake_at_commit, wake_for_change_at_commit};

/// Where the identity helpers look; see `clerk.set_identity_source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentitySource {
    /// `request.jwt.claims` when it is set, else `clerk.jwt`.
    Auto,
    /// Only `clerk.jwt`.
    Token,
    /// Only `request.jwt.claims`.
    Claims,
}

impl IdentitySource {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "token" => Some(Self::Token),
            "claims" => Some(Self::Claims),
            _ => None,
        }
    }
}

/// What `clerk.pre_request()` asks of a request; see `clerk.configure_requests`.
#[derive(Debug)]
pub struct RequestRules {
    /// Whether tokens of anybody but Clerk are refused.
    pub only_clerk: bool,
    /// Roles that such tokens may have all the same.
    pub exempt_roles: Vec<String>,
    /// Header in which a Clerk token may come, in lower case.
    pub token_header: Option<String>,
    /// The role of requests without a token.
    pub anonymous_role: String,
    /// The role of requests that are signed in by `token_header`.
    pub signed_in_role: String,
}

/// One row of `clerk.instances`.
#[derive(Debug)]
pub struct Instance {
    /// The name of the instance, and the `iss` of its tokens.
    pub issuer: String,
    /// `issuer` and every other issuer the instance answers to.
    issuers: Vec<String>,
    pub jwks_url: Option<String>,
    authorized_parties: Vec<String>,
    allow_missing_azp: bool,
    audiences: Vec<String>,
    accept_template_tokens: bool,
    pub treat_pending_as_signed_out: bool,
    /// When the age of the keys is to be looked at next, in seconds since 1970.
    pub next_look: Cell<f64>,
}

impl Instance {
    /// The instance's part of what a token must satisfy.
    pub fn rules(&self) -> Rules<'_> {
        Rules {
            issuers: &self.issuers,
            authorized_parties: &self.authorized_parties,
            allow_missing_azp: self.allow_missing_azp,
            audiences: &self.audiences,
            accept_template_tokens: self.accept_template_tokens,
        }
    }
}

/// A row of `clerk.jwks`, made ready for use at its first use.
struct Key {
    issuer: String,
    jwk: Jwk,
    ready: OnceCell<Option<VerifyingKey>>,
}

impl Key {
    /// The table holds only keys that `parse_jwks` let through, so a key that cannot be used was written by hand; it
    /// counts as absent.
    fn ready(&self) -> Option<&VerifyingKey> {
        self.ready
            .get_or_init(|| VerifyingKey::from_jwk(&self.jwk).ok())
            .as_ref()
    }
}

/// A consistent reading of the tables about trust.
pub struct Trust {
    instances: Vec<Instance>,
    keys: Vec<Key>,
    pub source: IdentitySource,
    pub requests: RequestRules,
    /// How far our clock and Clerk's may be apart, in seconds.
    pub clock_skew: f64,
}

impl Trust {
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// The instance that a token's `iss` names.
    pub fn instance(&self, issuer: &str) -> Option<&Instance> {
        self.instances
            .iter()
            .find(|instance| instance.issuers.iter().any(|known| known == issuer))
    }

    /// The instance's key of that id. Keys are never found by id alone: Clerk's key id is the instance's id, and two
    /// instances must not vouch for each other.
    pub fn key(&self, instance: &Instance, kid: &str) -> Option<&VerifyingKey> {
        self.keys
            .iter()
            .find(|key| key.issuer == instance.issuer && key.jwk.kid == kid)?
            .ready()
    }
}

/// Counts changes of the watched tables. A reading belongs to the count that was taken before it began.
static CHANGES: AtomicU64 = AtomicU64::new(1);
/// The tables of the last reading, for the invalidation callback, which must not look anything up.
static WATCHED: [AtomicU32; 5] = [const { AtomicU32::new(0) }; 5];
/// The last two are read by `mirror::setup`, whose reading hangs on the same count.
static TABLES: [&CStr; 5] = [c"instances", c"jwks", c"settings", c"secrets", c"event_handlers"];

struct Reading {
    changes: u64,
    trust: Option<Rc<Trust>>,
}

static READING: BackendLocal<Reading> = BackendLocal::new(Reading {
    changes: 0,
    trust: None,
});

/// How often the tables are known to have changed; whatever is derived from `current` hangs on this number.
pub fn changes() -> u64 {
    CHANGES.load(Ordering::Relaxed)
}

/// The current reading, from the cache if nothing has changed.
pub fn current() -> Rc<Trust> {
    let before = changes();
    let cached = READING.with(|reading| reading.trust.clone().filter(|_| reading.changes == before));
    if let Some(trust) = cached {
        return trust;
    }
    let trust = Rc::new(read());
    READING.with(|reading| {
        *reading = Reading {
            changes: before,
            trust: Some(trust.clone()),
        }
    });
    trust
}

fn read() -> Trust {
    // Before any is read: a change that comes in between counts.
    for (watched, name) in WATCHED.iter().zip(TABLES) {
        watched.store(catalog::oid_of(name).to_u32(), Ordering::Relaxed);
    }
    let [instances, keys, settings, ..] = TABLES;
    let (source, requests, clock_skew) = read_settings(&catalog::table(settings));
    Trust {
        instances: read_instances(&catalog::table(instances)),
        keys: read_keys(&catalog::table(keys)),
        source,
        requests,
        clock_skew,
    }
}

fn read_instances(table: &Table) -> Vec<Instance> {
    type Row = (
        String,
        Vec<String>,
        Option<String>,
        Vec<String>,
        bool,
        Vec<String>,
        bool,
        bool,
    );
    let columns = [
        c"issuer",
        c"other_issuers",
        c"jwks_url",
        c"authorized_parties",
        c"allow_missing_azp",
        c"audiences",
        c"accept_template_tokens",
        c"treat_pending_as_signed_out",
    ];
    let rows: Vec<Row> = catalog::rows(table, columns);
    let instance = |row: Row| {
        let (
            issuer,
            other_issuers,
            jwks_url,
            authorized_parties,
            allow_missing_azp,
            audiences,
            templates,
            pending,
        ) = row;
        Instance {
            issuers: [vec![issuer.clone()], other_issuers].concat(),
            issuer,
            jwks_url,
            authorized_parties,
            allow_missing_azp,
            audiences,
            accept_template_tokens: templates,
            treat_pending_as_signed_out: pending,
            next_look: Cell::new(0.0),
        }
    };
    rows.into_iter().map(instance).collect()
}

fn read_keys(table: &Table) -> Vec<Key> {
    type Row = (String, String, Option<String>, String, String);
    let rows: Vec<Row> = catalog::rows(table, [c"issuer", c"kid", c"alg", c"n", c"e"]);
    let key = |(issuer, kid, alg, n, e): Row| Key {
        issuer,
        jwk: Jwk { kid, alg, n, e },
        ready: OnceCell::new(),
    };
    rows.into_iter().map(key).collect()
}

fn read_settings(table: &Table) -> (IdentitySource, RequestRules, f64) {
    type Row = (String, bool, Vec<String>, String, String, String, i32);
    let columns = [
        c"identity_source",
        c"only_clerk",
        c"exempt_roles",
        c"token_header",
        c"anonymous_role",
        c"signed_in_role",
        c"clock_skew_seconds",
    ];
    let (source, only_clerk, exempt_roles, token_header, anonymous_role, signed_in_role, clock_skew): Row =
        catalog::only_row(table, columns);
    let source = IdentitySource::parse(&source).unwrap_or_else(|| {
        Fault::prerequisite(
            format!(
                "clerk.settings holds the unknown identity source {}",
                quote(&source)
            ),
            "Run SELECT clerk.set_identity_source('auto').",
        )
        .raise()
    });
    let requests = RequestRules {
        only_clerk,
        exempt_roles,
        token_header: Some(token_header).filter(|name| !name.is_empty()),
        anonymous_role,
        signed_in_role,
    };
    (source, requests, f64::from(clock_skew))
}

/// Registers the invalidation callback, once per process.
pub fn watch_for_changes() {
    // SAFETY: the callback is static and only counts.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0)) };
}

/// Called for every relation whose definition, or whose announced content, changed; `InvalidOid` means all.
unsafe extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    let oid = relation.to_u32();
    if oid == 0
        || WATCHED
            .iter()
            .any(|watched| watched.load(Ordering::Relaxed) == oid)
    {
        CHANGES.fetch_add(1, Ordering::Relaxed);
        identity::stamp::bump();
    }
}

crate::c_function!(clerk_trust_changed, trust_changed);

/// The row trigger on the watched tables: announces that the table's content changed.
fn trust_changed(call: &Call) -> Option<pg_sys::Datum> {
    // SAFETY: a trigger is called with TriggerData as its context; CacheInvalidateRelcache only queues a message that
    // is sent at commit.
    unsafe {
        let data = call.trigger().unwrap_or_else(|| {
            Fault::argument("clerk.trust_changed() can only be called as a trigger", "").raise()
        });
        pg_sys::CacheInvalidateRelcache((*data).tg_relation);
        // New instances, keys and secrets are work for the next round of maintenance, which need not wait for its time. What a
        // background worker changes, such as keys that it fetched, is no reason why rounds that failed should succeed.
        if pg_sys::MyBgworkerEntry.is_null() {
            wake_for_change_at_commit();
        } else {
            wake_at_commit(Duration::ZERO);
        }
        Some(pg_sys::Datum::from(std::ptr::null_mut::<std::ffi::c_void>()))
    }
}
