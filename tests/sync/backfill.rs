//! History comes in.

use std::collections::BTreeMap;

use clerk_sim::{Adversity, ApiFault, Fact, FaultPlan, Resource};
use clerk_tests::Sql;
use postgres::types::Json;
use serde_json::json;

use crate::scene::{LISTED, Scene, deliver, done, run, state, sum, told, wait_until, world};

#[test]
fn everything_that_clerk_lists_is_there() {
    let (scene, _) = Scene::shared(world(1), 900);
    let mut owner = scene.owner();
    let told = done(&mut owner, "SELECT clerk.start_backfill()");
    scene.assert_truth("after the backfill");
    let truth = scene.clerk.world().truth();
    let mut objects = 0;
    for resource in LISTED {
        let existing = truth.of(resource).values().filter(|fact| fact.exists).count() as i64;
        let step = &told["steps"][resource.as_str()];
        assert!(step["finished_at"].is_string(), "{resource}: {step}");
        assert_eq!(step["inserted"], existing, "{resource}: {step}");
        objects += existing;
    }
    assert!(
        objects > 100,
        "the world is large enough to show something: {objects}"
    );
    let percents: i64 = owner.value("SELECT count(*) FROM clerk.sync_progress WHERE percent <> 100");
    assert_eq!(percents, 0);
    assert_eq!(told["requested_by"], "postgres");
}

#[test]
fn a_finished_backfill_does_not_stop_the_next_which_changes_nothing() {
    let (scene, _) = Scene::shared(world(2), 300);
    let mut owner = scene.owner();
    let first = done(&mut owner, "SELECT clerk.start_backfill()");
    scene.later();
    let second = done(&mut owner, "SELECT clerk.start_backfill()");
    assert_ne!(first["id"], second["id"]);
    assert!(sum(&first, "inserted") > 0);
    for column in ["inserted", "changed", "missing", "repaired", "failed"] {
        assert_eq!(sum(&second, column), 0, "{column}: {second:#}");
    }
    scene.assert_truth("after the second backfill");
}

#[test]
fn only_the_tables_that_were_named() {
    let (scene, _) = Scene::shared(world(3), 300);
    let mut owner = scene.owner();
    let told = done(
        &mut owner,
        "SELECT clerk.start_backfill(ARRAY['organizations', 'users'])",
    );
    assert_eq!(told["resources"], json!(["users", "organizations"]));
    let memberships: i64 = owner.value("SELECT count(*) FROM clerk.organization_memberships");
    assert_eq!(memberships, 0);
    let users: i64 = owner.value("SELECT count(*) FROM clerk.existing_users");
    assert!(users > 0);
}

#[test]
fn webhooks_may_arrive_at_the_same_time() {
    let mut options = world(4);
    options.adversity = Adversity::hostile();
    options.users = 30..=400;
    let (scene, history) = Scene::shared(options, 1_500);
    let mut owner = scene.owner();
    // Something happens between any two pages.
    scene.clerk.keep_living(1, 5);
    let id: i64 = owner.value("SELECT clerk.start_backfill()");
    // Latest first, so that the backfill and the webhooks are everywhere at odds.
    for events in history.rchunks(50) {
        deliver(&mut owner, events);
    }
    assert_eq!(
        crate::scene::wait(&mut owner, id),
        "done",
        "{:#}",
        told(&mut owner, id)
    );
    scene.clerk.keep_living(0, 0);
    deliver(&mut owner, &scene.clerk.take_events());
    scene.later();
    // Much that was told to be there ended silently.
    done(
        &mut owner,
        "SELECT clerk.start_reconcile(full => true, confirm_missing => true)",
    );
    scene.assert_truth("after backfill, webhooks and a full reconcile");
}

