//! `ensure_current_user()` beside the webhooks that tell of the same people.

use std::sync::Barrier;
use std::thread;

use clerk_tests::Sql;
use serde_json::{Value, json};

use crate::pooled::{claims, ids};
use crate::scene::{ISSUER, Scene, Secret, event, now_seconds, unique_id};

const T0: i64 = 1_750_000_000_000;
const PEOPLE: usize = 40;

fn user(id: &str, at_ms: i64) -> Value {
    json!({
        "id": id, "object": "user", "first_name": "Ada", "last_name": "Lovelace", "created_at": T0, "updated_at": at_ms,
        "email_addresses": [{"id": "idn_1", "email_address": "ada@example.com"}], "primary_email_address_id": "idn_1",
        "public_metadata": {"plan": "pro"},
    })
}

fn membership(user_id: &str, organization_id: &str) -> Value {
    json!({
        "id": format!("orgmem_{user_id}"), "object": "organization_membership", "role": "org:admin",
        "organization": {"id": organization_id, "object": "organization", "name": "Acme", "created_at": T0, "updated_at": T0},
        "public_user_data": {"user_id": user_id}, "created_at": T0, "updated_at": T0,
    })
}

fn token(user_id: &str, organization_id: &str) -> Value {
    let mut token = claims(user_id);
    token["o"] = json!({"id": organization_id, "rol": "admin"});
    token
}

/// Rows of a table of the application, made in the request that ensures, refer to what is not there yet; webhooks of the same
/// people arrive at the same moment, in both orders, from other connections.
#[test]
fn it_never_loses_a_race_with_a_webhook() {
    let scene = Scene::new();
    scene.db.superuser().run(
        "SELECT clerk.configure(exclude_fields => '{last_name, users.public_metadata, organization_memberships.role_name}');
         CREATE TABLE public.notes (
             user_id text NOT NULL REFERENCES clerk.users (id), organization_id text REFERENCES clerk.organizations (id)
         );
         GRANT INSERT ON public.notes TO authenticated",
    );
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("user_{number}")).collect();
    let barriers: Vec<Barrier> = (0..PEOPLE).map(|_| Barrier::new(8)).collect();
    thread::scope(|scope| {
        for session in 0..8 {
            let (scene, people, barriers) = (&scene, &people, &barriers);
            scope.spawn(move || {
                let mut pooled = scene.pooled();
                for (person, barrier) in people.iter().zip(barriers) {
                    let organization = format!("org_{person}");
                    barrier.wait();
                    match session {
                        0..4 => {
                            let mut request = pooled.request(&token(person, &organization));
                            let Some(answer) =
                                request.value::<Option<Value>>("SELECT public.clerk_ensure_current_user()")
                            else {
                                panic!("{person} is signed in");
                            };
                            assert_eq!(
                                answer,
                                json!({"user_id": person, "organization_id": organization})
                            );
                            request.run(&format!(
                                "INSERT INTO public.notes VALUES ('{person}', '{organization}')"
                            ));
                            assert_eq!(ids(&mut request, "clerk_me"), [person.as_str()]);
                            request.commit().expect("the request ends");
                        }
                        4 | 5 => deliver(&mut pooled, scene, &event("user.created", T0, user(person, T0))),
                        6 => deliver(
                            &mut pooled,
                            scene,
                            &event("user.updated", T0 + 5, user(person, T0 + 5)),
                        ),
                        _ => deliver(
                            &mut pooled,
                            scene,
                            &event(
                                "organizationMembership.created",
                                T0,
                                membership(person, &organization),
                            ),
                        ),
                    }
                }
            });
        }
    });
    let mut owner = scene.db.superuser();
    // A webhook that met an open request for over a second is applied later.
    owner.run(
        "UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE state = 'failed'; SELECT clerk.retry_failed(1000)",
    );
    let wrong: i64 = owner.value(&format!(
        "SELECT count(*) FROM clerk.users
         WHERE updated_at <> 'epoch'::timestamptz + interval '1 ms' * {}
            OR (first_name, primary_email_address, email_addresses) IS DISTINCT FROM ('Ada', 'ada@example.com', ARRAY['ada@example.com'])
            OR num_nonnulls(last_name, public_metadata) > 0 OR instance_id IS DISTINCT FROM 'ins_sim' OR deleted",
        T0 + 5
    ));
    assert_eq!(wrong, 0);
    let counts: Vec<i64> = owner.value(
        "SELECT ARRAY[(SELECT count(*) FROM clerk.existing_users), (SELECT count(*) FROM clerk.existing_organizations WHERE name = 'Acme'),
             (SELECT count(*) FROM clerk.existing_organization_memberships WHERE role = 'org:admin' AND id LIKE 'orgmem_%'),
             (SELECT count(*) FROM clerk.existing_organization_memberships), (SELECT count(*) FROM public.notes)]",
    );
    assert_eq!(counts, [40, 40, 40, 40, 160]);
    let deadlocks: i64 =
        owner.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    assert_eq!(deadlocks, 0);
}

