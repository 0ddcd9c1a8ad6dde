//! Lists that lack something: rows of one time change places between pages, answers are cut off, and Clerk counts what it does not list.

use clerk_sim::{ApiFault, Chaos, Resource, World};
use clerk_tests::Sql;
use postgres::Client;

use crate::scene::{LISTED, Scene, done, run, told, world};

/// A world of which no event ever told, in which so many things came to be at a time.
fn settled(seed: u64, ties: usize) -> Scene<'static> {
    let options = clerk_sim::WorldOptions {
        users: 700..=800,
        organizations: 60,
        ..world(seed)
    };
    let (scene, _) = Scene::shared(options.clone(), 0);
    let mut settled = World::new(options);
    settled.settle_in_ties(ties, 700, 60, 1_300);
    scene.clerk.set_world(settled);
    scene.clerk.change_api(|api| api.shuffle_ties = true);
    scene
}

/// What stands in the notes of the steps.
fn notes(owner: &mut Client, id: i64) -> Vec<String> {
    let told = told(owner, id);
    let steps = told["steps"].as_object().expect("there are steps").values();
    steps
        .filter_map(|step| Some(step["note"].as_str()?.to_owned()))
        .collect()
}

/// What the doctor finds of the history: status and sentence.
fn history(owner: &mut Client) -> (String, String) {
    let look = "SELECT status, found FROM clerk.doctor() WHERE \"check\" = 'history'";
    let row = owner.query_one(look, &[]).expect("doctor has a row");
    (row.get(0), row.get(1))
}

#[test]
fn a_list_whose_ties_change_places_is_read_whole_through_faults() {
    // 5 % 429, 8 % 5xx, 4 % half bodies.
    let mut faults = vec![ApiFault::TooManyRequests { retry_after: None }; 5];
    faults.extend(vec![ApiFault::ServerError; 4]);
    faults.extend(vec![ApiFault::BadGateway; 4]);
    faults.extend(vec![ApiFault::Half; 4]);
    for (seed, ties) in [(57, 17), (58, 400)] {
        let scene = settled(seed, ties);
        let mut owner = scene.owner();
        scene.clerk.set_chaos(Chaos {
            seed,
            probability: 0.17,
            faults: faults.clone(),
        });
        let (id, state) = run(&mut owner, "SELECT clerk.start_backfill()");
        assert_eq!(state, "done", "{:#}", told(&mut owner, id));
        scene.assert_truth(&format!("{ties} of one time"));
        for resource in LISTED {
            let (listed, exist): (i64, i64) = {
                let row = owner
                    .query_one(
                        "SELECT s.done, (SELECT count(*) FROM clerk.sync_steps) FROM clerk.sync_steps AS s WHERE s.run_id = $1 AND s.resource = $2",
                        &[&id, &resource.as_str()],
                    )
                    .expect("there is a step");
                let exist = scene
                    .clerk
                    .world()
                    .truth()
                    .of(resource)
                    .values()
                    .filter(|fact| fact.exists)
                    .count();
                (row.get(0), exist as i64)
            };
            assert_eq!(listed, exist, "{resource}");
        }
        assert_eq!(notes(&mut owner, id), Vec::<String>::new());
    }
}

#[test]
fn what_clerk_counts_and_never_lists_is_told() {
    let scene = settled(59, 5);
    let mut owner = scene.owner();
    let some = |resource, most: usize| -> Vec<String> {
        scene
            .clerk
            .world()
            .truth()
            .of(resource)
            .keys()
            .take(most)
            .cloned()
            .collect()
    };
    let (users, memberships) = (
        some(Resource::Users, 3),
        some(Resource::OrganizationMemberships, 2),
    );
    let withheld = [users.clone(), memberships.clone()].concat();
    scene.clerk.change_api(|api| api.withheld.clone_from(&withheld));
    let all = done(&mut owner, "SELECT clerk.start_backfill()");
    let count = |resource| scene.clerk.world().truth().of(resource).len();
    let note = |resource: Resource, lack: usize| {
        let count = count(resource);
        format!(
            "Clerk counts {count} and lists {} of them, also when asked again",
            count - lack
        )
    };
    for (resource, ids) in [
        (Resource::Users, &users),
        (Resource::OrganizationMemberships, &memberships),
    ] {
        assert_eq!(
            all["steps"][resource.as_str()]["note"],
            note(resource, ids.len()),
            "{all:#}"
        );
        let lacking: i64 = owner.value_of(
            &format!(
                "SELECT count(*) FROM clerk.{resource} WHERE updated_at > '-infinity' AND id = ANY ($1)"
            ),
            &[ids],
        );
        let stored: i64 = owner.value(&format!(
            "SELECT count(*) FROM clerk.{resource} WHERE updated_at > '-infinity'"
        ));
        assert_eq!(
            (lacking, stored),
            (0, (count(resource) - ids.len()) as i64),
            "{resource}"
        );
    }
    let history = history(&mut owner);
    assert_eq!(history.0, "warning", "{history:?}");
    assert!(
        history
            .1
            .ends_with("counted by Clerk, but not listed: 3 users, 2 organization_memberships"),
        "{history:?}"
    );
    // Nothing is taken for gone by a list that lacks something.
    scene.clerk.change_api(|api| api.withheld.clear());
    scene.later();
    done(&mut owner, "SELECT clerk.start_reconcile(full => true)");
    scene.assert_truth("when Clerk lists everything");
    let unlisted: i64 = owner.value("SELECT sum(unlisted)::bigint FROM clerk.sync_watermarks");
    assert_eq!(unlisted, 0);
}