#[test]
fn an_object_that_cannot_be_stored_does_not_stop_the_others() {
    let (scene, _) = Scene::shared(world(5), 300);
    let mut owner = scene.owner();
    let truth = scene.clerk.world().truth();
    let users = truth.of(clerk_sim::Resource::Users);
    let mut existing = users
        .iter()
        .filter(|(_, fact)| fact.exists)
        .map(|(id, _)| id.clone());
    let victim = existing.next().expect("somebody exists");
    let others = existing.count() as i64;
    owner.run(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN IF new.first_name IS NOT NULL OR new.data <> ''{{}}'' THEN RAISE ''not this one''; END IF; RETURN new; END';
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON clerk.users FOR EACH ROW WHEN (new.id = '{victim}')
             EXECUTE FUNCTION refuse()"
    ));
    let told = done(&mut owner, "SELECT clerk.start_backfill(ARRAY['users'])");
    let step = &told["steps"]["users"];
    assert_eq!(step["failed"], 1, "{step}");
    assert_eq!(step["errors"][0]["id"], victim.as_str(), "{step}");
    assert!(
        step["errors"][0]["error"]
            .as_str()
            .is_some_and(|error| error.contains("not this one")),
        "{step}"
    );
    let stored: i64 = owner.value("SELECT count(*) FROM clerk.users WHERE updated_at > '-infinity'");
    assert_eq!(stored, others);
    // What is known of it goes with the person.
    owner.run("DROP TRIGGER refuse ON clerk.users");
    let deleted = json!({
        "type": "user.deleted", "object": "event", "instance_id": "ins_sim",
        "timestamp": scene.clerk.world().now_ms(), "data": { "id": victim, "object": "user", "deleted": true },
    });
    owner
        .execute("SELECT clerk.apply_event($1)", &[&Json(deleted)])
        .expect("the event can be applied");
    owner.run("SELECT clerk.maintain()");
    let error: String = owner.value(
        "SELECT errors -> 0 ->> 'error' FROM clerk.sync_steps WHERE resource = 'users' AND failed > 0",
    );
    assert_eq!(error, "P0001");
}

#[test]
fn a_call_tells_how_far_it_is() {
    let (scene, _) = Scene::shared(world(6), 300);
    let (mut client, notices) = scene.db.connect_with_notices("postgres");
    client.run("CALL clerk.backfill()");
    let told: Vec<String> = notices.take().into_iter().map(|notice| notice.message).collect();
    assert!(
        told.iter()
            .any(|line| line.starts_with("backfill 1 is under way") && line.contains("clerk.cancel_run(1)")),
        "{told:?}"
    );
    let users: i64 = client.value("SELECT count(*) FROM clerk.existing_users");
    let line = format!("users: {users} in ");
    assert!(
        told.iter()
            .any(|told| told.starts_with(&line) && told.contains(&format!("{users} new, 0 changed"))),
        "{line} in {told:?}"
    );
    scene.assert_truth("after the call");
    let failure = client.failure("CALL clerk.backfill(instance => 'nobody')");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    scene.clerk.rotate_secret_key();
    let failure = client.failure("CALL clerk.reconcile(full => true)");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(
        failure.message.starts_with("reconcile 2 failed: ") && failure.message.contains("401"),
        "{failure:?}"
    );
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("clerk.set_secret_key")),
        "the next step is said"
    );
    client.run("BEGIN");
    let failure = client.failure("CALL clerk.backfill()");
    assert_eq!(failure.sqlstate, "25001", "it commits: {failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.starts_with("Run SELECT clerk.start_backfill(),"))
    );
    client.run("ROLLBACK");
    client.run(
        "CREATE FUNCTION pg_temp.call() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL clerk.reconcile(); END'",
    );
    let failure = client.failure("SELECT pg_temp.call()");
    assert_eq!(failure.sqlstate, "25001", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.starts_with("Run SELECT clerk.start_reconcile(),"))
    );
    // A procedure that is called by itself may commit.
    client.run("CREATE PROCEDURE public.call() LANGUAGE plpgsql AS 'BEGIN CALL clerk.backfill(instance => ''nobody''); END'");
    let failure = client.failure("CALL public.call()");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
}

#[test]
fn a_call_tells_what_it_waits_for() {
    let (scene, _) = Scene::shared(world(6), 50);
    let mut owner = scene.owner();
    scene.clerk.plan_fault(FaultPlan::once(ApiFault::Stall));
    let other: i64 = owner.value("SELECT clerk.start_reconcile()");
    wait_until("it is under way", || {
        (state(&mut owner, other) == "running").then_some(())
    });
    let (mut client, notices) = scene.db.connect_with_notices("postgres");
    let call = std::thread::spawn(move || client.run("CALL clerk.backfill()"));
    let line = format!("waits for reconcile {other}, which is under way");
    wait_until("the call says so", || {
        notices
            .take()
            .iter()
            .any(|notice| notice.message == line)
            .then_some(())
    });
    owner.run(&format!("SELECT clerk.cancel_run({other})"));
    call.join().expect("then it is its turn");
    scene.assert_truth("after the call");
}

