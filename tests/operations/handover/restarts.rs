//! Every way in which PostgREST loses Clerk's keys though it is connected, and that it has them again within two rounds of
//! maintenance: by the launcher, and by calls of `clerk.maintain()`, as pg_cron makes them.
//!
//! PostgREST has the setting of its role alone. The table of docs/runbook.md has a line for each row.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use clerk_sim::{Rotation, Simulator};
use clerk_tests::{Cluster, Sql};
use serde_json::json;

use super::postgrest::running::{self, Running};
use super::project::Project;
use super::{as_supabase, supabase, trusting};
use crate::scene::{maintain, preloaded, wait_for_round, wait_until};

/// One way to lose the keys.
struct Row {
    name: &'static str,
    lose: fn(&mut Scene),
    /// Whether PostgREST refuses Clerk's tokens for good if nobody tells it anything.
    is_lost: bool,
    /// Whether nothing shows that it happened, so that only the time since the last telling counts.
    is_unseen: bool,
}

const ROWS: &[Row] = &[
    Row {
        name: "PostgREST restarted",
        lose: |scene| scene.postgrest.restart(),
        is_lost: true,
        is_unseen: false,
    },
    Row {
        name: "database restarted",
        lose: |scene| {
            scene.postgrest.serve(4);
            scene.cluster.restart();
        },
        is_lost: true,
        is_unseen: false,
    },
    Row {
        name: "database crashed",
        lose: |scene| {
            scene.postgrest.serve(4);
            scene.cluster.kill_hard();
            scene.cluster.restart();
        },
        is_lost: true,
        is_unseen: false,
    },
    Row {
        name: "database away for some seconds",
        lose: |scene| {
            scene.postgrest.serve(4);
            scene.cluster.stop();
            scene.go_on_for(Duration::from_millis(2_500));
            scene.cluster.restart();
        },
        // Depends on who reads first, the listener's reload or the one after the failed one.
        is_lost: false,
        is_unseen: false,
    },
    Row {
        name: "all sessions terminated",
        lose: |scene| {
            scene.postgrest.serve(4);
            scene.terminate_all();
        },
        is_lost: true,
        is_unseen: false,
    },
    Row {
        name: "PostgREST started before the database",
        lose: |scene| {
            scene.cluster.stop();
            scene.postgrest.restart();
            scene.go_on_for(Duration::from_millis(1_500));
            scene.cluster.restart();
        },
        is_lost: false,
        is_unseen: false,
    },
    Row {
        name: "a reload of ours whose read failed",
        lose: |scene| {
            scene.cut_pool();
            scene.rotate();
        },
        is_lost: true,
        is_unseen: false,
    },
    Row {
        name: "keys rotated while sessions were cut",
        lose: |scene| {
            scene.postgrest.serve(4);
            scene.terminate_all();
            scene.rotate();
        },
        is_lost: true,
        is_unseen: false,
    },
    Row {
        name: "a reload of others whose read failed",
        lose: |scene| {
            scene.cut_pool();
            scene.project.db.superuser().run("NOTIFY pgrst, 'reload config'");
        },
        is_lost: true,
        is_unseen: true,
    },
    Row {
        name: "PostgREST restarted with track_activities off",
        lose: |scene| {
            let mut superuser = scene.project.db.superuser();
            superuser.run("ALTER ROLE authenticator SET track_activities = off");
            scene.postgrest.restart();
            superuser.run("ALTER ROLE authenticator RESET track_activities");
        },
        is_lost: true,
        is_unseen: true,
    },
];

struct Scene<'c> {
    cluster: &'c Cluster,
    project: Project<'c>,
    postgrest: Box<dyn Running>,
}

impl<'c> Scene<'c> {
    fn new(cluster: &'c Cluster) -> Self {
        let project = Project::bare(cluster);
        project.connect();
        let postgrest = running::start(&project.db);
        Self {
            cluster,
            project,
            postgrest,
        }
    }

    /// Whether Clerk's tokens are accepted.
    fn is_signed_in(&mut self) -> bool {
        self.postgrest.accepts(&self.project.clerk)
    }

    fn go_on_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.postgrest.tick();
        }
    }

    /// Lets PostgREST go on until it waits for nothing and has heard all that was sent by now; gives how often it was told something.
    fn settle(&mut self) -> usize {
        self.postgrest.settle(&mut self.project.db.superuser())
    }

    fn terminate_all(&self) {
        self.project.db.superuser().run(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'authenticator'",
        );
    }

    /// Ends the sessions of the pool, as many as one reading of the configuration uses, and not the listener's.
    fn cut_pool(&mut self) {
        let backends = self.postgrest.idle_pool();
        self.project.db.superuser().value_of::<i64>(
            "SELECT count(pg_terminate_backend(pid, 10000)) FROM unnest($1::int[]) AS pid",
            &[&backends],
        );
    }

    fn rotate(&self) {
        self.project.clerk.rotate(Rotation::New);
        self.project.owner().run("SELECT clerk.refresh_jwks()");
    }

    /// As if the last telling had been a while ago.
    fn let_time_pass(&self) {
        self.project
            .owner()
            .run("UPDATE clerk.postgrest_keys SET told_at = told_at - interval '5 minutes' WHERE true");
    }

    /// By hand, so that a row does not depend on the one before.
    fn make_good(&mut self) {
        let mut superuser = self.project.db.superuser();
        superuser.run("NOTIFY pgrst, 'reload config'; NOTIFY pgrst, 'reload schema'");
        self.settle();
        assert!(self.is_signed_in());
    }

    /// Rounds by SQL until one tells nothing.
    fn call_until_quiet(&mut self) {
        for _ in 0..3 {
            // The launcher may be at it.
            let mut owner = self.project.owner();
            wait_until("a call has a round done", || {
                maintain(&mut owner)["skipped"].is_null()
            });
            if self.settle() == 0 {
                return;
            }
        }
        panic!("PostgREST is told again and again");
    }
}

