//! What goes wrong on request.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use clerk_sim::{ApiFault, Chaos, FaultPlan};
use serde_json::Value;

use crate::client::Scene;

/// A connection on which a request was made, for what no client shows.
fn raw(scene: &Scene, path: &str) -> TcpStream {
    let host = scene.clerk.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(host).unwrap();
    let key = scene.clerk.secret_key();
    write!(
        stream,
        "GET /v1{path} HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer {key}\r\n\r\n"
    )
    .unwrap();
    stream
}

#[test]
fn errors_in_clerks_form() {
    let scene = Scene::after(20);
    for (fault, status, code) in [
        (ApiFault::Unauthorized, 401, "clerk_key_invalid"),
        (ApiFault::Forbidden, 403, "authorization_invalid"),
        (ApiFault::NotFound, 404, "resource_not_found"),
        (ApiFault::Unprocessable, 422, "form_param_value_invalid"),
        (ApiFault::ServerError, 500, "internal_clerk_error"),
    ] {
        scene.clerk.api_fault(fault);
        assert_eq!(scene.get("/users").error(), (status, code.to_owned()));
        assert_eq!(scene.get("/users").status, 200, "once only");
    }
    scene
        .clerk
        .api_fault(ApiFault::TooManyRequests { retry_after: Some(7) });
    let answer = scene.get("/users");
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"));
    scene
        .clerk
        .api_fault(ApiFault::TooManyRequests { retry_after: None });
    let answer = scene.get("/users");
    assert_eq!((answer.status, answer.header("retry-after")), (429, ""));
}

#[test]
fn answers_of_somebody_else() {
    let scene = Scene::after(20);
    for (fault, status) in [(ApiFault::BadGateway, 502), (ApiFault::Html, 200)] {
        scene.clerk.api_fault(fault);
        let answer = scene.get("/users");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "text/html")
        );
        assert!(answer.body.starts_with("<!doctype html>") && !answer.header("cf-ray").is_empty());
    }
    let location = "https://elsewhere.test/v1/users".to_owned();
    scene.clerk.api_fault(ApiFault::Redirect {
        location: location.clone(),
    });
    let answer = scene.get("/users");
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, location.as_str())
    );
    scene.clerk.api_fault(ApiFault::WrongJson);
    let answer = scene.get("/users");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    assert!(serde_json::from_str::<Value>(&answer.body).is_err());
    scene.clerk.api_fault(ApiFault::WrongShape);
    let answer = scene.get("/users").json();
    assert!(answer.is_object() && answer.get("data").is_none());
}

#[test]
fn lists_that_lie() {
    let scene = Scene::after(600);
    let whole = scene.get("/organization_memberships?limit=8").json();
    assert_eq!(whole["data"].as_array().unwrap().len(), 8);

    // The faults of lists wait for a list.
    scene.clerk.api_fault(ApiFault::EmptyList);
    assert_eq!(scene.get("/users/count").status, 200);
    let empty = scene.get("/organization_memberships?limit=8").json();
    assert_eq!(
        (empty["data"].as_array().unwrap().len(), &empty["total_count"]),
        (0, &0.into())
    );
    scene.clerk.api_fault(ApiFault::EmptyList);
    assert_eq!(scene.get("/users").body, "[]");

    scene.clerk.api_fault(ApiFault::ShortList);
    let short = scene.get("/organization_memberships?limit=8").json();
    assert_eq!(
        short["data"].as_array().unwrap()[..],
        whole["data"].as_array().unwrap()[..4]
    );
    assert_eq!(short["total_count"], whole["total_count"]);

    let first = scene.ids("/users?limit=3");
    let second = scene.ids("/users?limit=3&offset=3");
    scene.clerk.api_fault(ApiFault::RepeatedPage);
    assert_eq!(
        scene.ids("/users?limit=3"),
        second,
        "the page before, whatever was asked"
    );
    assert_eq!(scene.ids("/users?limit=3"), first);
}

#[test]
fn a_page_is_repeated_only_if_there_was_one() {
    let scene = Scene::after(100);
    scene
        .clerk
        .plan_fault(FaultPlan::once(ApiFault::RepeatedPage).on("/users"));
    let first = scene.ids("/users?limit=3");
    assert_eq!(scene.ids("/users?limit=3&offset=3"), first);
    assert_ne!(scene.ids("/users?limit=3&offset=3"), first);
}

