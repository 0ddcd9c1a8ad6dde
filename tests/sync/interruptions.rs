//! Cancel, shutdown, SIGKILL, locks: nothing is lost, nothing is stuck.

use std::thread;
use std::time::{Duration, Instant};

use clerk_sim::{ApiFault, FaultPlan, WorldOptions};
use clerk_tests::{Cluster, Sql};
use postgres::Client;

use crate::scene::{Scene, done, state, told, wait, wait_until, world};

/// A request is stalled by the simulator for longer than this.
const PROMPT: Duration = Duration::from_secs(15);

pub fn workers(owner: &mut Client) -> i64 {
    owner.value(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'clerk_sync worker' AND datname = current_database()",
    )
}

/// Begins a backfill that hangs when it comes to organizations.
pub fn hang(scene: &Scene, owner: &mut Client) -> i64 {
    let before = scene.asked("/organizations");
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::Stall).on("/organizations").always());
    let id: i64 = owner.value("SELECT clerk.start_backfill()");
    wait_until("organizations are asked for", || {
        (scene.asked("/organizations") > before).then_some(())
    });
    id
}

#[test]
fn a_cancelled_backfill_stops_at_once_and_goes_on_where_it_was() {
    let (scene, _) = Scene::shared(world(41), 400);
    let mut owner = scene.owner();
    let id = hang(&scene, &mut owner);
    let started = Instant::now();
    assert!(owner.value::<bool>(&format!("SELECT clerk.cancel_run({id})")));
    assert_eq!(state(&mut owner, id), "cancelled");
    wait_until("its worker has ended", || {
        (workers(&mut owner) == 0).then_some(())
    });
    assert!(started.elapsed() < PROMPT, "took {:?}", started.elapsed());
    assert!(
        !owner.value::<bool>(&format!("SELECT clerk.cancel_run({id})")),
        "it is over already"
    );
    let pages = scene.pages_of_users();
    assert!(pages > 0);
    scene.clerk.clear_api_faults();
    let again: i64 = owner.value("SELECT clerk.start_backfill()");
    assert_eq!(again, id, "the same run goes on");
    assert_eq!(wait(&mut owner, id), "done");
    assert_eq!(scene.pages_of_users(), pages, "what was read is not read again");
    scene.assert_truth("after the backfill went on");
    // With restart it begins anew.
    let anew: i64 = owner.value("SELECT clerk.start_backfill(restart => true)");
    assert_ne!(anew, id);
    assert_eq!(wait(&mut owner, anew), "done");
}

#[test]
fn a_list_is_gone_on_with_in_the_middle() {
    let (scene, _) = Scene::shared(
        WorldOptions {
            users: 1_800..=1_900,
            ..world(50)
        },
        0,
    );
    scene.clerk.world().settle(1_800, 0, 0);
    let mut owner = scene.owner();
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::Stall).on("/users").after(2).always());
    let id: i64 = owner.value("SELECT clerk.start_backfill(ARRAY['users'])");
    wait_until("the third page is asked for", || {
        (scene.asked("/users") == 3).then_some(())
    });
    // The last of a page comes again.
    assert_eq!(told(&mut owner, id)["steps"]["users"]["done"], 999);
    owner.run(&format!("SELECT clerk.cancel_run({id})"));
    scene.clerk.clear_api_faults();
    let before = scene.clerk.api_requests().len();
    assert_eq!(
        done(&mut owner, "SELECT clerk.start_backfill(ARRAY['users'])")["id"],
        id
    );
    let requests = scene.clerk.api_requests();
    let pages: Vec<_> = requests[before..]
        .iter()
        .filter(|request| request.path == "/users")
        .collect();
    assert!(!pages.is_empty());
    for page in pages {
        assert!(
            page.query.contains("starting_after="),
            "from the beginning again: {}",
            page.query
        );
    }
    let users: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    assert_eq!(users, 1_800);
}

#[test]
fn restart_ends_a_backfill_that_is_under_way() {
    let (scene, _) = Scene::shared(world(42), 200);
    let mut owner = scene.owner();
    let first = hang(&scene, &mut owner);
    scene.clerk.clear_api_faults();
    let second: i64 = owner.value("SELECT clerk.start_backfill(restart => true)");
    assert_ne!(first, second);
    assert_eq!(wait(&mut owner, second), "done");
    assert_eq!(state(&mut owner, first), "cancelled");
    scene.assert_truth("after the second");
}

#[test]
fn only_the_run_that_is_meant_is_cancelled() {
    let (scene, _) = Scene::shared(world(51), 200);
    let mut owner = scene.owner();
    let first = hang(&scene, &mut owner);
    let second: i64 = owner.value("SELECT clerk.start_reconcile(full => true)");
    scene.clerk.clear_api_faults();
    owner.run(&format!("SELECT clerk.cancel_run({first})"));
    assert_eq!(wait(&mut owner, second), "done", "{:#}", told(&mut owner, second));
    assert_eq!(state(&mut owner, first), "cancelled");
}

