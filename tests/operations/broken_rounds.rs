//! Rounds that fail or hang become rarer, and stop neither keys nor other databases.

use std::process::Command;

use clerk_sim::{Rotation, Simulator};
use clerk_tests::{Cluster, Sql, TestDb};

use crate::scene::{
    configure_without_keys, last_round, preloaded, starts, wait_for_first_round, wait_for_round, wait_until,
};

const BREAK: &str = "CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no rounds today''; END';
     CREATE TRIGGER broken BEFORE INSERT ON clerk.maintenance_rounds FOR EACH ROW EXECUTE FUNCTION public.broken()";

/// After how many seconds the launcher said that it would try again, each time that a round failed.
fn rests(cluster: &Cluster) -> Vec<u64> {
    let log = cluster.log();
    let rest = |line: &str| {
        let (_, rest) = line.split_once("; it is tried again in ")?;
        rest.trim().strip_suffix(" s")?.parse().ok()
    };
    log.lines()
        .filter(|line| line.contains("clerk_sync's maintenance of the database"))
        .filter_map(rest)
        .collect()
}

#[test]
fn a_round_that_fails_becomes_rarer_until_something_is_configured() {
    let cluster = preloaded(&[]);
    let (broken, healthy) = (cluster.create_database(), cluster.create_database());
    configure_without_keys(&healthy);
    let mut owner = broken.superuser();
    owner.run(BREAK);
    configure_without_keys(&broken);
    wait_until("it failed three times", || rests(&cluster).len() >= 3);
    assert_eq!(rests(&cluster)[..3], [2, 4, 8]);
    assert!(cluster.log().contains("no rounds today"), "the log says why");
    wait_for_round(&mut healthy.superuser());

    // Something that a failed round asks for itself does not hasten it; a change of the configuration does.
    let failed = rests(&cluster).len();
    owner.run("SELECT clerk.configure(issuer => 'https://clerk.sim.test', authorized_parties => ARRAY['https://app.example'])");
    wait_until("it failed again", || rests(&cluster).len() > failed);
    assert_eq!(rests(&cluster)[failed], 2, "{:?}", rests(&cluster));

    // Mended and not configured, it comes by itself.
    owner.run("DROP TRIGGER broken ON clerk.maintenance_rounds");
    wait_for_first_round(&mut owner);
    let next = last_round(&mut owner, "launcher");
    wait_until("rounds come at their usual pace", || {
        last_round(&mut owner, "launcher") >= next + 3
    });
}

#[test]
fn a_broken_round_stops_no_key() {
    let cluster = preloaded(&[]);
    let clerk = Simulator::start();
    let db = cluster.create_database();
    db.superuser().run(BREAK);
    db.configure(&clerk);
    wait_until("it failed four times, so that the next is in 16 s", || {
        rests(&cluster).len() >= 4
    });
    let failed = rests(&cluster).len();
    // A key that a worker fetches is no change of the configuration, which would end the rest.
    let requests = clerk.jwks_requests();
    clerk.rotate(Rotation::New);
    wait_until("the keys were fetched three times", || {
        clerk.jwks_requests() >= requests + 3
    });
    assert!(rests(&cluster).len() <= failed + 1, "while the rest waits");
}

#[test]
fn a_round_that_hangs_stops_no_key_and_is_told_of_once() {
    let cluster = preloaded(&[("clerk.maintain_timeout", "2s")]);
    let clerk = Simulator::start();
    let db = cluster.create_database();
    let mut owner = db.superuser();
    owner.run(
        "CREATE FUNCTION public.hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1000); RETURN new; END';
         CREATE TRIGGER hang BEFORE INSERT ON clerk.maintenance_rounds FOR EACH ROW EXECUTE FUNCTION public.hang()",
    );
    db.configure(&clerk);
    let hanging = "SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'clerk_sync: maintain' AND wait_event = 'PgSleep'";
    wait_until("a round hangs", || owner.value::<Option<i32>>(hanging).is_some());
    let worker = owner.value::<Option<i32>>(hanging).expect("it hangs").to_string();
    // As one that is told to end and does not hear.
    signal("-STOP", &worker);
    let requests = clerk.jwks_requests();
    wait_until("the log was told", || told_of_overlong(&db) > 0);
    let passes = starts(&cluster, "maintain");
    wait_until("keys are fetched meanwhile", || {
        clerk.jwks_requests() >= requests + 3
    });
    wait_until("the launcher has come by again", || {
        starts(&cluster, "maintain") >= passes + 3
    });
    assert_eq!(told_of_overlong(&db), 1);
    signal("-CONT", &worker);
    wait_until("it has ended", || {
        !owner.value_of::<bool>(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1::text::integer)",
            &[&worker],
        )
    });
    cluster.assert_no_crash();
}

fn told_of_overlong(db: &TestDb) -> usize {
    db.cluster()
        .log()
        .matches("took longer than 2 s and is ended")
        .count()
}

fn signal(signal: &str, pid: &str) {
    let status = Command::new("kill").args([signal, pid]).status();
    assert!(status.expect("kill can be run").success());
}
