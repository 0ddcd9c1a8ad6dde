//! While an endpoint keeps a worker waiting, nobody else has to wait longer than they want to.
//!
//! The endpoints would hold a worker for [`HELD`]; whatever ends much earlier was ended by an interrupt.

use std::process::Command;
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clerk_sim::{Fault, Simulator, Token};
use clerk_tests::{Cluster, Failure, Sql, TestDb};
use postgres::Client;

use crate::bearer::{configure_with_imported_keys, user, wait_until};

/// How long a worker waits for an endpoint: `clerk.http_timeout` at its largest.
const HELD: Duration = Duration::from_secs(60);
/// The most that a busy machine may take for what should happen at once.
const PROMPT: Duration = Duration::from_secs(15);

/// A server in which the name never.clerk.test is looked up for ever.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let library = std::env::temp_dir().join(format!("clerk-tests-{}-resolver.so", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/keys/silent_resolver.c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl");
        assert!(compiler.status().expect("cc can be run").success());
        let preload = [("LD_PRELOAD", library.to_str().expect("the path is UTF-8"))];
        let cluster = Cluster::start_in_environment(&[("clerk.http_timeout", "60s")], &preload);
        // The server has it in its memory, and so has every process that it forks.
        std::fs::remove_file(&library).expect("the library can be removed");
        cluster
    })
}

/// A database that trusts a simulated instance, whose keys it knows, and expects new ones at that URL.
fn database<'c>(cluster: &'c Cluster, clerk: &Simulator, jwks_url: &str) -> TestDb<'c> {
    let db = cluster.create_database();
    configure_with_imported_keys(&db, clerk);
    // clerk.configure() would wait for the endpoint.
    db.superuser()
        .run(&format!("UPDATE clerk.instances SET jwks_url = '{jwks_url}'"));
    db
}

/// Does it, and fails if that took as long as the endpoint may.
fn promptly<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(
        start.elapsed() < PROMPT,
        "{what} took {:?} of {HELD:?}",
        start.elapsed()
    );
    result
}

/// The process id of the session, to be cancelled by.
fn pid(session: &mut Client) -> i32 {
    session.value("SELECT pg_backend_pid()")
}

/// Shows a token that may be signed by a newer key, and waits; gives what ended the wait.
fn wait_for_keys(mut session: Client, token: String) -> JoinHandle<Failure> {
    thread::spawn(move || user(&mut session, &token).expect_err("no key fits the token"))
}

/// The worker that is fetching keys for this database.
fn worker(session: &mut Client) -> Option<i32> {
    let worker = "SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'clerk_sync worker'";
    let row = session
        .query_opt(worker, &[])
        .expect("there is at most one worker");
    row.map(|row| row.get(0))
}

fn interrupts_work_while_waiting_for(clerk: &Simulator, jwks_url: &str) {
    let cluster = cluster();
    let db = database(cluster, clerk, jwks_url);
    let forged = clerk.forge(Token::session(clerk.issuer(), "user_mallory"));
    let mut owner = db.superuser();

    let mut hasty = db.connect("anon");
    hasty.run("SET statement_timeout = '1s'");
    // The wait ends shortly before, and says nothing of the token.
    let failure = promptly("statement_timeout", || {
        wait_for_keys(hasty, forged.clone()).join()
    });
    let failure = failure.expect("the thread ends well");
    assert_eq!(
        (failure.sqlstate.as_str(), failure.detail.as_deref()),
        ("08006", Some("jwk-remote-failed-to-load")),
        "{failure:?}"
    );

    // The worker goes on, and the next one waits for it.
    let fetching = worker(&mut owner).expect("the worker is still fetching");
    let mut patient = db.connect("anon");
    let waiting_pid = pid(&mut patient);
    let waiting = wait_for_keys(patient, forged.clone());
    wait_until("the session waits for the keys", || {
        let waits = "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $1";
        owner.value_of::<Option<bool>>(waits, &[&waiting_pid]) == Some(true)
    });
    let failure = promptly("pg_cancel_backend", || {
        owner.run(&format!("SELECT pg_cancel_backend({waiting_pid})"));
        waiting.join()
    });
    assert_eq!(failure.expect("the thread ends well").sqlstate, "57014");

    let other = format!("{}_other", db.name());
    owner.run(&format!("CREATE DATABASE {other}"));
    promptly("DROP DATABASE", || owner.run(&format!("DROP DATABASE {other}")));
    assert_eq!(
        worker(&mut owner),
        Some(fetching),
        "nothing but an interrupt ends the wait"
    );

    promptly("pg_terminate_backend", || {
        owner.run(&format!("SELECT pg_terminate_backend({fetching})"));
        wait_until("the worker has ended", || worker(&mut owner).is_none());
    });

    // An administrator's call has a worker of its own, which ends with it.
    let mut hasty = db.superuser();
    hasty.run("SET statement_timeout = '1s'");
    let failure = promptly("refresh_jwks", || hasty.failure("SELECT clerk.refresh_jwks()"));
    assert_eq!(failure.sqlstate, "57014");
    promptly("the end of refresh_jwks's worker", || {
        wait_until("the worker has ended", || worker(&mut owner).is_none());
    });
}

fn interrupts_work_during(fault: Fault) {
    let clerk = Simulator::start();
    clerk.fault(fault);
    interrupts_work_while_waiting_for(&clerk, &clerk.jwks_url());
}

#[test]
fn an_endpoint_that_never_answers() {
    interrupts_work_during(Fault::Stall);
}

#[test]
fn an_answer_without_end() {
    interrupts_work_during(Fault::Endless);
}

#[test]
fn a_slow_answer() {
    interrupts_work_during(Fault::Slow { ms: 60_000 });
}

#[test]
fn a_name_that_is_looked_up_for_ever() {
    let url = "https://never.clerk.test/.well-known/jwks.json";
    interrupts_work_while_waiting_for(&Simulator::start(), url);
}

#[test]
fn half_an_answer_and_a_closed_port_end_the_wait_themselves() {
    let clerk = Simulator::start();
    clerk.fault(Fault::Half);
    let closed = {
        let gone = Simulator::start();
        gone.jwks_url()
    };
    for url in [clerk.jwks_url(), closed] {
        let db = database(cluster(), &clerk, &url);
        let mut session = db.connect("anon");
        let forged = clerk.forge(Token::session(clerk.issuer(), "user_mallory"));
        let failure =
            promptly("the refusal", || user(&mut session, &forged)).expect_err("no key fits the token");
        assert_eq!(failure.refusal(), ("28", "token-invalid-signature"));
        let error: Option<String> = db.superuser().value("SELECT last_error FROM clerk.jwks_fetches");
        assert!(error.is_some_and(|error| error.starts_with("jwk-remote-failed-to-load")));
    }
}

#[test]
fn the_server_stops_while_a_worker_waits() {
    let clerk = Simulator::start();
    clerk.fault(Fault::Stall);
    let cluster = Cluster::start(&[("clerk.http_timeout", "60s")]);
    let db = database(&cluster, &clerk, &clerk.jwks_url());
    let mut hasty = db.connect("anon");
    hasty.run("SET statement_timeout = '1s'");
    let forged = clerk.forge(Token::session(clerk.issuer(), "user_mallory"));
    user(&mut hasty, &forged).expect_err("no key fits the token");
    assert!(
        worker(&mut db.superuser()).is_some(),
        "the worker is still fetching"
    );
    promptly("pg_ctl stop", || cluster.stop());
    cluster.assert_no_crash();
}