#[test]
fn bodies_that_are_cut_or_swollen() {
    let scene = Scene::after(100);
    let whole = scene.get("/users?limit=2").body;
    scene.clerk.api_fault(ApiFault::Half);
    assert!(scene.try_get("/users?limit=2").is_err());

    scene.clerk.api_fault(ApiFault::Half);
    let mut answer = Vec::new();
    raw(&scene, "/users?limit=2").read_to_end(&mut answer).ok();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("content-length: {}", whole.len())),
        "{head}"
    );
    assert_eq!(body, &whole[..whole.len() / 2]);

    scene.clerk.api_fault(ApiFault::Huge { mib: 3 });
    let answer = scene.get("/users?limit=2");
    assert!(answer.body.len() > 3 * 1024 * 1024 && answer.header("content-length").is_empty());
    assert_eq!(answer.body.trim_end(), whole);

    scene.clerk.api_fault(ApiFault::Slow { ms: 300 });
    let started = Instant::now();
    assert_eq!(scene.get("/users?limit=2").body, whole);
    assert!(started.elapsed() >= Duration::from_millis(300));

    scene.clerk.api_fault(ApiFault::Drip { ms: 1 });
    let started = Instant::now();
    let count = scene.get("/users/count").body;
    assert!(started.elapsed() >= Duration::from_millis(count.len() as u64));
    assert_eq!(count, scene.get("/users/count").body);
}

#[test]
fn a_stall_sends_nothing_and_keeps_others_going() {
    let scene = Scene::after(20);
    scene.clerk.api_fault(ApiFault::Stall);
    let mut stalled = raw(&scene, "/users");
    while scene.clerk.api_counts().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(scene.get("/users").status, 200);
    stalled
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let error = stalled.read(&mut [0]).expect_err("nothing to read");
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
}

#[test]
fn a_reset_is_no_end() {
    let scene = Scene::after(20);
    scene.clerk.api_fault(ApiFault::Reset);
    let error = raw(&scene, "/users").read(&mut [0]).expect_err("not an end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(scene.get("/users").status, 200);
}

#[test]
fn plans_are_for_a_path_a_number_and_a_time() {
    let scene = Scene::after(200);
    let statuses =
        |path: &str, times: usize| -> Vec<u16> { (0..times).map(|_| scene.get(path).status).collect() };
    let down = FaultPlan::once(ApiFault::ServerError);
    scene
        .clerk
        .plan_fault(down.clone().on("/users").after(2).times(3));
    assert_eq!(statuses("/organizations", 2), [200, 200]);
    assert_eq!(statuses("/users", 7), [200, 200, 500, 500, 500, 200, 200]);

    scene.clerk.plan_fault(down.clone().on("/organization*").always());
    assert_eq!(statuses("/organization_roles", 2), [500, 500]);
    assert_eq!(statuses("/organizations/org_x", 2), [500, 500]);
    assert_eq!(statuses("/users", 1), [200]);
    scene.clerk.clear_api_faults();
    assert_eq!(statuses("/organization_roles", 2), [200, 200]);

    // What is not let in meets no fault.
    scene.clerk.plan_fault(down);
    assert_eq!(scene.request("/users", &[]).unwrap().status, 401);
    assert_eq!(statuses("/users", 2), [500, 200]);
}

#[test]
fn chance_is_from_a_seed_and_heals() {
    let scene = Scene::after(20);
    let chaos = |seed| Chaos {
        seed,
        probability: 0.2,
        faults: vec![ApiFault::ServerError, ApiFault::BadGateway],
    };
    let run = |seed| -> Vec<u16> {
        scene.clerk.set_chaos(chaos(seed));
        (0..200).map(|_| scene.get("/users/count").status).collect()
    };
    let first = run(1);
    assert_eq!(run(1), first);
    assert_ne!(run(2), first);
    let failed = first.iter().filter(|status| **status != 200).count();
    assert!((20..=60).contains(&failed), "{failed} of 200");
    assert!(first.contains(&500) && first.contains(&502));
    scene.clerk.clear_api_faults();
    assert_eq!(scene.get("/users/count").status, 200);

    let usual = Chaos::default();
    assert_eq!(usual.probability, 0.05);
    assert!(
        !usual.faults.contains(&ApiFault::Stall),
        "that costs a client its whole patience"
    );
}