#[test]
fn one_run_after_the_other() {
    let (scene, _) = Scene::shared(world(7), 200);
    let mut owner = scene.owner();
    let ids: Vec<i64> = owner
        .query(
            "SELECT clerk.start_backfill(ARRAY[t]) FROM unnest(ARRAY['users', 'organizations', 'roles', 'invitations']) AS t",
            &[],
        )
        .expect("runs can be asked for in one statement")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(ids.len(), 4);
    for id in &ids {
        assert_eq!(crate::scene::wait(&mut owner, *id), "done");
    }
    let overlapping: i64 = owner.value(
        "SELECT count(*) FROM clerk.sync_runs AS a JOIN clerk.sync_runs AS b ON a.id < b.id AND b.started_at < a.finished_at",
    );
    assert_eq!(overlapping, 0);
    let (id, state) = run(&mut owner, "SELECT clerk.start_backfill()");
    assert_eq!(state, "done", "{:#}", told(&mut owner, id));
    scene.assert_truth("after all of them");
}

#[test]
fn who_pays_for_what() {
    let (scene, _) = Scene::shared(world(8), 1_500);
    let mut owner = scene.owner();
    done(&mut owner, "SELECT clerk.start_backfill()");
    let truth = scene.clerk.world().truth();
    // Clerk gives a subscription by its payer only, so not that of one who is gone.
    let exists = |id: &str| {
        let of = |resource| truth.fact(resource, id).is_some_and(|fact| fact.exists);
        of(Resource::Users) || of(Resource::Organizations)
    };
    // Nor if no item and no attempt to pay tells who has the payer's id.
    let items = scene.clerk.world().api_page(Resource::SubscriptionItems).objects;
    let attempts = scene.clerk.world().api_page(Resource::PaymentAttempts).objects;
    let tellers: Vec<String> = items
        .iter()
        .chain(&attempts)
        .map(|object| object["payer"]["id"].to_string())
        .collect();
    let mut newest: BTreeMap<String, (&String, &Fact)> = BTreeMap::new();
    for (id, fact) in truth.of(Resource::Subscriptions) {
        let payer = &fact.object["payer"];
        let ids = [&payer["user_id"], &payer["organization_id"]];
        let payer_id = ids.iter().find_map(|id| id.as_str().filter(|id| !id.is_empty()));
        let payer_id = payer_id.expect("somebody pays").to_owned();
        let created_at = |fact: &Fact| fact.object["created_at"].as_i64();
        let is_newer = newest
            .get(&payer_id)
            .is_none_or(|(_, other)| created_at(fact) > created_at(other));
        if exists(&payer_id) && tellers.contains(&payer["id"].to_string()) && is_newer {
            newest.insert(payer_id, (id, fact));
        }
    }
    assert!(
        newest.len() > 3,
        "the world is large enough to show something: {}",
        newest.len()
    );
    for (payer_id, (id, fact)) in newest {
        let row = owner
            .query_one(
                "SELECT status, payer_user_id, payer_organization_id,
                        (SELECT count(*) FROM clerk.subscription_items AS i WHERE i.subscription_id = s.id AND i.status IS NOT NULL)
                 FROM clerk.existing_subscriptions AS s WHERE id = $1",
                &[id],
            )
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        let found: (Option<&str>, Option<&str>, Option<&str>) = (row.get(0), row.get(1), row.get(2));
        let user_id = Some(payer_id.as_str()).filter(|id| id.starts_with("user_"));
        let organization_id = Some(payer_id.as_str()).filter(|id| id.starts_with("org_"));
        assert_eq!(
            found,
            (fact.object["status"].as_str(), user_id, organization_id),
            "{id}"
        );
        let items = fact.object["items"].as_array().map_or(0, Vec::len) as i64;
        assert_eq!(row.get::<_, i64>(3), items, "items of {id}");
    }
}

#[test]
fn members_are_counted_and_attempts_to_pay_are_read_through_their_statements() {
    let (scene, _) = Scene::shared(world(9), 1_500);
    let mut owner = scene.owner();
    scene.quiet();
    let told = done(&mut owner, "SELECT clerk.start_backfill()");
    let truth = scene.clerk.world().truth();
    let attempts = truth.of(Resource::PaymentAttempts);
    assert!(attempts.len() > 5);
    for (id, fact) in attempts {
        let status: Option<String> =
            owner.value_of("SELECT status FROM clerk.payment_attempts WHERE id = $1", &[id]);
        assert_eq!(status.as_deref(), fact.object["status"].as_str(), "{id}");
    }
    assert_eq!(
        told["steps"]["payment_attempts"]["done"],
        attempts.len(),
        "{told:#}"
    );
    let asked = scene.clerk.api_requests();
    let of_organizations: Vec<_> = asked
        .iter()
        .filter(|request| request.path == "/organizations")
        .collect();
    assert!(
        !of_organizations.is_empty()
            && of_organizations
                .iter()
                .all(|request| request.query.contains("include_members_count=true"))
    );
}