fn deliver(pooled: &mut crate::pooled::Pooled, scene: &Scene, event: &Value) {
    let body = event.to_string();
    let answer = pooled.deliver(&body, &scene.headers(&unique_id(), &body));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The row is the instance's whose token it was, once that instance tells of it; another's events do not touch it.
#[test]
fn people_of_several_instances_stay_apart() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    owner.run(
        "SELECT clerk.configure(issuer => 'https://other.test', jwks_url => '', instance_id => 'ins_other', additional => true,
             mirror => '{users}')",
    );
    let other = Secret::new();
    other.add_to(&mut owner, "https://other.test");
    let mut pooled = scene.pooled();
    for (issuer, user_id) in [(ISSUER, "user_here"), ("https://other.test", "user_there")] {
        let mut token = token(user_id, "org_1");
        token["iss"] = issuer.into();
        let mut request = pooled.request(&token);
        request.run("SELECT public.clerk_ensure_current_user()");
        assert_eq!(ids(&mut request, "clerk_me"), [user_id]);
        // An instance whose organizations are not mirrored has no rows of them.
        let organizations = ids(&mut request, "clerk_my_organizations");
        assert_eq!(organizations.is_empty(), issuer != ISSUER, "{organizations:?}");
        request.commit().expect("the request ends");
    }
    let mut there = event("user.created", T0, user("user_there", T0));
    there["instance_id"] = json!("ins_other");
    let body = there.to_string();
    let answer = pooled.deliver(&body, &other.headers("msg_there", now_seconds(), &body));
    assert_eq!(answer.verdict(), (200, "applied", ""));
    // The first instance says something of a user with that id: not the one we know.
    let stranger = event("user.updated", T0 + 9, user("user_there", T0 + 9)).to_string();
    let answer = pooled.deliver(&stranger, &scene.headers("msg_stranger", &stranger));
    assert_eq!(answer.verdict(), (200, "ignored", "foreign-instance"));
    let instances: Vec<String> = owner.value(
        "SELECT array_agg(format('%s %s', id, coalesce(instance_id, 'unknown')) ORDER BY id) FROM clerk.users",
    );
    assert_eq!(instances, ["user_here unknown", "user_there ins_other"]);
}

/// A deleted person's token is good for a minute yet.
#[test]
fn it_brings_nobody_back() {
    let scene = Scene::new();
    let mut pooled = scene.pooled();
    deliver(
        &mut pooled,
        &scene,
        &event("user.created", T0, user("user_ada", T0)),
    );
    let stub = json!({"id": "user_ada", "object": "user", "deleted": true});
    deliver(&mut pooled, &scene, &event("user.deleted", T0 + 10, stub));
    let mut request = pooled.request(&token("user_ada", "org_1"));
    request.run("SELECT public.clerk_ensure_current_user()");
    for view in ["clerk_me", "clerk_profiles", "clerk_my_organizations"] {
        assert_eq!(ids(&mut request, view), [""; 0], "{view}");
    }
    request.commit().expect("the request ends");
    let left: String = scene.db.superuser().value(
        "SELECT concat_ws(' ', deleted, first_name, email_addresses::text) FROM clerk.users WHERE id = 'user_ada'",
    );
    assert_eq!(left, "t");
}

/// What is no Clerk session makes no row; and ids that Clerk would not make are no ids.
#[test]
fn who_is_nobody_gets_no_row() {
    let scene = Scene::new();
    let mut pooled = scene.pooled();
    let ensure = "SELECT public.clerk_ensure_current_user()::text";
    for user_id in [
        "user_",
        "user_a b",
        "user_\"x\"",
        "user_\u{e9}",
        &format!("user_{}", "x".repeat(80)),
    ] {
        let mut request = pooled.request(&claims(user_id));
        let mut attempt = request.transaction().expect("a savepoint can be set");
        if let Ok(row) = attempt.query_one(ensure, &[]) {
            assert_eq!(row.get::<_, Option<String>>(0), None, "{user_id}");
        }
        attempt.rollback().expect("and be gone back to");
        request.commit().expect("the request ends");
    }
    let mut unknown = claims("user_ada");
    unknown["iss"] = "https://elsewhere.test".into();
    let answer: Option<String> = pooled.request(&unknown).value(ensure);
    assert_eq!(answer, None);
    let rows: i64 = scene.db.superuser().value(
        "SELECT (SELECT count(*) FROM clerk.users) + (SELECT count(*) FROM clerk.organizations)
              + (SELECT count(*) FROM clerk.organization_memberships)",
    );
    assert_eq!(rows, 0);
}
