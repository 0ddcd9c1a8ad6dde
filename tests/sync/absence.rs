//! What is gone at Clerk without a webhook having told so.

use clerk_sim::{Adversity, ApiFault, FaultPlan, Resource};
use clerk_tests::Sql;

use crate::scene::{Scene, deliver, done, run, sum, told, world};

#[test]
fn lost_deletions_are_found() {
    for seed in [11, 12] {
        let mut options = world(seed);
        options.users = 40..=200;
        let (scene, history) = Scene::shared(options, 1_200);
        let mut owner = scene.owner();
        let heard = history
            .iter()
            .filter(|event| !event.event_type.ends_with(".deleted"));
        for events in heard.collect::<Vec<_>>().chunks(200) {
            deliver(&mut owner, events.iter().copied());
        }
        scene.later();
        let told = done(
            &mut owner,
            "SELECT clerk.start_reconcile(full => true, confirm_missing => true)",
        );
        scene.assert_truth("after a full reconcile");
        let truth = scene.clerk.world().truth();
        for resource in [
            Resource::Users,
            Resource::Organizations,
            Resource::OrganizationMemberships,
        ] {
            let gone = truth.of(resource).values().filter(|fact| !fact.exists).count();
            assert!(gone > 0, "the world is large enough to show something");
            let missing = told["steps"][resource.as_str()]["missing"].as_i64();
            assert!(missing.is_some_and(|missing| missing > 0), "{resource}: {told:#}");
        }
        assert_eq!(
            sum(&told, "repaired"),
            sum(&told, "inserted") + sum(&told, "changed") + sum(&told, "missing")
        );
        // What was lost comes after all.
        for events in history.chunks(200) {
            deliver(&mut owner, events);
        }
        scene.assert_truth("after late webhooks");
    }
}

