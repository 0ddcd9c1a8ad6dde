//! While a run waits for the Backend API, nobody has to wait for the run; and nothing of it is lost, though nobody but the launcher
//! sees to it.
//!
//! The API would hold it for longer than PostgreSQL, `pg_ctl` and these tests wait for anything, so what ends was ended by our giving way.

use std::process::Command;

use clerk_sim::{ApiFault, FaultPlan};
use clerk_tests::{Cluster, Sql};
use postgres::{Client, NoTls};

use crate::interruptions::{hang, workers};
use crate::scene::{Scene, preloaded, state, told, wait, wait_until, world};

fn server() -> Cluster {
    preloaded(&[("clerk.api_timeout", "10min"), ("synchronous_commit", "on")])
}

/// A backfill that hangs at organizations, after users were read.
struct Stalled<'c> {
    scene: Scene<'c>,
    run: i64,
    /// Pages of users that were read.
    pages: usize,
}

impl<'c> Stalled<'c> {
    fn new(cluster: &'c Cluster, seed: u64) -> Self {
        let (scene, _) = Scene::on(cluster, world(seed), 300);
        scene.quiet();
        let run = hang(&scene, &mut scene.owner());
        // The request that hangs goes on hanging; what comes after it is answered.
        scene.clerk.clear_api_faults();
        let pages = scene.pages_of_users();
        assert!(pages > 0);
        Self { scene, run, pages }
    }

    fn worker(&self, session: &mut Client) -> Option<i32> {
        session.value_of(
            "SELECT min(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'clerk_sync: sync runs'",
            &[&self.scene.db.name()],
        )
    }

    /// The launcher alone sees to it that the run goes on where it was.
    fn assert_goes_on(&self) {
        let mut owner = self.scene.owner();
        assert_eq!(
            wait(&mut owner, self.run),
            "done",
            "{:#}",
            told(&mut owner, self.run)
        );
        let pages = self.scene.pages_of_users();
        assert_eq!(pages, self.pages, "what was read is not read again");
        self.scene.assert_truth("after it went on");
    }
}

#[test]
fn the_server_stops_and_the_run_goes_on_after_the_start() {
    let cluster = server();
    let stalled = Stalled::new(&cluster, 81);
    cluster.stop();
    cluster.assert_no_crash();
    cluster.restart();
    stalled.assert_goes_on();
}

#[test]
fn the_database_can_be_dropped() {
    let cluster = server();
    let stalled = Stalled::new(&cluster, 82);
    let mut elsewhere = cluster.superuser();
    assert!(stalled.worker(&mut elsewhere).is_some());
    elsewhere.run(&format!("DROP DATABASE {}", stalled.scene.db.name()));
    assert!(
        cluster
            .log()
            .contains("a worker of clerk_sync leaves its database")
    );
}

#[test]
fn another_database_can_be_dropped() {
    let cluster = server();
    let stalled = Stalled::new(&cluster, 83);
    let mut elsewhere = cluster.superuser();
    let worker = stalled.worker(&mut elsewhere);
    elsewhere.run("CREATE DATABASE other");
    elsewhere.run("DROP DATABASE other");
    assert!(worker.is_some());
    assert_eq!(stalled.worker(&mut elsewhere), worker, "the run goes on waiting");
}

#[test]
fn the_database_can_be_copied_and_the_run_goes_on_in_it() {
    let cluster = server();
    let stalled = Stalled::new(&cluster, 84);
    let mut elsewhere = cluster.superuser();
    elsewhere.run(&format!(
        "CREATE DATABASE copied TEMPLATE {}",
        stalled.scene.db.name()
    ));
    elsewhere.run("DROP DATABASE copied");
    stalled.assert_goes_on();
}

