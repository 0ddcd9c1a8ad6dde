//! Every setting (GUC) of ours, with one typed getter each, and the two settings that carry the caller's identity.
//!
//! Settings that decide whom we trust are not here: they live in tables, because a GUC can be set by its user.

use std::ffi::{CStr, CString, c_char, c_void};
use std::time::Duration;

use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::error::Fault;
use crate::identity;
use crate::pg::announced_setting::AnnouncedSetting;

/// Defining the name lets the helpers learn of a change from an assign hook instead of comparing bytes per row.
/// Read until the name is defined: `off` leaves it to another extension.
static OWN_REQUEST_CLAIMS: GucSetting<bool> = GucSetting::<bool>::new(true);
/// 5 s: time for two tries that are not answered; a caller waits at most this long for a new key.
static HTTP_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5_000);
/// 30 s: a page of 500 users that takes longer is asked for again, and nobody but a worker waits for it.
static API_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
/// Unset: Mozilla's roots, compiled in, so that a container without a CA bundle works.
static HTTP_CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Unset: no proxy. The environment's proxy variables are never read.
static HTTP_PROXY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// Off: keys fetched over plain http could be anybody's. For tests against a stand-in on this machine only.
static ALLOW_HTTP_LOOPBACK: GucSetting<bool> = GucSetting::<bool>::new(false);
/// 30 s: how long forged tokens must wait before they can cause another fetch.
static JWKS_COOLDOWN: GucSetting<i32> = GucSetting::<i32>::new(30);
/// 5 min, as in Clerk's own SDK: where there is no maintenance, a key that Clerk withdrew is dropped by the first new token after that.
static JWKS_MAX_AGE: GucSetting<i32> = GucSetting::<i32>::new(300);
/// 256 tokens of about 3 KB: a pooled backend rarely sees more distinct tokens within their 60 s of life.
static TOKEN_CACHE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(256);
/// 30 s: handlers are called one after the other, so one that hangs delays the others by this much at each attempt.
static HANDLER_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
/// 60 s: what can be done once a minute by pg_cron as well. A round that finds nothing to do takes some ten milliseconds.
static MAINTAIN_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(60);
/// 10 min: a round is done in seconds, and one that hangs keeps its database, and in the end the others, from having any.
static MAINTAIN_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(600);

/// How long one fetch of keys may take in all, tries and waits between them included.
pub fn http_timeout() -> Duration {
    Duration::from_millis(HTTP_TIMEOUT.get() as u64)
}

/// How long one request to the Backend API may take in all.
pub fn api_timeout() -> Duration {
    Duration::from_millis(API_TIMEOUT.get() as u64)
}

/// File of PEM certificates to trust instead of the compiled-in roots.
pub fn http_ca_file() -> Option<String> {
    text(&HTTP_CA_FILE)
}

/// Proxy as `http://[user:password@]host:port`. A secret: it may hold a password.
pub fn http_proxy() -> Option<String> {
    text(&HTTP_PROXY)
}

/// Whether Clerk may be asked over plain http on this machine.
pub fn allow_http_loopback() -> bool {
    ALLOW_HTTP_LOOPBACK.get()
}

/// Shortest time between two fetches of one instance's keys that tokens cause.
pub fn jwks_cooldown() -> Duration {
    Duration::from_secs(JWKS_COOLDOWN.get() as u64)
}

/// Age at which keys are fetched again while tokens arrive. Rounds of maintenance do not ask.
pub fn jwks_max_age() -> Duration {
    Duration::from_secs(JWKS_MAX_AGE.get() as u64)
}

/// How many verified tokens a backend remembers.
pub fn token_cache_size() -> usize {
    TOKEN_CACHE_SIZE.get() as usize
}

/// Longest time that one call of an event handler may take.
pub fn handler_timeout() -> Duration {
    Duration::from_millis(HANDLER_TIMEOUT.get() as u64)
}

/// Time from one round of maintenance to the next; None if the launcher is to start none.
pub fn maintain_interval() -> Option<Duration> {
    match MAINTAIN_INTERVAL.get() {
        0 => None,
        seconds => Some(Duration::from_secs(seconds as u64)),
    }
}

/// How long a round of maintenance that the launcher started may take.
pub fn maintain_timeout() -> Duration {
    Duration::from_secs(MAINTAIN_TIMEOUT.get() as u64)
}

fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    setting
        .get()
        .and_then(|value| value.into_string().ok())
        .filter(|value| !value.is_empty())
}

static CLAIMS: AnnouncedSetting = AnnouncedSetting::new(
    c"request.jwt.claims",
    c"Claims of the caller's token, set by PostgREST after verifying it.",
    identity_setting_changed,
);
static TOKEN: AnnouncedSetting = AnnouncedSetting::new(
    c"clerk.jwt",
    c"Clerk session token of the caller, verified at every use.",
    identity_setting_changed,
);

/// Whether a change of `request.jwt.claims` is announced by our hook. If not, readers compare bytes.
#[inline(always)]
pub fn owns_request_claims() -> bool {
    CLAIMS.is_announced()
}

/// Defines `request.jwt.claims` if that is wanted. At the first use of an identity in a session, not when the library is loaded:
/// a session that does not use the extension must not see '' where it saw NULL.
#[inline]
pub fn define_request_claims() {
    if !owns_request_claims() && OWN_REQUEST_CLAIMS.get() {
        CLAIMS.define();
    }
}

/// `request.jwt.claims` as it is now; empty when it was never set.
pub fn request_claims() -> CString {
    // SAFETY: copied before anything else runs.
    unsafe { CLAIMS.value() }.to_owned()
}

/// Whether `request.jwt.claims` has a value other than the empty text.
pub fn has_request_claims() -> bool {
    // SAFETY: read before anything else runs.
    unsafe { !CLAIMS.value().is_empty() }
}

