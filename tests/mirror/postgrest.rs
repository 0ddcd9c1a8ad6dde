//! Webhooks through PostgREST: a stranger's request, three seconds, one pooled connection for all of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use clerk_sim::{Adversity, Resource, World, WorldOptions};
use clerk_tests::{Cluster, Sql};
use postgres::Client;
use serde_json::{Value, json};

use crate::pooled::{Pooled, claims, ids};
use crate::scene::{INSTANCE, Scene, Secret, event, now_seconds, require_where, set_up, user_created};

/// What anon has before Postgres ends the statement.
const TIMEOUT: Duration = Duration::from_secs(3);

fn ledger(owner: &mut Client) -> BTreeSet<String> {
    let ids: Vec<String> = owner.value("SELECT coalesce(array_agg(svix_id), '{}') FROM clerk.webhook_events");
    ids.into_iter().collect()
}

#[test]
fn a_stream_through_one_connection() {
    let scene = Scene::new();
    let mut world = World::new(WorldOptions {
        seed: 3,
        instance_id: INSTANCE.to_owned(),
        adversity: Adversity::hostile(),
        ..WorldOptions::default()
    });
    let events = world.run(250);
    let mut pooled = scene.pooled();
    for event in &events {
        let answer = pooled.deliver(&event.body, &scene.headers(&event.svix_id, &event.body));
        let (status, state, _) = answer.verdict();
        assert!(
            status == 200 && ["applied", "stale", "ignored"].contains(&state),
            "{event:?}: {answer:?}"
        );
    }
    for event in events.iter().step_by(7) {
        let answer = pooled.deliver(&event.body, &scene.headers(&event.svix_id, &event.body));
        assert_eq!(answer.verdict(), (200, "duplicate", ""), "{event:?}");
    }

    let mut owner = scene.db.superuser();
    assert_eq!(
        ledger(&mut owner),
        events.iter().map(|event| event.svix_id.clone()).collect()
    );
    let truth = world.truth();
    for (resource, view) in [
        (Resource::Users, "existing_users"),
        (Resource::Organizations, "existing_organizations"),
        (
            Resource::OrganizationMemberships,
            "existing_organization_memberships",
        ),
    ] {
        let existing: Vec<&String> = truth
            .of(resource)
            .iter()
            .filter(|(_, fact)| fact.exists)
            .map(|(id, _)| id)
            .collect();
        assert!(!existing.is_empty(), "{view} is worth looking at");
        let mut transaction = owner.transaction().expect("no transaction is open");
        assert_eq!(
            ids(&mut transaction, &format!("clerk.{view}"))
                .iter()
                .collect::<Vec<_>>(),
            existing,
            "{view}"
        );
    }
}

