//! Clerk does not answer as it should.

use clerk_sim::{ApiFault, Chaos, FaultPlan};
use clerk_tests::Sql;

use crate::scene::{Scene, done, run, state, told, wait_until, world};

#[test]
fn one_request_in_twenty_fails_and_nothing_is_lost() {
    let (scene, _) = Scene::shared(world(51), 600);
    let mut owner = scene.owner();
    scene.clerk.set_chaos(Chaos {
        seed: 51,
        probability: 0.2,
        ..Chaos::default()
    });
    done(&mut owner, "SELECT clerk.start_backfill()");
    scene.assert_truth("after a backfill with faults");
}

#[test]
fn a_revoked_key_ends_the_run_with_a_clear_error() {
    let (scene, _) = Scene::shared(world(52), 50);
    let mut owner = scene.owner();
    scene.clerk.rotate_secret_key();
    let (id, state) = run(&mut owner, "SELECT clerk.start_backfill()");
    let told = told(&mut owner, id);
    assert_eq!(state, "failed", "{told:#}");
    let error = told["last_error"].as_str().unwrap_or_default();
    assert!(error.contains("clerk_key_invalid"), "{error}");
    assert!(
        told["last_hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("clerk.set_secret_key")),
        "{told:#}"
    );
    assert!(told["trace_id"].is_string(), "{told:#}");
    // With a good key the same run goes on.
    let key = scene.clerk.rotate_secret_key().replace("sk_test_", "sk_live_");
    scene.clerk.change_api(|api| api.secret_key.clone_from(&key));
    owner
        .execute("SELECT clerk.set_secret_key($1)", &[&key])
        .expect("the key can be set");
    let again = done(&mut owner, "SELECT clerk.start_backfill()");
    assert_eq!(again["id"], id);
    assert!(again["last_error"].is_null(), "{again:#}");
    scene.assert_truth("with a good key");
}

#[test]
fn what_may_pass_is_waited_for() {
    let (scene, _) = Scene::shared(world(53), 200);
    let mut owner = scene.owner();
    scene.clerk.plan_fault(
        FaultPlan::once(ApiFault::ServerError)
            .on("/organizations")
            .always(),
    );
    let id: i64 = owner.value("SELECT clerk.start_backfill()");
    wait_until("the run is put off", || {
        let told = told(&mut owner, id);
        (told["state"] == "queued" && told["next_attempt_at"].is_string()).then_some(())
    });
    let put_off = told(&mut owner, id);
    assert!(
        put_off["last_error"]
            .as_str()
            .is_some_and(|error| error.contains("500")),
        "{put_off:#}"
    );
    assert!(put_off["trace_id"].is_string(), "{put_off:#}");
    assert_eq!(put_off["attempts"], 1, "{put_off:#}");
    scene.clerk.clear_api_faults();
    // Its worker stays around for a wait as short as the first.
    assert_eq!(crate::scene::wait(&mut owner, id), "done");
    let told = told(&mut owner, id);
    assert!(told["last_error"].is_null() && told["attempts"] == 0, "{told:#}");
    scene.assert_truth("after it went on");
}

#[test]
fn what_does_not_pass_is_given_up() {
    let (scene, _) = Scene::shared(world(54), 50);
    let mut owner = scene.owner();
    owner.run("SELECT clerk.configure_mirror(max_attempts => 1)");
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::ServerError).on("/users").always());
    let (id, given_up) = run(&mut owner, "SELECT clerk.start_backfill(ARRAY['users'])");
    assert_eq!(given_up, "failed", "{:#}", told(&mut owner, id));
    assert_eq!(state(&mut owner, id), "failed");
}

#[test]
fn what_gets_stuck_in_the_middle_is_given_up_too() {
    let (scene, _) = Scene::shared(world(56), 50);
    let mut owner = scene.owner();
    owner.run("SELECT clerk.configure_mirror(max_attempts => 2)");
    scene.clerk.plan_fault(
        FaultPlan::once(ApiFault::ServerError)
            .on("/organizations")
            .always(),
    );
    let (id, given_up) = run(&mut owner, "SELECT clerk.start_backfill()");
    let given_up_told = told(&mut owner, id);
    assert_eq!(given_up, "failed", "{given_up_told:#}");
    assert_eq!(given_up_told["attempts"], 2, "{given_up_told:#}");
    // What came before is kept.
    assert!(
        given_up_told["steps"]["users"]["listed_at"].is_string(),
        "{given_up_told:#}"
    );
}

#[test]
fn a_feature_that_the_instance_does_not_have_is_passed_over() {
    let (scene, _) = Scene::shared(world(55), 400);
    let mut owner = scene.owner();
    scene.clerk.change_api(|api| {
        api.organizations = false;
        api.user_billing = false;
        api.organization_billing = false;
    });
    let told = done(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    let users: i64 = owner.value("SELECT count(*) FROM clerk.existing_users WHERE updated_at > '-infinity'");
    assert!(users > 0);
    for table in ["organizations", "subscriptions"] {
        let note = &told["steps"][table]["note"];
        assert!(
            note.as_str().is_some_and(|note| note.contains("403")),
            "{table}: {note}"
        );
    }
}
