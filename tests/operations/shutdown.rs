//! While a round waits for Clerk, nobody has to wait for the round.
//!
//! The endpoint would hold it for [`HELD`]. What ends much earlier was ended by our giving way.

use std::time::{Duration, Instant};

use clerk_sim::{Fault, Simulator};
use clerk_tests::{Cluster, Sql, TestDb};

use crate::scene::{maintain, preloaded, wait_until};

/// `clerk.http_timeout` at its largest.
const HELD: Duration = Duration::from_secs(60);
/// What should take well under a second, on a machine however busy. PostgreSQL itself gives up after five seconds.
const PROMPT: Duration = Duration::from_secs(5);

fn promptly<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    let took = start.elapsed();
    println!("{what}: {took:?} of {HELD:?}");
    assert!(took < PROMPT, "{what} took {took:?} of {HELD:?}");
    result
}

/// A database with a stalled endpoint, for which the launcher's round is waiting.
struct Stalled<'c> {
    db: TestDb<'c>,
    clerk: Simulator,
}

impl<'c> Stalled<'c> {
    fn new(cluster: &'c Cluster) -> Self {
        let (db, clerk) = (cluster.create_database(), Simulator::start());
        db.configure(&clerk);
        clerk.fault(Fault::Stall);
        let stalled = Self { db, clerk };
        stalled.wait();
        stalled
    }

    /// Waits until a round is waiting for an answer.
    fn wait(&self) {
        let requests = self.clerk.jwks_requests();
        let mut session = self.db.cluster().superuser();
        wait_until("a round waits", || {
            let is_there = session.value_of(
                "SELECT count(*) = 1 FROM pg_stat_activity
                 WHERE datname = $1 AND application_name = 'clerk_sync: maintain' AND query = 'maintain: keys'",
                &[&self.db.name()],
            );
            is_there && self.clerk.jwks_requests() > requests
        });
    }
}

fn server() -> Cluster {
    preloaded(&[("clerk.http_timeout", "60s")])
}

#[test]
fn the_server_stops() {
    let cluster = server();
    let _stalled = Stalled::new(&cluster);
    promptly("pg_ctl stop", || cluster.stop());
    cluster.assert_no_crash();
}

#[test]
fn the_database_can_be_dropped() {
    let cluster = server();
    let stalled = Stalled::new(&cluster);
    let mut elsewhere = cluster.superuser();
    promptly("DROP DATABASE", || {
        elsewhere.run(&format!("DROP DATABASE {}", stalled.db.name()))
    });
    let log = cluster.log();
    assert!(log.contains("a worker of clerk_sync leaves its database"));
}

#[test]
fn the_database_can_be_copied_and_renamed() {
    let cluster = server();
    let stalled = Stalled::new(&cluster);
    let mut elsewhere = cluster.superuser();
    let name = stalled.db.name();
    promptly("CREATE DATABASE … TEMPLATE", || {
        elsewhere.run(&format!("CREATE DATABASE copied TEMPLATE {name}"))
    });
    stalled.wait();
    promptly("ALTER DATABASE … RENAME", || {
        elsewhere.run(&format!("ALTER DATABASE {name} RENAME TO renamed"))
    });
    promptly("DROP DATABASE", || elsewhere.run("DROP DATABASE renamed"));
}

#[test]
fn another_database_can_be_dropped() {
    let cluster = server();
    let stalled = Stalled::new(&cluster);
    let mut elsewhere = cluster.superuser();
    promptly("CREATE and DROP DATABASE", || {
        elsewhere.run("CREATE DATABASE other");
        elsewhere.run("DROP DATABASE other");
    });
    let waits: bool = elsewhere.value_of(
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = $1 AND application_name = 'clerk_sync: maintain'",
        &[&stalled.db.name()],
    );
    assert!(waits, "the round goes on waiting");
}

#[test]
fn a_call_can_be_cancelled_and_its_worker_is_in_nobodys_way() {
    let cluster = Cluster::start(&[("clerk.http_timeout", "60s"), ("clerk.jwks_cooldown", "1s")]);
    let (db, clerk) = (cluster.create_database(), Simulator::start());
    db.configure(&clerk);
    clerk.fault(Fault::Stall);
    let mut owner = db.superuser();
    owner.run(
        "UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '1 hour'; SET statement_timeout = '1s'",
    );
    let failure = promptly("maintain", || owner.failure("SELECT clerk.maintain()"));
    assert_eq!(failure.sqlstate, "57014");
    owner.run("SET statement_timeout = 0");
    // Nothing is left of the cancelled round that would keep the next from beginning.
    owner.run("UPDATE clerk.jwks_fetches SET succeeded_at = now()");
    assert!(maintain(&mut owner)["skipped"].is_null());
    drop(owner);
    let mut elsewhere = cluster.superuser();
    promptly("DROP DATABASE", || {
        elsewhere.run(&format!("DROP DATABASE {}", db.name()))
    });
}