#[test]
fn every_refusal_is_an_answer_and_nothing_else() {
    let scene = Scene::new();
    let body = user_created("user_ada");
    let large = event(
        "user.created",
        1_750_000_000_000,
        json!({"id": "user_big", "bio": "x".repeat(1 << 20)}),
    )
    .to_string();
    let signed = |changes: Value| {
        let mut headers = scene.headers("msg_1", &body);
        for (name, value) in changes.as_object().expect("changes are an object") {
            if value.is_null() {
                headers.as_object_mut().expect("so are headers").remove(name);
            } else {
                headers[name] = value.clone();
            }
        }
        headers
    };
    let at = |timestamp_s: i64| scene.secret.headers("msg_1", timestamp_s, &body);
    let other_secret = Secret::new().headers("msg_1", now_seconds(), &body);
    let cases: [(&str, Value, u16, &str); 10] = [
        (&body, json!({}), 400, "webhook-headers-missing"),
        (
            &body,
            signed(json!({"svix-id": null})),
            400,
            "webhook-headers-missing",
        ),
        (
            &body,
            signed(json!({"svix-signature": null})),
            400,
            "webhook-headers-missing",
        ),
        (
            &body,
            signed(json!({"svix-timestamp": "soon"})),
            400,
            "webhook-timestamp-invalid",
        ),
        (&body, at(now_seconds() - 400), 400, "webhook-timestamp-expired"),
        (
            &body,
            at(now_seconds() + 400),
            400,
            "webhook-timestamp-in-the-future",
        ),
        (
            &body,
            signed(json!({"svix-id": "msg_2"})),
            401,
            "webhook-signature-mismatch",
        ),
        (&body, other_secret, 401, "webhook-signature-mismatch"),
        (
            "{}",
            scene.headers("msg_1", &body),
            401,
            "webhook-signature-mismatch",
        ),
        (&large, scene.headers("msg_1", &large), 413, "webhook-too-large"),
    ];
    let mut pooled = scene.pooled();
    let mut owner = scene.db.superuser();
    for (body, headers, status, reason) in &cases {
        let answer = pooled.deliver(body, headers);
        assert_eq!(answer.verdict(), (*status, "rejected", *reason), "{headers}");
        assert_eq!(answer.body["http_status"], *status);
        assert!(!scene.secret.is_in(&answer.body.to_string()));
    }
    assert_eq!(ledger(&mut owner), BTreeSet::new());
    // An error would have undone this too.
    let noted: Vec<String> =
        owner.value("SELECT array_agg(DISTINCT reason ORDER BY reason) FROM clerk.webhook_rejections");
    let reasons: BTreeSet<&str> = cases.iter().map(|case| case.3).collect();
    assert_eq!(noted, reasons.into_iter().collect::<Vec<_>>());

    let answer = pooled.deliver(&body, &scene.headers("msg_1", &body));
    assert_eq!(
        answer.verdict(),
        (200, "applied", ""),
        "the connection is as good as new"
    );
    owner.run("SELECT clerk.drop_webhook_signing_secret(fingerprint) FROM clerk.webhook_signing_secrets()");
    let answer = pooled.deliver(&body, &scene.headers("msg_3", &body));
    assert_eq!(answer.verdict(), (500, "rejected", "webhook-secret-missing"));
}

#[test]
fn bodies_arrive_byte_by_byte() {
    let scene = Scene::new();
    let bodies = [
        "{ \"type\" : \"user.created\",\r\n\t\"data\": {\"id\":\"user_a\"} , \"timestamp\":1.75e12}  ",
        r#"{"type":"user.created","data":{"id":"user_b","first_name":"old","first_name":"new"},"timestamp":1750000000000}"#,
        r#"{"type":"user.created","data":{"id":"user_c","first_name":"\u0000\ud800 \u00e9"},"timestamp":1750000000000}"#,
        r#"{"type":"user.created","data":{"id":"user_d","n":[1.0,1e400,123456789012345678901234567890]},"timestamp":1750000000000}"#,
        r#"{"type":"user.created","data":{"id":"user_e","first_name":"é😀\/"},"timestamp":1750000000000}"#,
    ];
    let mut pooled = scene.pooled();
    for (number, body) in bodies.iter().enumerate() {
        let answer = pooled.deliver(body, &scene.headers(&format!("msg_{number}"), body));
        assert_eq!(answer.verdict(), (200, "applied", ""), "{body}");
    }
    let mut owner = scene.db.superuser();
    let mut transaction = owner.transaction().expect("no transaction is open");
    assert_eq!(
        ids(&mut transaction, "clerk.existing_users"),
        ["user_a", "user_b", "user_c", "user_d", "user_e"]
    );
}

#[test]
fn a_request_leaves_nothing_to_the_next() {
    let scene = Scene::new();
    let body = user_created("user_ada");
    let headers = scene.headers("msg_1", &body);
    let mut pooled = scene.pooled();
    assert_eq!(pooled.deliver(&body, &headers).verdict(), (200, "applied", ""));
    let left: Vec<String> = pooled.session().value(
        "SELECT ARRAY[coalesce(current_setting('request.headers', true), ''),
             coalesce(current_setting('response.status', true), ''), current_user::text]",
    );
    assert_eq!(left, ["", "", "app"]);
    let mut stranger = pooled.request(&json!({"role": "anon"}));
    let answer: Value = serde_json::from_str(
        &stranger.value_of::<String>("SELECT public.clerk_webhook($1::text::json)::text", &[&body]),
    )
    .expect("the answer is JSON");
    assert_eq!(answer["reason"], "webhook-headers-missing", "{answer}");
}

