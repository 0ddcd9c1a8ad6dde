//! SQL functions that are called with events: registered, queued, called as whom they belong to, and called again.

mod calls;
mod dump;
mod failures;
mod privileges;
mod register;
mod repairs;
mod squatting;
mod triggers;
mod worker;

use std::thread::sleep;
use std::time::{Duration, Instant};

use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

/// How long anything may take that happens by itself; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that a busy machine may take for what should happen at once.
const PROMPT: Duration = Duration::from_secs(5);

/// A database with the extension, and a role that registers handlers in schema `app`, which is its own.
struct Scene<'c> {
    db: TestDb<'c>,
    owner: Client,
    /// The role. Roles are shared by all databases of the server.
    role: String,
    registrant: Client,
    /// Delivers events.
    service: Client,
}

impl Scene<'static> {
    fn new() -> Self {
        Self::on(Cluster::shared())
    }
}

impl<'c> Scene<'c> {
    fn on(cluster: &'c Cluster) -> Self {
        let db = cluster.create_database();
        let mut owner = db.superuser();
        let role = format!("registrant_{}", db.name());
        owner.run(&format!(
            "CREATE ROLE {role} LOGIN;
             CREATE SCHEMA app AUTHORIZATION {role};
             SELECT clerk.grant_admin('{role}')"
        ));
        let mut registrant = db.connect(&role);
        registrant.run(
            "CREATE TABLE app.calls (number bigserial, handler text, role text DEFAULT current_user, event jsonb)",
        );
        Self {
            service: db.connect("service_role"),
            db,
            owner,
            role,
            registrant,
        }
    }

    /// Makes the PL/pgSQL function `app.name(event jsonb)`, or makes it anew.
    fn define(&mut self, name: &str, body: &str) {
        self.registrant.run(&format!(
            "CREATE OR REPLACE FUNCTION app.{name}(event jsonb) RETURNS void LANGUAGE plpgsql AS $body$ BEGIN {body}; END $body$"
        ));
    }

    /// A handler that notes that it was called, and then does what `body` says.
    fn handle(&mut self, pattern: &str, name: &str, body: &str) -> i64 {
        let note = format!("INSERT INTO app.calls (handler, event) VALUES ('{name}', event)");
        self.define(name, &format!("{note}; {body}"));
        self.registrant
            .value(&format!("SELECT clerk.on_event('{pattern}', 'app.{name}')"))
    }

    /// Hands an event over as `service_role`; gives its status. That must not take long, whatever handlers do.
    fn deliver(&mut self, svix_id: &str, event: Value) -> String {
        let start = Instant::now();
        let Json(answer): Json<Value> = self
            .service
            .value_of("SELECT clerk.apply_event($1, $2)", &[&Json(event), &svix_id]);
        assert!(
            start.elapsed() < PROMPT,
            "the delivery took {:?}",
            start.elapsed()
        );
        answer["status"].as_str().unwrap_or_default().to_owned()
    }

    /// One round of upkeep; what it says about handlers.
    fn maintain(&mut self) -> Value {
        let Json(report): Json<Value> = self.owner.value("SELECT clerk.maintain()");
        report["handlers"].clone()
    }

    /// Makes every queued call due, once no worker is there that would make it at once.
    #[track_caller]
    fn make_due(&mut self) {
        self.wait_until_idle();
        self.owner
            .run("UPDATE clerk.handler_runs SET next_attempt_at = clock_timestamp()");
    }

    /// Handler and event of every call that was made and kept, in their order.
    fn calls(&mut self) -> Vec<(String, String)> {
        let calls = "SELECT handler, event->>'svix_id' FROM app.calls ORDER BY number";
        let rows = self.owner.query(calls, &[]).expect("the calls can be read");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Waits until that many calls have been made and kept.
    #[track_caller]
    fn wait_for_calls(&mut self, count: i64) {
        wait_until(&format!("{count} calls were made"), || {
            self.owner.value::<i64>("SELECT count(*) FROM app.calls") == count
        });
    }

    /// Waits until no call is queued.
    #[track_caller]
    fn wait_until_done(&mut self) {
        wait_until("every call was made", || self.queued() == 0);
    }

    fn queued(&mut self) -> i64 {
        self.owner.value("SELECT count(*) FROM clerk.handler_runs")
    }

    /// The worker, if one is there.
    fn worker(&mut self) -> Option<i32> {
        let worker = "SELECT min(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND backend_type = 'clerk_sync worker'";
        self.owner.value(worker)
    }

    /// Waits until every queued call was tried.
    #[track_caller]
    fn wait_until_tried(&mut self) {
        let untried = "SELECT count(*) FROM clerk.handler_runs WHERE attempts = 0";
        wait_until("every call was tried", || self.owner.value::<i64>(untried) == 0);
    }

    #[track_caller]
    fn wait_until_idle(&mut self) {
        wait_until("the worker has ended", || self.worker().is_none());
    }

    /// Changes a setting (GUC) for every worker that starts from now on in the database.
    fn set(&mut self, name: &str, value: &str) {
        // Loading the library makes the name known.
        let database = self.db.name();
        self.owner.run(&format!(
            "LOAD 'clerk_sync'; ALTER DATABASE {database} SET {name} = '{value}'"
        ));
    }
}

/// An event about a user, who is the newer the greater `version` is.
fn user_event(event_type: &str, id: &str, version: i64) -> Value {
    let at = 1_700_000_000_000 + version;
    json!({
        "object": "event",
        "type": event_type,
        "timestamp": at,
        "data": { "object": "user", "id": id, "first_name": format!("name {version}"), "created_at": at, "updated_at": at },
    })
}

fn succeeded(count: u64) -> Value {
    json!({ "succeeded": count, "failed": 0, "quarantined": 0 })
}

fn failed(count: u64) -> Value {
    json!({ "succeeded": 0, "failed": count, "quarantined": 0 })
}

/// # Panics
/// If that takes far longer than it could.
#[track_caller]
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        sleep(Duration::from_millis(20));
    }
}
