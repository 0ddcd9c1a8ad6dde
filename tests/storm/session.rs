//! A session that makes one call after the other, most of which are cancelled.

use clerk_sim::{Simulator, Token};
use clerk_tests::{Sql, TestDb};
use postgres::Client;
use postgres::error::SqlState;

use crate::calls::{CALLS, Outcomes, Random};
use crate::left_behind::Held;

pub struct Session<'a> {
    client: Client,
    pid: i32,
    clerk: &'a Simulator,
    random: Random,
    outcomes: Outcomes,
}

impl<'a> Session<'a> {
    pub fn open(db: &TestDb, clerk: &'a Simulator, seed: u64) -> Self {
        let mut client = db.superuser();
        Self {
            pid: client.value("SELECT pg_backend_pid()"),
            client,
            clerk,
            random: Random::new(seed),
            outcomes: Outcomes::default(),
        }
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    pub fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    /// Makes every call once, with more time, so that plans and caches are there before memory is measured.
    pub fn warm_up(&mut self) {
        for (role, statement) in CALLS {
            let _ = self.run(role, 400, statement);
        }
    }

    /// Makes a call of its choice. False if the session is lost.
    pub fn call(&mut self) -> bool {
        let (role, statement) = CALLS[self.random.below(CALLS.len() as u64) as usize];
        // Half of the calls are left to pg_cancel_backend(); it comes later at times, so they are not without a limit either.
        let timeout = match self.random.below(2) {
            0 => 1 + self.random.below(30),
            _ => 250,
        };
        let outcome = self.run(role, timeout, statement);
        if self.client.is_closed() {
            return false;
        }
        self.outcomes.note(statement, outcome);
        true
    }

    fn run(&mut self, role: &str, timeout: u64, statement: &str) -> Result<(), (String, String)> {
        self.set(&format!("SET ROLE {role}; SET statement_timeout = {timeout}"));
        let token = Token::session(self.clerk.issuer(), "user_storm")
            .header("kid", format!("ins_{}", self.random.below(1_000_000)).into());
        let statement = statement
            .replace("{token}", &self.clerk.mint(token))
            .replace("{issuer}", self.clerk.issuer());
        let outcome = self.client.batch_execute(&statement);
        self.set("RESET statement_timeout; RESET ROLE; RESET clerk.jwt");
        let describe = |error: postgres::Error| match error.as_db_error() {
            Some(error) => (error.code().code().to_owned(), error.message().to_owned()),
            None => ("lost".to_owned(), error.to_string()),
        };
        outcome.map_err(describe)
    }

    /// A cancel may arrive when what it was meant for is over.
    fn set(&mut self, settings: &str) {
        while let Err(error) = self.client.batch_execute(settings) {
            if error.code() != Some(&SqlState::QUERY_CANCELED) {
                return;
            }
        }
    }

    pub fn held(&mut self) -> Held {
        Held::by(&mut self.client, self.pid)
    }

    /// # Panics
    /// If what was cancelled so often does not work when it is not.
    pub fn assert_works(&mut self) {
        let keys: i32 = self.client.value("SELECT clerk.refresh_jwks()");
        assert_eq!(keys, 1);
        let url: String = self.client.value("SELECT clerk.webhook_portal_url()");
        assert!(url.starts_with("http"), "{url}");
        let accepted: String = self
            .client
            .value("SELECT string_agg(clerk.ask_clerk(issuer, jwks_url, true) ->> 'secret_key', '') FROM clerk.instances");
        assert_eq!(accepted, r#"{"ok": true}"#);
        self.client.run("CALL clerk.backfill()");
        self.client.run("CALL clerk.reconcile()");
    }
}
