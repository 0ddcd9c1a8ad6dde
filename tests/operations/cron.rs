//! Without the library preloaded, pg_cron does what the launcher would.

use clerk_sim::{Fault, Rotation, Simulator};
use clerk_tests::{Cluster, Sql};

use crate::handover::as_supabase;
use crate::handover::project::Project;
use crate::handover::rotation::hard_rotation;
use crate::scene::{last_round, launcher, token_of, verified, wait_until};

/// The line of the manual.
const SCHEDULE: &str = "SELECT cron.schedule('clerk_sync', '* * * * *', 'select clerk.maintain()')";

/// A server with pg_cron in the database `postgres`.
fn with_cron() -> Cluster {
    let cluster = Cluster::start(&[("shared_preload_libraries", "pg_cron")]);
    // pg_cron connects as any client does, and the server listens in its own directory only.
    let socket = cluster
        .directory()
        .to_str()
        .expect("the path is UTF-8")
        .to_owned();
    cluster.configure(&[("cron.host", &socket)]);
    cluster.restart();
    cluster
}

#[test]
fn a_rotated_key_is_live_within_a_minute_with_nobody_connected() {
    let cluster = with_cron();
    let clerk = Simulator::start();
    let mut owner = cluster.superuser();
    owner.run("CREATE EXTENSION pg_cron; CREATE EXTENSION clerk_sync");
    assert_eq!(launcher(&mut owner), None);
    owner
        .execute(
            "SELECT clerk.configure(issuer => $1, jwks_url => $2)",
            &[&clerk.issuer(), &clerk.jwks_url()],
        )
        .expect("the instance can be configured");
    let old = token_of(&clerk, "user_old");
    assert_eq!(verified(&mut owner, &old), Ok("user_old".to_owned()));
    let requests = clerk.jwks_requests();
    clerk.rotate(Rotation::New);
    owner.run(SCHEDULE);
    drop(owner);

    wait_for("keys are fetched", || clerk.jwks_requests() > requests);
    // Once the round that fetched has ended, no session needs to, nor can.
    let mut owner = cluster.superuser();
    wait_until("the round has ended", || last_round(&mut owner, "sql") > 0);
    clerk.fault(Fault::Down);
    let new = token_of(&clerk, "user_new");
    assert_eq!(verified(&mut owner, &new), Ok("user_new".to_owned()));
    assert_eq!(verified(&mut owner, &old), Err("jwk-kid-mismatch".to_owned()));
    let succeeded = "SELECT count(*) FROM cron.job_run_details WHERE status = 'succeeded'";
    wait_until("pg_cron says so too", || owner.value::<i64>(succeeded) > 0);
    cluster.assert_no_crash();
}

/// The server listens nowhere but in its own directory, and pg_cron at `localhost` looks elsewhere.
#[test]
fn a_job_that_cannot_log_in_is_told_by_the_doctor() {
    let cluster = Cluster::start(&[
        ("shared_preload_libraries", "pg_cron"),
        ("cron.host", "localhost"),
    ]);
    let mut owner = cluster.superuser();
    owner.run("CREATE EXTENSION pg_cron; CREATE EXTENSION clerk_sync");
    owner.run(SCHEDULE);
    let query = "SELECT found || ' | ' || mend FROM clerk.doctor() WHERE area = 'maintenance' AND \"check\" = 'rounds'";
    let told: String = owner.value(query);
    let is_first_minute: bool = owner.value("SELECT NOT EXISTS (SELECT FROM cron.job_run_details)");
    assert!(
        !is_first_minute || told.contains("has not run yet | Wait"),
        "{told}"
    );
    let tried = "SELECT EXISTS (SELECT FROM cron.job_run_details WHERE status = 'failed')";
    wait_for("pg_cron has tried", || owner.value::<bool>(tried));
    let told: String = owner.value(query);
    assert!(
        told.contains(", as role postgres, failed: connection failed | "),
        "{told}"
    );
    assert!(told.contains(" | Set cron.use_background_workers = on"), "{told}");
    cluster.assert_no_crash();
}

/// From another database, as a superuser, with everything handed over.
#[test]
fn a_rotated_key_is_handed_over_within_a_minute_with_nobody_connected() {
    let cluster = as_supabase(with_cron());
    let project = Project::bare(&cluster);
    project.connect();
    project.assert_handed_over("before");
    let requests = project.clerk.jwks_requests();
    project.clerk.rotate(Rotation::New);
    schedule(&cluster, &project);
    wait_for("keys are fetched", || project.clerk.jwks_requests() > requests);
    // What a call does is seen when it has ended.
    let fetched =
        "SELECT EXISTS (SELECT FROM clerk.maintenance_rounds WHERE report->'keys'->>'fetched' = '1')";
    wait_until("the call has ended", || project.owner().value::<bool>(fetched));
    project.clerk.fault(Fault::Down);
    project.assert_handed_over("after a call by pg_cron");
}

#[test]
#[ignore = "takes minutes: scripts/postgrest-matrix"]
fn a_hard_rotation_is_over_in_time_by_cron_at_defaults() {
    let cluster = as_supabase(with_cron());
    let project = Project::bare(&cluster);
    project.connect();
    schedule(&cluster, &project);
    hard_rotation(&project, "pg_cron every minute", 130);
}

/// From another database, as a superuser.
fn schedule(cluster: &Cluster, project: &Project) {
    cluster.superuser().run(&format!(
        "CREATE EXTENSION pg_cron;
         SELECT cron.schedule_in_database('clerk_sync', '* * * * *', 'select clerk.maintain()', '{}')",
        project.db.name()
    ));
}

/// pg_cron begins at the full minute, which may be as long as that away.
fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    for _ in 0..1_200 {
        if happened() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("not within two minutes: {what}");
}
