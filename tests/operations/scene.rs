//! Servers with a launcher, databases that trust a simulated instance, and what is seen of maintenance.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clerk_sim::{Options, Simulator, Token};
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

/// How long anything may take that happens by itself; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server whose launcher starts rounds every second, each of which may fetch keys. `settings` come last, so they win.
pub fn preloaded(settings: &[(&str, &str)]) -> Cluster {
    let usual = [
        ("shared_preload_libraries", "clerk_sync"),
        ("clerk.maintain_interval", "1s"),
        ("clerk.jwks_cooldown", "1s"),
        ("log_min_messages", "debug1"),
    ];
    Cluster::start(&[&usual, settings].concat())
}

/// A session of the server's superuser, by which it reads its configuration anew.
pub fn reload(cluster: &Cluster, settings: &[(&str, &str)]) {
    cluster.configure(settings);
    cluster.superuser().run("SELECT pg_reload_conf()");
}

/// Waits until `happened` is true.
///
/// # Panics
/// If that takes far longer than it could.
#[track_caller]
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// Number of the last round that this caller has finished; 0 if there is none.
pub fn last_round(session: &mut Client, caller: &str) -> i64 {
    session.value_of(
        "SELECT COALESCE(max(id), 0) FROM clerk.maintenance_rounds WHERE caller = $1 AND finished_at IS NOT NULL",
        &[&caller],
    )
}

/// Waits for a round of the launcher that began after this call.
#[track_caller]
pub fn wait_for_round(session: &mut Client) {
    let begun: i64 = session.value("SELECT COALESCE(max(id), 0) FROM clerk.maintenance_rounds");
    wait_until("the launcher had another round done", || {
        last_round(session, "launcher") > begun
    });
}

/// Waits for the round that follows a configuration.
#[track_caller]
pub fn wait_for_first_round(session: &mut Client) {
    wait_until("the launcher had a round done", || {
        last_round(session, "launcher") > 0
    });
}

/// One round by `clerk.maintain()`, and what it answers.
pub fn maintain(session: &mut Client) -> Value {
    let Json(report): Json<Value> = session.value("SELECT clerk.maintain()");
    report
}

/// Trusts an instance that has no keys and no URL for them, which is enough to be maintained.
pub fn configure_without_keys(db: &TestDb) {
    db.superuser()
        .run("SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '')");
}

/// The process id of the launcher, if there is one.
pub fn launcher(session: &mut Client) -> Option<i32> {
    session.value("SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'clerk_sync launcher'")
}

/// How often a worker of that name was started so far.
pub fn starts(cluster: &Cluster, name: &str) -> usize {
    let line = format!(" registering background worker \"clerk_sync: {name}\"");
    cluster.log().matches(&line).count()
}

/// An instance with that issuer.
pub fn simulator(issuer: &str) -> Simulator {
    let options = Options {
        issuer: issuer.to_owned(),
        ..Options::default()
    };
    Simulator::start_with(options).expect("a loopback port is free")
}

/// A genuine token of that user, good for longer than any test.
pub fn token_of(clerk: &Simulator, user: &str) -> String {
    clerk.mint(Token::session(clerk.issuer(), user).expires_in(3600))
}

/// What `clerk.verify_jwt()` says whose token it is, or the reason for which it refuses it.
pub fn verified(session: &mut Client, token: &str) -> Result<String, String> {
    let row = session.query_one("SELECT clerk.verify_jwt($1)->>'sub'", &[&token]);
    match row {
        Ok(row) => Ok(row.get(0)),
        Err(error) => Err(clerk_tests::Failure::from(error).detail.unwrap_or_default()),
    }
}

/// Makes every event about users fail, or no longer.
pub fn break_users(owner: &mut Client, broken: bool) {
    owner.run(match broken {
        true => {
            "CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END';
             CREATE TRIGGER broken BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.broken()"
        }
        false => "DROP TRIGGER broken ON clerk.users",
    });
}

/// Applies an event about a new user; gives what became of it.
pub fn apply(owner: &mut Client, user: &str) -> String {
    let at = 1_750_000_000_000_i64;
    let event = json!({
        "object": "event", "type": "user.created", "timestamp": at,
        "data": { "object": "user", "id": user, "first_name": "Ada", "created_at": at, "updated_at": at },
    });
    let Json(answer): Json<Value> = owner.value_of(
        "SELECT clerk.apply_event($1, $2)",
        &[&Json(event), &format!("msg_{user}")],
    );
    answer["status"].as_str().unwrap_or_default().to_owned()
}

/// Makes every failed event due.
pub fn make_due(owner: &mut Client) {
    owner.run("UPDATE clerk.webhook_events SET next_attempt_at = clock_timestamp() WHERE state = 'failed'");
}

/// How many events are in this state.
pub fn events(owner: &mut Client, state: &str) -> i64 {
    owner.value_of(
        "SELECT count(*) FROM clerk.webhook_events WHERE state = $1",
        &[&state],
    )
}
