//! Workers ask no faster than Clerk allows, all of them together, and wait as long as Clerk says.

use std::time::Duration;

use clerk_sim::{ApiFault, FaultPlan};
use clerk_tests::{Cluster, Sql};

use super::stub::{Stub, answer};
use super::{ISSUER, ask, database, error, instance, set_key};
use crate::scene::{run, told, wait};

/// Answers as an instance without anything in it.
fn empty(path: &str) -> &'static str {
    if path.contains("/count") {
        r#"{"object": "total_count", "total_count": 0}"#
    } else if path.contains("/users?") {
        "[]"
    } else {
        r#"{"data": [], "total_count": 0}"#
    }
}

#[test]
fn clerks_limit_is_never_reached() {
    let clerk = instance(ISSUER, "ins_one");
    let jwks = clerk.jwks().to_string();
    let stub = Stub::start(move |request| {
        let is_for_keys = request.line.contains("/jwks");
        answer(200, &[], if is_for_keys { &jwks } else { empty(&request.line) })
    });
    let db = database(Cluster::shared(), &clerk, &stub.url);
    let mut owner = db.superuser();
    set_key(&mut owner, "sk_test_abcABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab0");
    // Many short runs in one lane, and a longer one beside them.
    let runs: Vec<i64> =
        owner.value("SELECT array_agg(clerk.sync_user('user_' || n)) FROM generate_series(1, 60) AS n");
    let backfill: i64 = owner.value("SELECT clerk.start_backfill()");
    for id in runs.into_iter().chain([backfill]) {
        assert_eq!(wait(&mut owner, id), "done", "{:#}", told(&mut owner, id));
    }
    // Clerk does not count requests for keys.
    let requests = stub.requests();
    let counted: Vec<_> = requests
        .iter()
        .filter(|request| !request.line.contains("/jwks"))
        .map(|request| request.at)
        .collect();
    assert!(counted.len() > 100, "{}", counted.len());
    let most = |window: Duration| {
        let in_window = |first: usize| {
            counted[first..]
                .iter()
                .take_while(|at| **at - counted[first] < window)
                .count()
        };
        (0..counted.len()).map(in_window).max()
    };
    // A development instance may be asked 100 times in 10 s, and the application a fifth of that.
    assert!(
        most(Duration::from_secs(10)) <= Some(100 - 20),
        "{:?}",
        most(Duration::from_secs(10))
    );
    let noted = "SELECT next_at > '-infinity' AND blocked_until = '-infinity' FROM clerk.api_budgets";
    assert!(owner.value::<bool>(noted));
}

#[test]
fn a_429_stops_every_worker_until_clerk_says() {
    let clerk = instance(ISSUER, "ins_one");
    let jwks = clerk.jwks().to_string();
    for (header, seconds) in [(Some("retry-after: 3"), 3), (None, 10)] {
        let jwks = jwks.clone();
        let first = std::sync::atomic::AtomicBool::new(true);
        let stub = Stub::start(move |request| {
            if request.line.contains("/jwks") {
                return answer(200, &[], &jwks);
            }
            if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                let headers: Vec<_> = header.into_iter().collect();
                return answer(
                    429,
                    &headers,
                    r#"{"errors": [{"message": "Too many requests", "code": "rate_limit_exceeded"}]}"#,
                );
            }
            answer(200, &[], empty(&request.line))
        });
        let db = database(Cluster::shared(), &clerk, &stub.url);
        let mut owner = db.superuser();
        set_key(&mut owner, "sk_test_abcABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab0");
        let one: i64 = owner.value("SELECT clerk.sync_user('user_a')");
        crate::scene::wait_until("Clerk has refused", || {
            owner
                .value::<Option<bool>>("SELECT (SELECT blocked_until > now() FROM clerk.api_budgets)")
                .filter(|blocked| *blocked)
        });
        // Another worker, which has heard of nothing.
        let other: i64 = owner.value("SELECT clerk.start_backfill(ARRAY['users', 'organizations'])");
        for id in [one, other] {
            assert_eq!(wait(&mut owner, id), "done", "{:#}", told(&mut owner, id));
        }
        let requests = stub.requests();
        let refused = requests
            .iter()
            .position(|request| !request.line.contains("/jwks"))
            .expect("it was asked");
        for request in &requests[refused + 1..] {
            let after = request.at - requests[refused].at;
            // The worker's clock began when the answer had come.
            assert!(
                after >= Duration::from_millis(seconds * 1000 - 50),
                "{after:?}: {request:?}"
            );
        }
        assert!(requests.len() > refused + 2);
    }
}

#[test]
fn a_long_block_is_left_to_later() {
    let clerk = instance(ISSUER, "ins_one");
    let db = database(Cluster::shared(), &clerk, &clerk.api_url());
    let mut owner = db.superuser();
    set_key(&mut owner, &clerk.secret_key());
    clerk.plan_fault(
        FaultPlan::once(ApiFault::TooManyRequests {
            retry_after: Some(100_000),
        })
        .on("/users"),
    );
    let told = ask(&mut owner);
    assert!(error(&told).contains("HTTP 429"), "{told:#}");
    let asked = clerk.api_requests().len();
    // An hour at most, and nobody asks meanwhile.
    assert!(owner.value::<bool>(
        "SELECT blocked_until - now() BETWEEN interval '59 minutes' AND interval '1 hour' FROM clerk.api_budgets"
    ));
    let told = ask(&mut owner);
    assert!(
        error(&told).contains("Clerk wants no requests for another 3"),
        "{told:#}"
    );
    assert_eq!(clerk.api_requests().len(), asked);
    // A time that only a clock that was set back since can have written stops nobody.
    owner.run("UPDATE clerk.api_budgets SET blocked_until = now() + interval '1 day', next_at = now() + interval '1 day' WHERE true");
    let (_, state) = run(&mut owner, "SELECT clerk.sync_user('user_a')");
    assert_eq!(state, "done");
}