#[test]
fn a_renamed_instance_keeps_its_runs() {
    let (scene, _) = Scene::shared(world(52), 200);
    let mut owner = scene.owner();
    let id = hang(&scene, &mut owner);
    owner
        .execute(
            "SELECT clerk.configure(issuer => 'https://new.sim.test', other_issuers => ARRAY[$1], jwks_url => '')",
            &[&scene.clerk.issuer()],
        )
        .expect("the instance can be renamed");
    // Its worker does not know, and must not go on as for an instance without rules.
    scene.clerk.clear_api_faults();
    owner.run(&format!(
        "SELECT pg_terminate_backend(worker_pid, 10000) FROM clerk.sync_runs WHERE id = {id}"
    ));
    owner.run("SELECT clerk.maintain()");
    assert_eq!(wait(&mut owner, id), "done", "{:#}", told(&mut owner, id));
    let issuer: String = owner.value_of("SELECT issuer FROM clerk.sync_runs WHERE id = $1", &[&id]);
    assert_eq!(issuer, "https://new.sim.test");
    scene.assert_truth("under the new name");
}

#[test]
fn a_rolled_back_start_starts_nothing() {
    let (scene, _) = Scene::shared(world(43), 50);
    let mut owner = scene.owner();
    let mut transaction = owner.transaction().expect("a transaction can begin");
    let _: i64 = transaction.value("SELECT clerk.start_backfill()");
    transaction.rollback().expect("it can be rolled back");
    let runs: i64 = owner.value("SELECT count(*) FROM clerk.sync_runs");
    assert_eq!(runs, 0);
    assert_eq!(scene.asked("/users"), 0);
}

#[test]
fn pg_cancel_backend_cancels_the_run() {
    let (scene, _) = Scene::shared(world(44), 100);
    let mut owner = scene.owner();
    let id = hang(&scene, &mut owner);
    owner.run(&format!(
        "SELECT pg_cancel_backend(worker_pid) FROM clerk.sync_runs WHERE id = {id}"
    ));
    assert_eq!(wait(&mut owner, id), "cancelled");
}

#[test]
fn a_terminated_worker_ends_at_once_and_maintain_goes_on() {
    let (scene, _) = Scene::shared(world(45), 300);
    let mut owner = scene.owner();
    let id = hang(&scene, &mut owner);
    let started = Instant::now();
    owner.run(&format!(
        "SELECT pg_terminate_backend(worker_pid) FROM clerk.sync_runs WHERE id = {id}"
    ));
    wait_until("the worker has ended", || {
        (workers(&mut owner) == 0).then_some(())
    });
    assert!(started.elapsed() < PROMPT, "took {:?}", started.elapsed());
    assert_eq!(state(&mut owner, id), "running", "nobody has said otherwise");
    scene.clerk.clear_api_faults();
    owner.run("SELECT clerk.maintain()");
    assert_eq!(wait(&mut owner, id), "done", "{:#}", told(&mut owner, id));
    scene.assert_truth("after maintain went on");
}

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let cluster = Cluster::start(&[("fsync", "on"), ("synchronous_commit", "on")]);
    let (scene, _) = Scene::on(&cluster, world(46), 400);
    let mut owner = scene.owner();
    let id = hang(&scene, &mut owner);
    let roles = scene.asked("/organization_roles");
    cluster.kill_hard();
    cluster.restart();
    scene.clerk.clear_api_faults();
    let mut owner = scene.owner();
    assert_eq!(state(&mut owner, id), "running");
    owner.run("SELECT clerk.maintain()");
    assert_eq!(wait(&mut owner, id), "done", "{:#}", told(&mut owner, id));
    assert_eq!(
        scene.asked("/organization_roles"),
        roles,
        "what was committed is not read again"
    );
    scene.assert_truth("after the crash");
}

#[test]
fn a_shutdown_does_not_wait_for_clerk() {
    let cluster = Cluster::start(&[]);
    let (scene, _) = Scene::on(&cluster, world(47), 100);
    let mut owner = scene.owner();
    let id = hang(&scene, &mut owner);
    drop(owner);
    let started = Instant::now();
    cluster.restart();
    assert!(started.elapsed() < PROMPT, "took {:?}", started.elapsed());
    scene.clerk.clear_api_faults();
    let mut owner = scene.owner();
    let same: i64 = owner.value("SELECT clerk.start_backfill()");
    assert_eq!(same, id);
    assert_eq!(wait(&mut owner, id), "done");
}

#[test]
fn a_row_that_somebody_holds_is_waited_for() {
    let (scene, _) = Scene::shared(world(48), 300);
    let mut owner = scene.owner();
    done(&mut owner, "SELECT clerk.start_backfill(ARRAY['users'])");
    scene.later();
    let mut holder = scene.owner();
    let mut transaction = holder.transaction().expect("a transaction can begin");
    transaction.run("SELECT FROM clerk.users ORDER BY id LIMIT 3 FOR UPDATE");
    let id: i64 = owner.value("SELECT clerk.start_backfill(ARRAY['users'])");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(state(&mut owner, id), "running");
    transaction.rollback().expect("the locks are released");
    assert_eq!(wait(&mut owner, id), "done");
    let told = told(&mut owner, id);
    assert_eq!(told["steps"]["users"]["failed"], 0, "{told:#}");
    scene.db.cluster().assert_no_crash();
}

#[test]
fn removing_the_instance_ends_its_runs() {
    let (scene, _) = Scene::shared(world(49), 100);
    let mut owner = scene.owner();
    let id = hang(&scene, &mut owner);
    owner.run(&format!(
        "SELECT clerk.remove_instance('{}')",
        scene.clerk.issuer()
    ));
    let runs: i64 = owner.value_of("SELECT count(*) FROM clerk.sync_runs WHERE id = $1", &[&id]);
    assert_eq!(runs, 0);
    scene.clerk.clear_api_faults();
}
