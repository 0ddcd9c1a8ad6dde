//! Calls that start or ask a background worker, cancelled after a few milliseconds: no process of the server crashes, and nothing is
//! left behind.
//!
//! `CLERK_SYNC_STORM_CALLS` is the number of calls, `CLERK_SYNC_STORM_SEED` the seed by which they are chosen.

mod calls;
mod left_behind;
mod session;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clerk_sim::{Fault, Simulator, World, WorldOptions};
use clerk_tests::{Cluster, Sql, TestDb};

use calls::Random;
use left_behind::{Held, wait_until_no_worker_is_left};
use session::Session;

/// Calls of a run that is not told how many: about a minute.
const SAMPLE: usize = 3_000;
/// Databases, because two calls in one database often wait for each other's locks.
const DATABASES: usize = 3;
/// Sessions in each database.
const SESSIONS: usize = 2;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("it is a number"))
}

/// A database that trusts the instance and has a secret key for its Backend API.
fn prepare<'c>(cluster: &'c Cluster, clerk: &Simulator) -> TestDb<'c> {
    let db = cluster.create_database();
    let mut owner = db.superuser();
    owner
        .execute(
            "SELECT clerk.configure(issuer => $1, jwks_url => $2, instance_id => 'ins_sim', api_url => $3)",
            &[&clerk.issuer(), &clerk.jwks_url(), &clerk.api_url()],
        )
        .expect("the instance can be configured");
    owner.run("UPDATE clerk.instances SET environment = 'production'");
    owner
        .execute("SELECT clerk.set_secret_key($1)", &[&clerk.secret_key()])
        .expect("the secret key can be set");
    owner.run(&format!(
        "ALTER DATABASE {} SET clerk.jwks_cooldown = '1s'",
        db.name()
    ));
    db
}

#[test]
fn no_cancel_crashes_the_server_or_leaves_anything_behind() {
    let calls = number("CLERK_SYNC_STORM_CALLS", SAMPLE);
    let seed = number("CLERK_SYNC_STORM_SEED", 1);
    let cluster = Cluster::start(&[
        ("shared_preload_libraries", "clerk_sync"),
        ("clerk.maintain_interval", "1s"),
        ("max_worker_processes", "24"),
        // The cancelled statements are not of interest, and there are tens of thousands.
        ("log_min_error_statement", "panic"),
    ]);
    let clerk = Simulator::start();
    clerk.limit_rate(None);
    clerk.change_api(|api| api.secret_key = api.secret_key.replace("sk_test_", "sk_live_"));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is right");
    clerk.set_world(World::new(WorldOptions {
        start_ms: now.as_millis() as i64,
        ..WorldOptions::default()
    }));
    let databases: Vec<_> = (0..DATABASES).map(|_| prepare(&cluster, &clerk)).collect();
    // Long enough for a cancel to arrive while a worker waits for the answer.
    clerk.fault(Fault::Slow { ms: 8 });

    let mut sessions: Vec<_> = databases
        .iter()
        .flat_map(|db| (0..SESSIONS).map(move |_| db))
        .enumerate()
        .map(|(at, db)| Session::open(db, &clerk, (seed * 1_000 + at) as u64))
        .collect();
    thread::scope(|scope| {
        for session in &mut sessions {
            scope.spawn(|| session.warm_up());
        }
    });
    let before: Vec<_> = sessions.iter_mut().map(Session::held).collect();

    let (made, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let pids: Vec<i32> = sessions.iter().map(Session::pid).collect();
    thread::scope(|scope| {
        let canceller = scope.spawn(|| cancel(&cluster, &pids, seed as u64, &is_over));
        let storms: Vec<_> = sessions
            .iter_mut()
            .map(|session| {
                scope.spawn(|| while made.fetch_add(1, Ordering::Relaxed) < calls && session.call() {})
            })
            .collect();
        let ended: Vec<_> = storms.into_iter().map(|storm| storm.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        let cancelled = canceller.join();
        // That a session was lost is said best by the log.
        cluster.assert_no_crash();
        assert!(ended.iter().all(Result::is_ok), "a session failed");
        println!(
            "{} cancels by pg_cancel_backend()",
            cancelled.expect("the canceller ends well")
        );
    });
    let mut outcomes = calls::Outcomes::default();
    for session in &sessions {
        outcomes.add(session.outcomes());
    }
    println!("{calls} calls with seed {seed}:\n{outcomes}");
    outcomes.assert_plausible();

    clerk.fault(Fault::Ok);
    for db in &databases {
        // Hundreds are queued.
        db.superuser()
            .run("SELECT clerk.cancel_run(id) FROM clerk.sync_runs WHERE state IN ('queued', 'running')");
    }
    wait_until_no_worker_is_left(&mut cluster.superuser());
    for (session, before) in sessions.iter_mut().zip(&before) {
        let after = session.held();
        println!("{before:?} became {after:?}");
        Held::assert_not_more(before, &after);
        session.assert_works();
    }
    drop(sessions);
    wait_until_no_worker_is_left(&mut cluster.superuser());
    cluster.assert_no_crash();
}

/// Cancels one session after the other, a few milliseconds apart. Gives how often.
fn cancel(cluster: &Cluster, pids: &[i32], seed: u64, is_over: &AtomicBool) -> usize {
    let mut superuser = cluster.superuser();
    let mut random = Random::new(seed);
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(random.below(10)));
        let pid = pids[random.below(pids.len() as u64) as usize];
        // A server that crashes takes this session with it; the log then says so.
        match superuser.execute("SELECT pg_cancel_backend($1)", &[&pid]) {
            Ok(_) => count += 1,
            Err(_) => return count,
        }
    }
    count
}
