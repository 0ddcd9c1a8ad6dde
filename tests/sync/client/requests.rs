//! What a request looks like, and what of an answer counts.

use clerk_tests::{Cluster, Sql};

use super::stub::{Stub, answer, undated};
use super::{ISSUER, ask, database, error, instance, set, set_key};
use crate::scene::run;

#[test]
fn requests_carry_key_and_version_over_one_connection() {
    let clerk = instance(ISSUER, "ins_one");
    let jwks = clerk.jwks().to_string();
    let stub = Stub::start(move |request| {
        let body = if request.line.contains("/jwks") {
            jwks.as_str()
        } else if request.line.contains("/count") {
            r#"{"object": "total_count", "total_count": 0}"#
        } else if request.line.contains("/users?") {
            "[]"
        } else {
            r#"{"data": [], "total_count": 0}"#
        };
        answer(200, &[], body)
    });
    let db = database(Cluster::shared(), &clerk, &stub.url);
    let mut owner = db.superuser();
    set_key(&mut owner, "sk_test_abcABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab0");
    let (_, state) = run(&mut owner, "SELECT clerk.start_backfill()");
    assert_eq!(state, "done");
    let requests = stub.requests();
    assert!(requests.len() > 5, "{requests:?}");
    for request in &requests {
        assert!(request.line.starts_with("GET /v1/"), "{request:?}");
        assert_eq!(request.connection, requests[0].connection, "{request:?}");
        for header in [
            "authorization: Bearer sk_test_abcABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab0",
            "clerk-api-version: 2026-05-12",
        ] {
            assert!(request.head.lines().any(|line| line == header), "{request:?}");
        }
        // Clerk takes one of the two ways to say the version, not both.
        assert!(!request.line.contains("__clerk_api_version"), "{request:?}");
    }
    let users = requests
        .iter()
        .find(|request| request.line.contains("/users?"))
        .expect("users were asked for");
    assert!(
        users.line.contains("order_by=%2Bcreated_at&limit=500"),
        "{users:?}"
    );
}

#[test]
fn what_has_no_credible_date_says_nothing() {
    let clerk = instance(ISSUER, "ins_one");
    for (date, words) in [
        ("", "no Date header"),
        ("date: 2026-01-01T00:00:00Z", "no HTTP date"),
        ("date: Thu, 31 Dec 2099 23:59:59 GMT", "more than a day apart"),
        ("date: Sun, 06 Nov 1994 08:49:37 GMT", "more than a day apart"),
    ] {
        let jwks = clerk.jwks().to_string();
        let stub = Stub::start(move |request| {
            if request.line.contains("/jwks") {
                return answer(200, &[], &jwks);
            }
            let headers: Vec<_> = Some(date).filter(|date| !date.is_empty()).into_iter().collect();
            undated(
                200,
                &headers,
                r#"[{"id": "user_nobody", "object": "user", "created_at": 1700000000000, "updated_at": 1700000000000}]"#,
            )
        });
        let db = database(Cluster::shared(), &clerk, &stub.url);
        let mut owner = db.superuser();
        set_key(&mut owner, "sk_test_abcABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab0");
        let told = ask(&mut owner);
        assert!(error(&told).contains(words), "{date}: {told:#}");
        assert_eq!(
            owner.value::<i64>("SELECT count(*) FROM clerk.users"),
            0,
            "{date}"
        );
    }
}

#[test]
fn a_redirection_is_not_followed_with_the_key() {
    let clerk = instance(ISSUER, "ins_one");
    let elsewhere = Stub::start(|_| answer(200, &[], "{}"));
    for location in [elsewhere.url.clone(), "/v1/elsewhere".to_owned()] {
        let goal = location.clone();
        let stub = Stub::start(move |_| answer(302, &[&format!("location: {goal}")], ""));
        let db = database(Cluster::shared(), &clerk, &stub.url);
        let mut owner = db.superuser();
        set_key(&mut owner, "sk_test_abcABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab0");
        let told = ask(&mut owner);
        assert!(error(&told).contains("HTTP 302, a redirection to"), "{told:#}");
        assert_eq!(stub.requests().len(), 1);
    }
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn plain_http_needs_a_superusers_word() {
    let clerk = instance(ISSUER, "ins_one");
    let db = database(Cluster::shared(), &clerk, &clerk.api_url());
    let mut owner = db.superuser();
    set_key(&mut owner, &clerk.secret_key());
    set(&db, "clerk.allow_http_loopback", "off");
    let told = ask(&mut owner);
    assert!(error(&told).contains("plain http is refused"), "{told:#}");
    assert_eq!(clerk.api_requests().len(), 0);
}