#[test]
fn every_row_recovers_by_calls() {
    let cluster = as_supabase(Cluster::start(&[]));
    let mut scene = Scene::new(&cluster);
    let recovers = |row: &&Row| {
        scene.make_good();
        scene.call_until_quiet();
        (row.lose)(&mut scene);
        scene.settle();
        // In the program, listener and loader of the schema cache read at the same time, and may heal it between them.
        let is_sure = row.is_lost && !running::is_program();
        assert!(!is_sure || !scene.is_signed_in(), "the control: {}", row.name);
        for _ in 0..2 {
            if row.is_unseen {
                scene.let_time_pass();
            }
            maintain(&mut scene.project.owner());
            scene.settle();
        }
        scene.is_signed_in()
    };
    assert_eq!(rows_that_do_not(recovers), [] as [&str; 0]);
}

#[test]
fn every_row_recovers_by_the_launcher() {
    /// Far more than two intervals.
    const PATIENCE: Duration = Duration::from_secs(20);
    let cluster = as_supabase(preloaded(&[]));
    let mut scene = Scene::new(&cluster);
    let recovers = |row: &&Row| {
        scene.make_good();
        (row.lose)(&mut scene);
        scene.settle();
        let deadline = Instant::now() + PATIENCE;
        while !scene.is_signed_in() && Instant::now() < deadline {
            if row.is_unseen {
                scene.let_time_pass();
            }
            scene.postgrest.tick();
        }
        // And it stays so.
        for _ in 0..2 {
            wait_for_round(&mut scene.project.owner());
        }
        scene.settle();
        scene.is_signed_in()
    };
    assert_eq!(rows_that_do_not(recovers), [] as [&str; 0]);
}

fn rows_that_do_not(mut recover: impl FnMut(&&Row) -> bool) -> Vec<&'static str> {
    let lasting = ROWS.iter().filter(|row| !recover(row));
    lasting.map(|row| row.name).collect()
}

#[test]
fn who_is_not_connected_is_told_nothing() {
    let cluster = as_supabase(Cluster::start(&[]));
    let mut scene = Scene::new(&cluster);
    scene.project.owner().run("SELECT clerk.disconnect_postgrest()");
    scene.call_until_quiet();
    scene.postgrest.restart();
    scene.let_time_pass();
    let report = maintain(&mut scene.project.owner());
    assert_eq!(report["postgrest"], json!({ "told": null }));
    assert_eq!(scene.settle(), 0);
}

#[test]
fn only_postgrests_session_is_its_listener() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let elsewhere = cluster.create_database();
    let mut owner = db.superuser();
    let mut listens = || owner.value::<bool>("SELECT clerk.postgrest_listener() IS NOT NULL");
    for (session, statement, counts) in [
        (db.connect("app"), "LISTEN \"pgrst\"", false),
        (elsewhere.connect("authenticator"), "LISTEN \"pgrst\"", false),
        (db.connect("authenticator"), "LISTEN other", false),
        (db.connect("authenticator"), "SELECT 'LISTEN \"pgrst\"'", false),
        (db.connect("authenticator"), "LISTEN pgrst", true),
        (db.connect("authenticator"), "LISTEN \"pgrst\"", true),
    ] {
        let mut session = session;
        session.run(statement);
        assert_eq!(listens(), counts, "{statement}");
        session.run("SELECT 1");
        assert!(!listens(), "it is used for something else since");
    }
}

/// The longest that a row may take at defaults: two intervals; ten minutes where nothing shows what happened.
fn limit(row: &Row) -> Duration {
    Duration::from_secs(if row.is_unseen { 600 } else { 120 })
}

#[test]
#[ignore = "takes minutes: scripts/postgrest-matrix"]
fn every_row_recovers_by_the_launcher_at_defaults() {
    scope(|threads| {
        for (number, row) in ROWS.iter().enumerate() {
            threads.spawn(move || {
                // At different times since the last round.
                sleep(Duration::from_secs(5 * number as u64));
                let (time, limit) = (time_at_defaults(row), limit(row));
                println!(
                    "{:<46} {:>5.1} s of at most {limit:?}",
                    row.name,
                    time.as_secs_f64()
                );
                assert!(time <= limit, "{}: {time:?}", row.name);
            });
        }
    });
}

/// How long Clerk's tokens were refused, as long as they were refused at all.
fn time_at_defaults(row: &Row) -> Duration {
    /// More than an interval: what is going to be told is told by then.
    const STEADY: Duration = Duration::from_secs(70);
    let cluster = as_supabase(Cluster::start(&[("shared_preload_libraries", "clerk_sync")]));
    let mut scene = Scene::new(&cluster);
    wait_until("PostgREST has the keys", || {
        maintain(&mut scene.project.owner());
        scene.settle();
        scene.is_signed_in()
    });
    scene.call_until_quiet();
    (row.lose)(&mut scene);
    let lost = Instant::now();
    let mut recovered = lost;
    let mut steady_since = lost;
    while steady_since.elapsed() < STEADY {
        scene.postgrest.tick();
        if !scene.is_signed_in() {
            recovered = Instant::now();
            steady_since = recovered;
        }
        assert!(lost.elapsed() < limit(row) + STEADY, "{}", row.name);
    }
    recovered - lost
}