#[test]
fn a_backfill_of_one_table_is_no_history_of_the_others() {
    let (scene, _) = Scene::shared(world(60), 300);
    let mut owner = scene.owner();
    scene.quiet();
    // What an earlier round of maintain read does not count here.
    owner.run("DELETE FROM clerk.sync_watermarks");
    done(&mut owner, "SELECT clerk.start_backfill(ARRAY['roles'])");
    let (status, found) = history(&mut owner);
    assert_eq!(status, "warning", "{found}");
    assert!(
        found.contains("never read whole: users, organizations") && !found.contains("roles"),
        "{found}"
    );
    let last: bool = owner.value("SELECT last_backfill_at IS NULL FROM clerk.status");
    assert!(last, "nothing was read whole");
    // A full reconcile is still due.
    owner.run("SELECT clerk.configure_mirror(reconcile_every => '1 hour', full_reconcile_every => '1 day')");
    owner.run("SELECT clerk.maintain()");
    let due: bool =
        owner.value("SELECT EXISTS (SELECT FROM clerk.sync_runs WHERE kind = 'reconcile' AND full_walk)");
    assert!(
        due,
        "the full reconcile was not put off by a backfill of the roles"
    );
    let full: i64 = owner.value("SELECT max(id) FROM clerk.sync_runs");
    assert_eq!(crate::scene::wait(&mut owner, full), "done");
    let (status, found) = history(&mut owner);
    assert_eq!(status, "ok", "{found}");
    // One of some tables that was cancelled is not what a backfill of everything goes on with.
    scene
        .clerk
        .plan_fault(clerk_sim::FaultPlan::once(ApiFault::Stall).on("/organization_roles"));
    let some: i64 = owner.value("SELECT clerk.start_backfill(ARRAY['roles'])");
    owner.run(&format!("SELECT clerk.cancel_run({some})"));
    let all = done(&mut owner, "SELECT clerk.start_backfill()");
    assert_ne!(all["id"], some);
    assert!(all["steps"]["users"]["listed_at"].is_string(), "{all:#}");
}

#[test]
fn the_fix_of_a_failed_run_fits_its_cause() {
    let (scene, _) = Scene::shared(world(61), 50);
    let mut owner = scene.owner();
    scene.quiet();
    owner.run("SELECT clerk.configure_mirror(max_attempts => 1)");
    let cases = [
        (
            ApiFault::Unauthorized,
            "secret key",
            "SELECT clerk.set_secret_key(",
        ),
        (
            ApiFault::Forbidden,
            "not allowed",
            "switching the feature on in Clerk's dashboard",
        ),
        (
            ApiFault::NotFound,
            "not found",
            "if the secret key is of this instance",
        ),
        (
            ApiFault::Unprocessable,
            "request",
            "ALTER EXTENSION clerk_sync UPDATE;",
        ),
        (ApiFault::ServerError, "clerk", "https://status.clerk.com"),
        (
            ApiFault::Redirect {
                location: "https://elsewhere.test".to_owned(),
            },
            "address",
            "SELECT clerk.configure(issuer => ",
        ),
        (
            ApiFault::Half,
            "network",
            "once the database server reaches api_url",
        ),
        (
            ApiFault::TooManyRequests {
                retry_after: Some(600),
            },
            "too many requests",
            "leave the instance requests",
        ),
    ];
    for (fault, cause, fix) in cases {
        scene
            .clerk
            .plan_fault(clerk_sim::FaultPlan::once(fault).on("/users").always());
        let (id, state) = run(
            &mut owner,
            "SELECT clerk.start_backfill(ARRAY['users'], restart => true)",
        );
        scene.clerk.clear_api_faults();
        let told = told(&mut owner, id);
        assert_eq!(
            (state.as_str(), told["cause"].as_str()),
            ("failed", Some(cause)),
            "{told:#}"
        );
        let found: String = owner.value_of(
            "SELECT mend FROM clerk.doctor() WHERE \"check\" = 'runs' AND found LIKE 'run ' || $1::bigint || ',%'",
            &[&id],
        );
        assert!(found.contains(fix), "{cause}: {found}");
        assert!(
            found.contains("SELECT clerk.start_backfill(ARRAY['users'], instance => "),
            "{cause}: {found}"
        );
        owner.run("UPDATE clerk.sync_runs SET state = 'cancelled' WHERE state = 'failed'");
    }
}