/// It is not asked, so the server takes it for a crash.
#[test]
fn a_killed_worker_loses_nothing() {
    let cluster = server();
    let stalled = Stalled::new(&cluster, 85);
    let mut elsewhere = cluster.superuser();
    let worker = stalled.worker(&mut elsewhere).expect("there is a worker");
    let killed = Command::new("kill").args(["-9", &worker.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    wait_until("the server starts anew", || {
        cluster
            .log()
            .contains("all server processes terminated; reinitializing")
            .then_some(())
    });
    wait_until("it is back", || {
        let session = cluster.session("postgres", "postgres").connect(NoTls);
        session.ok()?.simple_query("SELECT 1").ok()
    });
    stalled.assert_goes_on();
    // It would look for a crash, and there was one.
    std::mem::forget(stalled.scene.db);
}

#[test]
fn a_terminated_worker_loses_nothing() {
    let cluster = server();
    let stalled = Stalled::new(&cluster, 86);
    let mut owner = stalled.scene.owner();
    let worker = stalled.worker(&mut owner);
    owner.run(&format!(
        "SELECT pg_terminate_backend(worker_pid) FROM clerk.sync_runs WHERE id = {}",
        stalled.run
    ));
    wait_until("the worker has ended", || {
        (stalled.worker(&mut owner) != worker).then_some(())
    });
    stalled.assert_goes_on();
}

#[test]
fn cancel_run_is_obeyed_at_once_and_heeded_by_the_launcher() {
    let cluster = server();
    let stalled = Stalled::new(&cluster, 87);
    let mut owner = stalled.scene.owner();
    owner.run(&format!("SELECT clerk.cancel_run({})", stalled.run));
    wait_until("the worker has ended", || {
        stalled.worker(&mut owner).is_none().then_some(())
    });
    let rounds: i64 = owner.value("SELECT max(id) FROM clerk.maintenance_rounds");
    wait_until("the launcher had two more rounds done", || {
        (owner.value::<i64>("SELECT max(id) FROM clerk.maintenance_rounds WHERE finished_at IS NOT NULL")
            >= rounds + 2)
            .then_some(())
    });
    assert_eq!(state(&mut owner, stalled.run), "cancelled");
    let again: i64 = owner.value("SELECT clerk.start_backfill()");
    assert_eq!(again, stalled.run);
    stalled.assert_goes_on();
}

/// Clerk wants to be left alone for a while: there is no request to wait for, and no answer.
#[test]
fn the_database_can_be_dropped_during_a_pause() {
    let cluster = server();
    let (scene, _) = Scene::on(&cluster, world(88), 50);
    scene.quiet();
    scene.clerk.plan_fault(
        FaultPlan::once(ApiFault::TooManyRequests {
            retry_after: Some(45),
        })
        .on("/users")
        .always(),
    );
    let mut owner = scene.owner();
    owner.run("SELECT clerk.start_backfill()");
    wait_until("Clerk has said so", || {
        owner
            .value::<bool>("SELECT EXISTS (SELECT FROM clerk.api_budgets WHERE blocked_until > now())")
            .then_some(())
    });
    // A round of maintenance may be there for a moment too.
    wait_until("the run's worker is there alone", || {
        (workers(&mut owner) == 1).then_some(())
    });
    drop(owner);
    let mut elsewhere = cluster.superuser();
    elsewhere.run(&format!("DROP DATABASE {}", scene.db.name()));
}

/// Each answer comes so fast that the worker never waits.
#[test]
fn the_database_can_be_dropped_while_run_after_run_is_worked_off() {
    let cluster = server();
    let (scene, _) = Scene::on(&cluster, world(89), 50);
    scene.quiet();
    let mut owner = scene.owner();
    owner.run("SELECT count(clerk.sync_user('user_' || n)) FROM generate_series(1, 2000) AS n");
    wait_until("some were worked off", || {
        owner
            .value::<bool>("SELECT count(*) > 3 FROM clerk.sync_runs WHERE state = 'done'")
            .then_some(())
    });
    drop(owner);
    let mut elsewhere = cluster.superuser();
    elsewhere.run(&format!("DROP DATABASE {}", scene.db.name()));
}
