//! How the Backend API is asked: with which key, how often, and what comes of every way in which it can fail.

mod faults;
mod hidden;
mod keys;
mod pace;
mod requests;
mod stub;
mod tls;

use clerk_sim::{Options, Simulator, WorldClock};
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use serde_json::Value;

use crate::scene::{run, told};

/// A development instance, whose keys start with `sk_test_`.
const ISSUER: &str = "https://one.clerk.accounts.dev";
const OTHER_ISSUER: &str = "https://two.clerk.accounts.dev";

/// An instance with that id, whose API may be asked at will.
fn instance(issuer: &str, id: &str) -> Simulator {
    let options = Options {
        issuer: issuer.to_owned(),
        kid: id.to_owned(),
        ..Options::default()
    };
    let clerk = Simulator::start_with(options).expect("a loopback port is free");
    clerk.limit_rate(None);
    clerk.change_api(|api| api.clock = WorldClock::Wall { ahead_ms: 0 });
    clerk
}

/// A database that knows the instance and its keys, and asks that API; runs are given up at the first fault.
fn database<'c>(cluster: &'c Cluster, clerk: &Simulator, api_url: &str) -> TestDb<'c> {
    let db = cluster.create_database();
    let mut owner = db.superuser();
    let keys: i32 = owner.value_of(
        "SELECT keys FROM clerk.configure(issuer => $1, jwks_url => $2, api_url => $3)",
        &[&clerk.issuer(), &clerk.jwks_url(), &api_url],
    );
    assert_eq!(keys, 1);
    owner.run("SELECT clerk.configure_mirror(max_attempts => 1)");
    db
}

/// Sets the secret key of the only instance; gives its fingerprint.
fn set_key(session: &mut impl Sql, key: &str) -> String {
    session.value_of("SELECT clerk.set_secret_key($1)", &[&key])
}

/// Sets a setting for the database's workers.
fn set(db: &TestDb, name: &str, value: &str) {
    db.superuser()
        .run(&format!("ALTER DATABASE {} SET {name} = '{value}'", db.name()));
}

/// Reads one user of Clerk's; gives what became of the run.
fn ask(owner: &mut Client) -> Value {
    let (id, _) = run(owner, "SELECT clerk.sync_user('user_nobody')");
    told(owner, id)
}

/// The error of a run that failed.
#[track_caller]
fn error(told: &Value) -> &str {
    assert_eq!(told["state"], "failed", "{told:#}");
    told["last_error"].as_str().expect("it says why")
}
