//! What is called, and how calls may end.

use std::collections::BTreeMap;
use std::fmt;

/// Every function that starts or asks a worker, at once or when its transaction commits, with the role that calls it. `{token}` is a
/// token of an unknown key.
pub const CALLS: &[(&str, &str)] = &[
    ("postgres", "SELECT clerk.refresh_jwks()"),
    ("postgres", "SELECT clerk.configure()"),
    ("postgres", "SELECT clerk.webhook_portal_url()"),
    ("postgres", "SELECT count(*) FROM clerk.doctor(online => true)"),
    // What it does at last.
    ("postgres", "SELECT clerk.ask_clerk(issuer, jwks_url, true) FROM clerk.instances"),
    ("postgres", "SELECT count(*) FROM clerk.doctor()"),
    ("postgres", "SELECT clerk.start_backfill()"),
    ("postgres", "SELECT clerk.start_backfill(restart => true)"),
    ("postgres", "CALL clerk.backfill()"),
    ("postgres", "SELECT clerk.start_reconcile()"),
    ("postgres", "SELECT clerk.start_reconcile(true, true)"),
    ("postgres", "CALL clerk.reconcile()"),
    ("postgres", "SELECT clerk.sync_user('user_storm')"),
    ("postgres", "SELECT clerk.sync_organization('org_storm')"),
    ("postgres", "SELECT clerk.follow_run(id) FROM clerk.sync_runs ORDER BY id DESC LIMIT 1"),
    ("postgres", "SELECT clerk.cancel_run(id) FROM clerk.sync_runs WHERE state IN ('queued', 'running')"),
    ("postgres", "SELECT clerk.maintain()"),
    // The keys are old and the events new, so that a worker is needed.
    ("postgres", "WITH old AS (UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '1 hour' RETURNING 1)
                  SELECT count(*) FROM old; SELECT clerk.maintain()"),
    ("postgres", "SELECT clerk.apply_event('{\"object\":\"event\",\"type\":\"user.created\",\"timestamp\":1,\"data\":{\"object\":\"user\",\"id\":\"user_storm\",\"created_at\":1,\"updated_at\":1}}', 'msg_' || random())"),
    ("postgres", "SELECT clerk.verify_jwt('{token}')"),
    ("anon", "SELECT clerk.authenticate('{token}')"),
    ("anon", "SELECT set_config('clerk.jwt', '{token}', false), clerk.current_user_id()"),
    // A token that PostgREST runs as anon is noted at the end of the transaction.
    ("anon", "SELECT set_config('request.jwt.claims', '{\"role\":\"anon\",\"sub\":\"user_storm\",\"sid\":\"sess_storm\",\"iss\":\"{issuer}\"}', true)"),
    // The cancel is caught, and the transaction goes on.
    ("postgres", "DO $$ BEGIN PERFORM clerk.refresh_jwks(); EXCEPTION WHEN query_canceled OR OTHERS THEN PERFORM 1; END $$"),
    ("postgres", "DO $$ BEGIN PERFORM clerk.webhook_portal_url(); EXCEPTION WHEN query_canceled OR OTHERS THEN PERFORM 1; END $$"),
    ("postgres", "DO $$ BEGIN PERFORM clerk.start_backfill(restart => true); PERFORM pg_sleep(0.01); EXCEPTION WHEN query_canceled OR OTHERS THEN PERFORM 1; END $$"),
];

/// How a call may end besides well: it is cancelled, waits in vain for a lock or a worker, or Clerk's answer is none.
const EXPECTED: &[&str] = &[
    "57014", // cancelled
    "55P03", "40P01", // locks
    "53400", "53300", // no worker can be had
    "55000", // a run was cancelled, or Clerk refused
    "08006", // the fetch failed
    "28000", // the token is refused
];

/// How calls ended, by SQLSTATE.
#[derive(Default)]
pub struct Outcomes(BTreeMap<(&'static str, String), (usize, String)>);

impl Outcomes {
    /// `Err` is SQLSTATE and message.
    pub fn note(&mut self, call: &'static str, outcome: Result<(), (String, String)>) {
        let (sqlstate, message) = outcome
            .err()
            .unwrap_or_else(|| ("00000".to_owned(), String::new()));
        let entry = self.0.entry((call, sqlstate)).or_insert((0, message));
        entry.0 += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (key, (count, message)) in &other.0 {
            let entry = self.0.entry(key.clone()).or_insert((0, message.clone()));
            entry.0 += count;
        }
    }

    /// # Panics
    /// If a call ended as none may, or if hardly any was cancelled.
    pub fn assert_plausible(&self) {
        let unexpected: Vec<_> = self
            .0
            .iter()
            .filter(|((_, sqlstate), _)| sqlstate != "00000" && !EXPECTED.contains(&sqlstate.as_str()))
            .collect();
        assert!(unexpected.is_empty(), "{unexpected:#?}");
        let all: usize = self.0.values().map(|(count, _)| count).sum();
        let cancelled = self.0.iter().filter(|((_, sqlstate), _)| sqlstate == "57014");
        let cancelled: usize = cancelled.map(|(_, (count, _))| count).sum();
        assert!(cancelled * 5 > all, "only {cancelled} of {all} were cancelled");
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((call, sqlstate), (count, message)) in &self.0 {
            let call: String = call
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .chars()
                .take(60)
                .collect();
            writeln!(f, "{count:6} {sqlstate} {call}: {message}")?;
        }
        Ok(())
    }
}

/// A generator of numbers that are random enough to choose by (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number less than `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % end
    }
}