#[test]
fn only_strangers_and_the_service_deliver() {
    let scene = Scene::new();
    let mut pooled = scene.pooled();
    // The login role inherits nothing, and a signed-in person is no Svix.
    let failure = pooled.session().failure("SELECT public.clerk_webhook('{}')");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    let failure = pooled
        .request(&claims("user_ada"))
        .failure("SELECT public.clerk_webhook('{}')");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    pooled
        .request(&json!({"role": "service_role"}))
        .run("SELECT public.clerk_webhook('{}')");
    // GET comes in a transaction that cannot store anything, so nothing may be acknowledged.
    let mut read_only = pooled.request(&json!({"role": "anon"}));
    read_only.run("SET TRANSACTION READ ONLY");
    let failure = read_only.failure("SELECT public.clerk_webhook('{}')");
    assert_eq!(failure.sqlstate, "25006", "{failure:?}");
}

#[test]
fn an_answer_comes_in_time_whoever_holds_a_row() {
    let scene = Scene::new();
    let mut pooled = scene.pooled();
    let (first, twin) = (user_created("user_ada"), user_created("user_bob"));
    pooled.deliver(&first, &scene.headers("msg_1", &first));

    let mut holder = scene.db.superuser();
    let mut held = holder.transaction().expect("no transaction is open");
    held.run("SELECT FROM clerk.users WHERE id = 'user_ada' FOR UPDATE");
    let started = Instant::now();
    let later = first.replace("1750000000000", "1750000000001");
    let answer = pooled.deliver(&later, &scene.headers("msg_2", &later));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["status"], "failed", "{answer:?}");
    assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    drop(held);

    let mut other = scene.pooled();
    let mut uncommitted = other.request(&json!({"role": "service_role"}));
    let headers = scene.headers("msg_3", &twin);
    let _: String = uncommitted.value_of(
        "SELECT clerk.receive_webhook($1, $2::text::jsonb)::text",
        &[&twin, &headers.to_string()],
    );
    let started = Instant::now();
    let answer = pooled.deliver(&twin, &headers);
    assert_eq!(answer.verdict(), (503, "busy", "delivery-in-progress"));
    assert!(started.elapsed() < TIMEOUT, "{:?}", started.elapsed());
    uncommitted.commit().expect("the twin ends");
    assert_eq!(pooled.deliver(&twin, &headers).verdict().1, "duplicate");
}

/// Ways in which a trigger of the application's can take longer than anon may: what it does, and the SQLSTATE that is noted.
const SLOW: [(&str, &str, &str); 4] = [
    ("sleeps", "PERFORM pg_sleep(60)", "57000"),
    // A delivery waits for locks no longer than a second anyway.
    ("waits for a lock", "PERFORM pg_advisory_xact_lock(1)", "55P03"),
    (
        "waits for a lock for as long as it likes",
        "SET LOCAL lock_timeout = 0; PERFORM pg_advisory_xact_lock(1)",
        "57000",
    ),
    (
        "catches the cancel and goes on",
        "BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN PERFORM 1; END",
        "57000",
    ),
];

