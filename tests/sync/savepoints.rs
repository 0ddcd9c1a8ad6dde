//! What functions do outside their transaction, they do when it has committed, and not if a savepoint before them was rolled back.

use clerk_sim::{ApiFault, FaultPlan};
use clerk_tests::{Cluster, Sql};
use postgres::Client;

use crate::interruptions::{hang, workers};
use crate::scene::{Scene, state, told, wait, wait_until, world};

/// A server that logs what workers are asked for, and whose rounds come only when they are asked for.
fn server() -> Cluster {
    server_with("clerk_sync")
}

/// A server that has no rounds, which start workers as well.
fn server_without_rounds() -> Cluster {
    server_with("")
}

fn server_with(preloaded: &str) -> Cluster {
    Cluster::start(&[
        ("shared_preload_libraries", preloaded),
        ("session_preload_libraries", "clerk_sync"),
        ("clerk.maintain_interval", "1h"),
        ("clerk.api_timeout", "3s"),
        ("max_prepared_transactions", "2"),
        ("log_min_messages", "debug1"),
    ])
}

/// How many workers of that name were asked for so far.
fn registered(cluster: &Cluster, name: &str) -> usize {
    let line = format!(" registering background worker \"clerk_sync: {name}\"");
    cluster.log().matches(&line).count()
}

#[test]
fn what_was_rolled_back_cancels_no_run() {
    let cluster = server();
    let (scene, _) = Scene::on(&cluster, world(110), 100);
    scene.quiet();
    let mut owner = scene.owner();
    for (at, cancel) in ["clerk.cancel_run({id})", "clerk.start_backfill(restart => true)"]
        .iter()
        .enumerate()
    {
        let run = hang(&scene, &mut owner);
        let cancel = cancel.replace("{id}", &run.to_string());
        for transaction in [
            format!("BEGIN; SAVEPOINT s; SELECT {cancel}; ROLLBACK TO s; COMMIT"),
            // Released into one that is rolled back.
            format!("BEGIN; SAVEPOINT s; SAVEPOINT t; SELECT {cancel}; RELEASE t; ROLLBACK TO s; COMMIT"),
            format!(
                "DO $$ BEGIN PERFORM {cancel}; RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END $$"
            ),
            format!("BEGIN; SELECT {cancel}; ROLLBACK"),
            format!("BEGIN; SELECT {cancel}; PREPARE TRANSACTION 'p{at}'"),
            format!("ROLLBACK PREPARED 'p{at}'"),
        ] {
            owner.run(&transaction);
            assert_eq!(state(&mut owner, run), "running", "{transaction}");
        }
        scene.clerk.clear_api_faults();
        // Its request fails after a while, and then it goes on.
        assert_eq!(wait(&mut owner, run), "done", "{:#}", told(&mut owner, run));
    }
}

#[test]
fn what_was_released_cancels_the_run() {
    let cluster = server();
    let (scene, _) = Scene::on(&cluster, world(111), 100);
    scene.quiet();
    let mut owner = scene.owner();
    let run = hang(&scene, &mut owner);
    let request = scene.asked("/organizations");
    // A cancel that was rolled back before is none the less one.
    owner.run(&format!(
        "BEGIN; SAVEPOINT s; SELECT clerk.cancel_run({run}); ROLLBACK TO s; SAVEPOINT t; SELECT clerk.cancel_run({run}); RELEASE t; COMMIT"
    ));
    wait_until("its worker has ended", || {
        (workers(&mut owner) == 0).then_some(())
    });
    assert_eq!(state(&mut owner, run), "cancelled");
    assert_eq!(scene.asked("/organizations"), request, "it did not ask again");
}

#[test]
fn what_was_rolled_back_starts_no_worker() {
    let cluster = server_without_rounds();
    let (scene, _) = Scene::on(&cluster, world(112), 50);
    scene.quiet();
    let mut owner = scene.owner();
    owner.run(
        "CREATE FUNCTION public.note(event jsonb) RETURNS void LANGUAGE sql AS ''; SELECT clerk.on_event('*', 'public.note')",
    );
    let event = |number: u32| {
        format!(
            "clerk.apply_event('{{\"object\":\"event\",\"type\":\"user.created\",\"timestamp\":1,
             \"data\":{{\"object\":\"user\",\"id\":\"user_{number}\",\"created_at\":1,\"updated_at\":1}}}}', 'msg_{number}')"
        )
    };
    for (name, call) in [
        ("sync runs", "clerk.sync_user('user_ada')".to_owned()),
        ("run handlers", event(1)),
    ] {
        idle(&mut owner);
        let before = registered(&cluster, name);
        owner.run(&format!(
            "BEGIN; SAVEPOINT s; SELECT {call}; ROLLBACK TO s; COMMIT"
        ));
        // The server logs in the order of the requests, but not at once.
        owner.run(&format!("BEGIN; SAVEPOINT s; SELECT {call}; RELEASE s; COMMIT"));
        wait_until("the worker is logged", || {
            (registered(&cluster, name) > before).then_some(())
        });
        idle(&mut owner);
        assert_eq!(registered(&cluster, name), before + 1, "{name}");
    }
}

/// A round that is asked for comes, although the next one is due in an hour.
#[test]
fn what_was_rolled_back_wakes_nobody() {
    let cluster = server();
    let (quiet, waking) = (cluster.create_database(), cluster.create_database());
    let configure = "SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '', authorized_parties => ARRAY['https://' || gen_random_uuid()])";
    let rounds = |session: &mut Client| -> i64 {
        session.value("SELECT count(*) FROM clerk.maintenance_rounds WHERE finished_at IS NOT NULL")
    };
    let (mut quiet, mut waking) = (quiet.superuser(), waking.superuser());
    let have_round = |session: &mut Client| {
        let before = rounds(session);
        session.run(configure);
        wait_until("the round that was asked for", || {
            (rounds(session) > before).then_some(())
        });
    };
    // A second one of the other database begins after what was asked for here before.
    for session in [&mut quiet, &mut waking] {
        have_round(session);
        have_round(session);
    }
    idle(&mut quiet);
    let before = [rounds(&mut quiet), rounds(&mut waking)];
    quiet.run(&format!("BEGIN; SAVEPOINT s; {configure}; ROLLBACK TO s; COMMIT"));
    waking.run(&format!("BEGIN; SAVEPOINT s; {configure}; RELEASE s; COMMIT"));
    wait_until("a round where it was committed", || {
        (rounds(&mut waking) > before[1]).then_some(())
    });
    have_round(&mut waking);
    idle(&mut quiet);
    assert_eq!(rounds(&mut quiet), before[0]);
}

fn idle(owner: &mut Client) {
    wait_until("no worker is there", || (workers(owner) == 0).then_some(()));
}

#[test]
fn effects_of_one_transaction_happen_once() {
    let cluster = server_without_rounds();
    let (scene, _) = Scene::on(&cluster, world(113), 50);
    scene.quiet();
    let mut owner = scene.owner();
    idle(&mut owner);
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::Stall).on("/users").always());
    let before = registered(&cluster, "sync runs");
    owner.run("SELECT count(clerk.sync_user('user_' || n)) FROM generate_series(1, 100) AS n");
    wait_until("a worker is at work", || {
        (scene.asked("/users") > 0).then_some(())
    });
    assert_eq!(registered(&cluster, "sync runs"), before + 1);
}
