//! `DROP EXTENSION` and `CREATE EXTENSION` while a run waits for the Backend API: what it was doing is over, what is begun anew is
//! done, and no worker is left that does neither.

use clerk_tests::{Cluster, Sql};

use crate::interruptions::{hang, workers};
use crate::scene::{Scene, preloaded, told, wait, wait_until, world};

fn reinstall(cluster: &Cluster, seed: u64) {
    let (scene, _) = Scene::on(cluster, world(seed), 300);
    scene.quiet();
    let mut owner = scene.owner();
    let old = hang(&scene, &mut owner);
    owner.run("DROP EXTENSION clerk_sync");
    scene.clerk.clear_api_faults();
    owner.run("CREATE EXTENSION clerk_sync");
    scene.configure();
    owner.run("SELECT clerk.configure_mirror(reconcile_every => '0', full_reconcile_every => '0')");
    // A run of the same number, which the old worker must not take for its own.
    owner.run(&format!(
        "ALTER TABLE clerk.sync_runs ALTER COLUMN id RESTART WITH {old}"
    ));
    let new: i64 = owner.value("SELECT clerk.start_backfill()");
    assert_eq!(new, old);
    assert_eq!(wait(&mut owner, new), "done", "{:#}", told(&mut owner, new));
    scene.assert_truth("after everything was installed anew");
    wait_until("no worker is left", || (workers(&mut owner) == 0).then_some(()));
    cluster.assert_no_crash();
}

#[test]
fn with_a_launcher() {
    reinstall(&preloaded(&[("clerk.api_timeout", "10s")]), 91);
}

#[test]
fn without_a_launcher() {
    reinstall(&Cluster::start(&[("clerk.api_timeout", "10s")]), 92);
}

/// `DROP EXTENSION` takes one table after the other, and so do workers. Whoever waits for whom, it must not be the one that fails.
#[test]
fn dropping_the_extension_wins_over_busy_workers() {
    let cluster = preloaded(&[("max_worker_processes", "16")]);
    let (scene, _) = Scene::on(&cluster, world(93), 20);
    let mut owner = scene.owner();
    for _ in 0..20 {
        owner.run("SELECT count(clerk.sync_user('user_' || n)) FROM generate_series(1, 500) AS n");
        wait_until("workers are busy", || {
            owner
                .value::<bool>("SELECT EXISTS (SELECT FROM clerk.sync_runs WHERE state = 'done')")
                .then_some(())
        });
        owner.run("DROP EXTENSION clerk_sync");
        owner.run("CREATE EXTENSION clerk_sync");
        scene.configure();
    }
    cluster.assert_no_crash();
}