/// Whether `request.jwt.claims` has this value. Costs a comparison and no copy.
pub fn request_claims_are(value: &CStr) -> bool {
    // SAFETY: compared before anything else runs.
    unsafe { CLAIMS.value() == value }
}

/// `request.headers` as it is now, a JSON object if PostgREST has set it.
pub fn request_headers() -> CString {
    // SAFETY: a missing name is allowed and gives NULL; anything else is a NUL-terminated string, copied before anything else runs.
    unsafe {
        let headers = pg_sys::GetConfigOption(c"request.headers".as_ptr(), true, false);
        if headers.is_null() {
            c""
        } else {
            CStr::from_ptr(headers)
        }
        .to_owned()
    }
}

/// `clerk.jwt` as it is now; empty when it was never set.
pub fn request_token() -> CString {
    // SAFETY: copied before anything else runs.
    unsafe { TOKEN.value() }.to_owned()
}

/// Whether `clerk.jwt` has a value other than the empty text.
pub fn has_request_token() -> bool {
    // SAFETY: read before anything else runs.
    unsafe { !TOKEN.value().is_empty() }
}

/// Sets `clerk.jwt` until the end of the transaction, as `SET LOCAL` does.
pub fn set_request_token(token: &CStr) {
    // SAFETY: our own setting, a NUL-terminated value, and the caller is in a transaction.
    unsafe {
        pg_sys::set_config_option(
            c"clerk.jwt".as_ptr(),
            token.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

/// A setting of the library's own that is first defined in parallel mode silently loses the value it already had, for the rest of
/// the session. Better no answer than one by other settings.
pub fn refuse_parallel_mode() {
    // SAFETY: reads backend state.
    if unsafe { pg_sys::IsInParallelMode() } {
        Fault::prerequisite(
            "clerk_sync cannot be loaded in the middle of a parallel query",
            "Add clerk_sync to session_preload_libraries, or call one of its functions once before this query.",
        )
        .raise();
    }
}

/// Defines every setting but `request.jwt.claims`, see [`define_request_claims`]. Nothing here reads a table or opens a connection: it also runs in the postmaster.
pub fn define() {
    define_own();
    TOKEN.define();
    if !TOKEN.is_announced() {
        Fault::prerequisite(
            "another library has defined the setting clerk.jwt",
            "Load clerk_sync before it, or do not load it.",
        )
        .raise();
    }
    // SAFETY: a NUL-terminated string, which is copied.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"clerk".as_ptr()) };
}

fn define_own() {
    let plain = GucFlags::default();
    GucRegistry::define_bool_guc(
        c"clerk.own_request_claims",
        c"Define request.jwt.claims, which makes the helpers fast.",
        c"Read until a session first asks who is signed in. Turn off if another extension that defines the same name loads later than that.",
        &OWN_REQUEST_CLAIMS,
        GucContext::Suset,
        plain,
    );
    GucRegistry::define_int_guc(
        c"clerk.http_timeout",
        c"Longest time one fetch of an instance's keys may take in all.",
        c"Tries and the waits between them included.",
        &HTTP_TIMEOUT,
        100,
        60_000,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"clerk.api_timeout",
        c"Longest time one request to Clerk's Backend API may take in all.",
        c"Read by the background workers that make the requests.",
        &API_TIMEOUT,
        100,
        600_000,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_string_guc(
        c"clerk.http_ca_file",
        c"PEM file of certificate authorities to trust instead of the compiled-in ones.",
        c"",
        &HTTP_CA_FILE,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"clerk.http_proxy",
        c"Proxy for requests to Clerk, as http://[user:password@]host:port.",
        c"",
        &HTTP_PROXY,
        GucContext::Suset,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_bool_guc(
        c"clerk.allow_http_loopback",
        c"Allow plain http to this machine, for tests.",
        c"",
        &ALLOW_HTTP_LOOPBACK,
        GucContext::Suset,
        plain,
    );
    GucRegistry::define_int_guc(
        c"clerk.jwks_cooldown",
        c"Shortest time between two fetches of an instance's keys that tokens cause.",
        c"",
        &JWKS_COOLDOWN,
        1,
        86_400,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"clerk.jwks_max_age",
        c"Age at which a new token has cached keys fetched again.",
        c"Rounds of maintenance fetch them every time, whatever this says.",
        &JWKS_MAX_AGE,
        1,
        86_400,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"clerk.token_cache_size",
        c"Number of verified tokens that a backend remembers.",
        c"",
        &TOKEN_CACHE_SIZE,
        1,
        10_000,
        GucContext::Suset,
        plain,
    );
    GucRegistry::define_int_guc(
        c"clerk.handler_timeout",
        c"Longest time one call of an event handler may take.",
        c"A call that takes longer is cancelled, and made again later. Read by the background worker that makes the calls.",
        &HANDLER_TIMEOUT,
        10,
        3_600_000,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"clerk.maintain_interval",
        c"Time between two rounds of maintenance in each database that has the extension; 0 turns them off.",
        c"Only where the library is in shared_preload_libraries.",
        &MAINTAIN_INTERVAL,
        0,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"clerk.maintain_timeout",
        c"Longest time a round of maintenance may take that the launcher started.",
        c"It is ended then, and the database has its next one after the same time.",
        &MAINTAIN_TIMEOUT,
        1,
        86_400,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// Fires at SET, SET LOCAL, set_config, rollback, and when a parallel worker restores its leader's settings. It
/// may run while a transaction aborts, so it only counts.
unsafe extern "C-unwind" fn identity_setting_changed(_value: *const c_char, _extra: *mut c_void) {
    identity::stamp::bump();
}