#[test]
fn an_empty_answer_does_not_wipe_the_mirror() {
    let (scene, _) = Scene::shared(world(13), 400);
    let mut owner = scene.owner();
    done(&mut owner, "SELECT clerk.start_backfill()");
    scene.later();
    let existing: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::EmptyList).on("/users").always());
    let (id, state) = run(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    let refused = told(&mut owner, id);
    assert_eq!(state, "failed", "{refused:#}");
    let error = refused["last_error"].as_str().unwrap_or_default();
    assert!(
        error.contains("users") && error.contains(&existing.to_string()),
        "{error}"
    );
    assert!(
        refused["last_hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("confirm_missing => true")),
        "the way to confirm is said: {refused:#}"
    );
    assert_eq!(refused["steps"]["users"]["missing"], 0);
    assert!(
        refused["steps"]["organizations"]["finished_at"].is_string(),
        "the other tables are read: {refused:#}"
    );
    let after: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    assert_eq!(after, existing, "nobody is gone");

    // The administrator insists, wrongly.
    scene.later();
    let told = done(
        &mut owner,
        "SELECT clerk.start_reconcile(full => true, confirm_missing => true)",
    );
    assert_eq!(told["steps"]["users"]["missing"], existing, "{told:#}");
    let after: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    assert_eq!(after, 0);
    // It heals at the next sighting.
    scene.clerk.clear_api_faults();
    scene.later();
    done(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    scene.assert_truth("after a wrong inference");
}

#[test]
fn a_short_answer_does_not_wipe_the_mirror() {
    let mut options = world(14);
    options.users = 60..=200;
    let (scene, _) = Scene::shared(options, 600);
    let mut owner = scene.owner();
    done(&mut owner, "SELECT clerk.start_backfill()");
    scene.later();
    let existing: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::ShortList).on("/users").always());
    let (id, state) = run(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    let after: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    assert_eq!(after, existing, "{state}: {:#}", told(&mut owner, id));
    scene.clerk.clear_api_faults();
    scene.later();
    done(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    scene.assert_truth("after short answers");
}

#[test]
fn what_was_not_listed_is_asked_for_before_it_is_taken_for_gone() {
    for (path, table) in [
        ("/users", "users"),
        ("/organizations", "organizations"),
        ("/organization_memberships", "organization_memberships"),
        ("/organization_roles", "roles"),
    ] {
        let mut options = world(18);
        options.users = 30..=100;
        let (scene, _) = Scene::shared(options, 400);
        let mut owner = scene.owner();
        done(&mut owner, "SELECT clerk.start_backfill()");
        let existing = format!("SELECT count(*) FROM clerk.existing_{table}");
        let before: i64 = owner.value(&existing);
        assert!(before > 0, "{table}");
        // How often a list that is empty is read.
        scene.later();
        scene
            .clerk
            .plan_fault(FaultPlan::once(ApiFault::EmptyList).on(path).always());
        let asked = scene.asked(path);
        let (_, state) = run(&mut owner, "SELECT clerk.start_reconcile(full => true)");
        assert_eq!(state, "failed", "{table}");
        let asked = scene.asked(path) - asked;
        scene.clerk.clear_api_faults();
        // The list is empty so often, and then the truth is told.
        scene.later();
        scene
            .clerk
            .plan_fault(FaultPlan::once(ApiFault::EmptyList).on(path).times(asked));
        let told = done(
            &mut owner,
            "SELECT clerk.start_reconcile(full => true, confirm_missing => true)",
        );
        assert_eq!(told["steps"][table]["missing"], 0, "{table}: {told:#}");
        assert_eq!(owner.value::<i64>(&existing), before, "{table}");
        scene.assert_truth(table);
    }
}

#[test]
fn how_many_are_too_many_is_a_setting() {
    let mut options = world(15);
    options.users = 60..=100;
    let (scene, history) = Scene::shared(options, 300);
    let mut owner = scene.owner();
    deliver(&mut owner, &history);
    // So many users were never there: a sixth of those that are known.
    owner.run(
        "SELECT clerk.apply_event(jsonb_build_object('type', 'user.created', 'object', 'event', 'timestamp', 1700000000000,
             'instance_id', 'ins_sim', 'data', jsonb_build_object('id', 'user_never' || n, 'object', 'user',
             'updated_at', 1700000000000, 'created_at', 1700000000000)))
         FROM generate_series(1, (SELECT ceil(count(*) / 5.0) FROM clerk.existing_users)::integer) AS n",
    );
    scene.later();
    owner.run("SELECT clerk.configure_mirror(missing_threshold => 0.05)");
    let (id, state) = run(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    assert_eq!(state, "failed", "{:#}", told(&mut owner, id));
    let left: i64 = owner.value("SELECT count(*) FROM clerk.existing_users WHERE id LIKE 'user_never%'");
    assert!(left > 10, "{left}");
    owner.run("SELECT clerk.configure_mirror(missing_threshold => 0.2)");
    scene.later();
    done(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    let left: i64 = owner.value("SELECT count(*) FROM clerk.existing_users WHERE id LIKE 'user_never%'");
    assert_eq!(left, 0);
    scene.assert_truth("after both");
}

#[test]
fn rows_that_slip_through_the_pages_are_not_taken_for_gone() {
    let mut options = world(16);
    options.adversity = Adversity::hostile();
    options.users = 700..=900;
    options.organizations = 700;
    let (scene, history) = Scene::shared(options, 6_000);
    let mut owner = scene.owner();
    for events in history.chunks(500) {
        deliver(&mut owner, events);
    }
    // So much is lost here that it would look suspicious.
    owner.run("SELECT clerk.configure_mirror(missing_threshold => 0.6)");
    // People and organizations are deleted between pages, so offsets move; nothing of that is told.
    scene.clerk.keep_living(1, 20);
    let (id, state) = run(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    assert_eq!(state, "done", "{:#}", told(&mut owner, id));
    scene.clerk.keep_living(0, 0);
    let truth = scene.clerk.world().truth();
    let wrongly: Vec<String> = owner
        .query("SELECT id FROM clerk.organizations WHERE deleted UNION ALL SELECT id FROM clerk.users WHERE deleted", &[])
        .expect("rows can be read")
        .iter()
        .map(|row| row.get::<_, String>(0))
        .filter(|id| {
            let of = |resource| truth.fact(resource, id).is_some_and(|fact| fact.exists);
            of(Resource::Users) || of(Resource::Organizations)
        })
        .collect();
    assert!(wrongly.is_empty(), "taken for gone: {wrongly:?}");
    scene.later();
    done(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    scene.assert_truth("once the world stands still");
}

#[test]
fn handlers_hear_of_repairs() {
    let (scene, history) = Scene::shared(world(17), 300);
    let mut owner = scene.owner();
    deliver(
        &mut owner,
        history.iter().filter(|event| event.event_type != "user.deleted"),
    );
    owner.run(
        "CREATE TABLE heard (type text, id text);
         CREATE FUNCTION hear(event jsonb) RETURNS void LANGUAGE sql
             AS $$ INSERT INTO public.heard VALUES (event ->> 'type', event -> 'data' ->> 'id') $$;
         SELECT clerk.on_event('user.*', 'hear', include_repairs => true)",
    );
    scene.later();
    let told = done(
        &mut owner,
        "SELECT clerk.start_reconcile(full => true, confirm_missing => true)",
    );
    let missing = told["steps"]["users"]["missing"].as_i64().expect("a number");
    assert!(missing > 0);
    crate::scene::wait_until("the handler heard of everybody who is gone", || {
        let heard: i64 = owner.value("SELECT count(DISTINCT id) FROM heard WHERE type = 'user.deleted'");
        (heard == missing).then_some(())
    });
}
