//! One user or one organization.

use clerk_sim::{ApiFault, FaultPlan, Resource};
use clerk_tests::Sql;

use crate::scene::{Scene, deliver, done, state, wait, world};

#[test]
fn a_user_is_read_with_memberships() {
    let (scene, history) = Scene::shared(world(31), 500);
    let mut owner = scene.owner();
    let truth = scene.clerk.world().truth();
    let memberships = truth.of(Resource::OrganizationMemberships);
    let (_, membership) = memberships
        .iter()
        .find(|(_, fact)| fact.exists)
        .expect("somebody is a member");
    let user_id = membership.object["public_user_data"]["user_id"]
        .as_str()
        .expect("a person")
        .to_owned();
    done(&mut owner, &format!("SELECT clerk.sync_user('{user_id}')"));
    let mine = memberships
        .values()
        .filter(|fact| fact.exists && fact.object["public_user_data"]["user_id"] == user_id.as_str())
        .count() as i64;
    let stored: i64 = owner.value("SELECT count(*) FROM clerk.existing_organization_memberships");
    assert_eq!(stored, mine);
    let name: Option<String> =
        owner.value_of("SELECT first_name FROM clerk.users WHERE id = $1", &[&user_id]);
    assert_eq!(
        name.as_deref(),
        truth.of(Resource::Users)[&user_id].object["first_name"].as_str()
    );

    // Somebody who is gone, and nobody had told.
    deliver(
        &mut owner,
        history
            .iter()
            .filter(|event| !event.event_type.ends_with(".deleted")),
    );
    let gone: Vec<&String> = truth
        .of(Resource::Users)
        .iter()
        .filter(|(_, fact)| !fact.exists)
        .map(|(id, _)| id)
        .collect();
    let gone = gone.first().expect("somebody is gone");
    let exists = format!("SELECT count(*) FROM clerk.existing_users WHERE id = '{gone}'");
    assert_eq!(owner.value::<i64>(&exists), 1);
    scene.later();
    done(&mut owner, &format!("SELECT clerk.sync_user('{gone}')"));
    assert_eq!(owner.value::<i64>(&exists), 0);
    let left: i64 = owner.value_of(
        "SELECT count(*) FROM clerk.organization_memberships WHERE user_id = $1 AND NOT deleted",
        &[gone],
    );
    assert_eq!(left, 0);
}

#[test]
fn an_organization_is_read_with_what_it_has() {
    let (scene, history) = Scene::shared(world(32), 800);
    let mut owner = scene.owner();
    deliver(
        &mut owner,
        history
            .iter()
            .filter(|event| !event.event_type.starts_with("organization")),
    );
    let truth = scene.clerk.world().truth();
    let organizations = truth.of(Resource::Organizations);
    for (id, fact) in organizations {
        scene.later();
        done(&mut owner, &format!("SELECT clerk.sync_organization('{id}')"));
        let exists: i64 = owner.value_of(
            "SELECT count(*) FROM clerk.existing_organizations WHERE id = $1",
            &[id],
        );
        assert_eq!(exists == 1, fact.exists, "{id}");
        for resource in [Resource::OrganizationMemberships, Resource::OrganizationDomains] {
            let of = |fact: &&clerk_sim::Fact| {
                let object = &fact.object;
                let owner = if resource == Resource::OrganizationDomains {
                    &object["organization_id"]
                } else {
                    &object["organization"]["id"]
                };
                fact.exists && *owner == id.as_str()
            };
            let expected = truth.of(resource).values().filter(of).count() as i64;
            let stored: i64 = owner.value_of(
                &format!("SELECT count(*) FROM clerk.{resource} WHERE organization_id = $1 AND NOT deleted AND updated_at > '-infinity'"),
                &[id],
            );
            assert_eq!(stored, expected, "{resource} of {id}");
        }
    }
    assert!(!organizations.is_empty());
}

#[test]
fn who_asks_for_one_user_does_not_wait_for_a_backfill() {
    let (scene, _) = Scene::shared(world(33), 300);
    let mut owner = scene.owner();
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::Stall).on("/organizations").always());
    let backfill: i64 = owner.value("SELECT clerk.start_backfill(ARRAY['organizations'])");
    let truth = scene.clerk.world().truth();
    let users = truth.of(Resource::Users);
    let (id, _) = users
        .iter()
        .find(|(_, fact)| fact.exists)
        .expect("somebody exists");
    done(&mut owner, &format!("SELECT clerk.sync_user('{id}')"));
    assert_eq!(state(&mut owner, backfill), "running");
    owner.run(&format!("SELECT clerk.cancel_run({backfill})"));
    assert_eq!(wait(&mut owner, backfill), "cancelled");
}

#[test]
fn a_user_is_read_with_sessions_and_subscription_and_an_organization_with_its_own() {
    let (scene, _) = Scene::shared(world(34), 1_500);
    let mut owner = scene.owner();
    scene.quiet();
    let truth = scene.clerk.world().truth();
    let exists = |resource, id: &str| truth.fact(resource, id).is_some_and(|fact| fact.exists);
    let mut read = std::collections::BTreeSet::new();
    for fact in truth.of(Resource::Subscriptions).values() {
        let payer = &fact.object["payer"];
        let (user, organization) = (
            payer["user_id"].as_str().unwrap_or(""),
            payer["organization_id"].as_str().unwrap_or(""),
        );
        let (id, column, function, resource) = if user.is_empty() {
            (
                organization,
                "payer_organization_id",
                "sync_organization",
                Resource::Organizations,
            )
        } else {
            (user, "payer_user_id", "sync_user", Resource::Users)
        };
        if !exists(resource, id) {
            continue;
        }
        done(&mut owner, &format!("SELECT clerk.{function}('{id}')"));
        let stored: i64 = owner.value_of(
            &format!("SELECT count(*) FROM clerk.subscriptions WHERE {column} = $1 AND payer_id IS NOT NULL AND status IS NOT NULL"),
            &[&id],
        );
        assert_eq!(stored, 1, "{id}");
        read.insert(function);
    }
    assert_eq!(read.len(), 2, "{read:?}");
    let session = truth.of(Resource::Sessions).values().find(|session| {
        exists(
            Resource::Users,
            session.object["user_id"].as_str().unwrap_or_default(),
        )
    });
    let user_id = session.expect("somebody has a session").object["user_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    done(&mut owner, &format!("SELECT clerk.sync_user('{user_id}')"));
    let of_user = truth
        .of(Resource::Sessions)
        .values()
        .filter(|session| session.exists && session.object["user_id"] == user_id.as_str());
    let stored: i64 = owner.value_of(
        "SELECT count(*) FROM clerk.existing_sessions WHERE user_id = $1 AND client_id IS NOT NULL",
        &[&user_id],
    );
    assert_eq!(stored, of_user.count() as i64);
}