#[test]
fn a_slow_trigger_costs_no_delivery() {
    let scene = Scene::new();
    let (mut pooled, mut owner, mut holder) = (scene.pooled(), scene.db.superuser(), scene.db.superuser());
    holder.run("SELECT pg_advisory_lock(1)");
    for (number, (what, body, expected)) in SLOW.into_iter().enumerate() {
        owner.run(&format!(
            "CREATE OR REPLACE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body}; RETURN NEW; END';
             CREATE OR REPLACE TRIGGER slow BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.slow()"
        ));
        let (user, svix_id) = (format!("user_{number}"), format!("msg_{number}"));
        let event = user_created(&user);
        let answer = pooled.deliver(&event, &scene.headers(&svix_id, &event));
        assert_eq!(answer.verdict(), (200, "failed", expected), "{what}: {answer:?}");
        owner.run("DROP TRIGGER slow ON clerk.users");
        let stored: Vec<String> = owner.value_of(
            "SELECT ARRAY[e.state, e.last_error, (SELECT count(*)::text FROM clerk.users AS u WHERE u.id = $2)]
             FROM clerk.webhook_events AS e WHERE e.svix_id = $1",
            &[&svix_id, &user],
        );
        assert_eq!([&stored[0], &stored[2]], ["failed", "0"], "{what}: {stored:?}");
        assert!(stored[1].starts_with(expected), "{what}: {stored:?}");
        owner.run("UPDATE clerk.webhook_events SET next_attempt_at = now() WHERE state = 'failed'");
        assert_eq!(
            owner.value::<String>("SELECT clerk.retry_failed()->>'applied'"),
            "1",
            "{what}"
        );
    }
}

/// Supabase's sessions refuse UPDATE and DELETE without WHERE, wherever they come from. Deliveries above ran so; this is the upkeep.
#[test]
fn nothing_updates_or_deletes_whole_tables() {
    let scene = Scene::new();
    let mut session = scene.db.superuser();
    session.run(&format!("LOAD '{}'", require_where().display()));
    let refused = [
        "DELETE FROM clerk.users",
        "WITH gone AS (DELETE FROM clerk.users RETURNING 1) SELECT FROM gone",
    ];
    for statement in refused {
        assert_eq!(
            session.failure(statement).sqlstate,
            "21000",
            "the rule is in force"
        );
    }
    let mut pooled = scene.pooled();
    assert_eq!(
        pooled
            .session()
            .failure("UPDATE pg_class SET relname = relname")
            .sqlstate,
        "21000"
    );

    let mut world = World::new(WorldOptions {
        instance_id: INSTANCE.to_owned(),
        ..WorldOptions::default()
    });
    let events: Vec<Value> = world.run(100).iter().map(|event| event.envelope()).collect();
    session
        .execute(
            "SELECT clerk.apply_events($1::text::jsonb)",
            &[&json!(events).to_string()],
        )
        .expect("events can be applied");
    session.run(
        "UPDATE clerk.webhook_events SET state = 'failed', next_attempt_at = now() WHERE state = 'applied';
         SELECT clerk.retry_failed();
         SELECT clerk.maintain();
         UPDATE clerk.webhook_events SET received_at = received_at - interval '1 year' WHERE true;
         SELECT clerk.prune_webhook_events();
         SELECT clerk.hide_api();
         SELECT clerk.expose_api()",
    );
    pooled
        .request(&claims("user_ada"))
        .run("SELECT public.clerk_ensure_current_user()");
}

/// Without being superuser.
#[test]
fn the_owner_of_a_database_exposes_its_api() {
    let cluster = Cluster::shared();
    let mut superuser = cluster.superuser();
    superuser.run("CREATE ROLE builder LOGIN");
    superuser.run("CREATE DATABASE built OWNER builder");
    let mut owner = cluster.connect_to("built", "builder");
    owner.run("CREATE EXTENSION clerk_sync");
    let secret = Secret::new();
    set_up(&mut owner, &secret);
    let mut pooled = Pooled::new(cluster.connect_to("built", "app"));
    let body = user_created("user_ada");
    let answer = pooled.deliver(&body, &secret.headers("msg_1", now_seconds(), &body));
    assert_eq!(answer.verdict(), (200, "applied", ""));
    assert_eq!(
        ids(&mut pooled.request_of("user_ada"), "public.clerk_me"),
        ["user_ada"]
    );
    let hidden: Vec<String> = owner.value("SELECT clerk.hide_api()");
    assert_eq!(hidden.len(), 6, "{hidden:?}");
}
