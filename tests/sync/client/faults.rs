//! Each way in which the Backend API can fail: one clear error, after as many tries as make sense.

use std::thread;

use clerk_sim::{ApiFault, FaultPlan};
use clerk_tests::{Cluster, Sql};

use super::{ISSUER, ask, database, error, instance, set, set_key};
use crate::scene::{run, told, wait_until};

/// A fault, how often it is met, and words of the error and of its hint.
type Case = (ApiFault, usize, &'static str, &'static str);

fn cases() -> Vec<Case> {
    vec![
        (ApiFault::Unauthorized, 1, "HTTP 401: ", "clerk.set_secret_key"),
        (ApiFault::Forbidden, 1, "HTTP 403: ", "plan"),
        (ApiFault::NotFound, 1, "HTTP 404: ", "deleted"),
        (ApiFault::Unprocessable, 1, "HTTP 422: ", "update the extension"),
        (
            ApiFault::Redirect {
                location: "https://login.example.com/".to_owned(),
            },
            1,
            "redirection to \"https://login.example.com/\"",
            "api_url",
        ),
        (
            ApiFault::Huge { mib: 200 },
            1,
            "longer than 33554432 bytes",
            "smaller",
        ),
        (ApiFault::ServerError, 5, "HTTP 500: ", "status.clerk.com"),
        (
            ApiFault::BadGateway,
            5,
            "HTTP 502 and a page in HTML",
            "status.clerk.com",
        ),
        (
            ApiFault::Html,
            5,
            "HTTP 200, but the answer is no set of an instance's keys",
            "api_url",
        ),
        (ApiFault::WrongJson, 5, "HTTP 200, but the answer is", "api_url"),
        (ApiFault::WrongShape, 5, "HTTP 200, but the answer is", "api_url"),
        (ApiFault::Half, 5, "in the middle of the answer", "tried again"),
        (ApiFault::Reset, 5, "failed: ", "tried again"),
        (
            ApiFault::Stall,
            5,
            "no complete answer within 500 ms",
            "clerk.api_timeout",
        ),
        (
            ApiFault::Slow { ms: 60_000 },
            5,
            "no complete answer within 500 ms",
            "clerk.api_timeout",
        ),
        (
            ApiFault::Drip { ms: 200 },
            5,
            "no complete answer within 500 ms",
            "clerk.api_timeout",
        ),
    ]
}

#[test]
fn every_fault_has_a_name_and_a_mend() {
    let cluster = Cluster::start(&[("max_worker_processes", "32")]);
    thread::scope(|scope| {
        for case in cases() {
            let cluster = &cluster;
            scope.spawn(move || meets(cluster, case));
        }
    });
    cluster.assert_no_crash();
}

/// Short only where it is to be reached.
fn timeout(words: &str) -> &'static str {
    if words.contains("500 ms") { "500ms" } else { "30s" }
}

fn meets(cluster: &Cluster, (fault, tries, words, hint): Case) {
    let clerk = instance(ISSUER, "ins_one");
    let db = database(cluster, &clerk, &clerk.api_url());
    set(&db, "clerk.api_timeout", timeout(words));
    let mut owner = db.superuser();
    set_key(&mut owner, &clerk.secret_key());
    clerk.plan_fault(FaultPlan::once(fault.clone()).always());
    let (id, state) = run(&mut owner, "SELECT clerk.sync_user('user_nobody')");
    let told = told(&mut owner, id);
    assert_eq!(state, "failed", "{fault:?}: {told:#}");
    let error = told["last_error"].as_str().unwrap_or_default();
    assert!(error.contains(words), "{fault:?}: {error}");
    let told_hint = told["last_hint"].as_str().unwrap_or_default();
    assert!(told_hint.contains(hint), "{fault:?}: {told_hint}");
    assert_eq!(clerk.api_requests().len(), tries, "{fault:?}");
    let is_an_answer_of_clerks = error.contains("was answered with HTTP");
    assert_eq!(
        told["trace_id"].is_string(),
        is_an_answer_of_clerks,
        "{fault:?}: {told:#}"
    );
    // It passes.
    clerk.clear_api_faults();
    let (_, state) = run(&mut owner, "SELECT clerk.sync_user('user_nobody')");
    assert_eq!(state, "done", "{fault:?}");
}

#[test]
fn what_passes_is_not_even_noticed() {
    let cluster = Cluster::start(&[("max_worker_processes", "32")]);
    thread::scope(|scope| {
        for (fault, tries, words, _) in cases().into_iter().filter(|(_, tries, ..)| *tries > 1) {
            let cluster = &cluster;
            scope.spawn(move || {
                let clerk = instance(ISSUER, "ins_one");
                let db = database(cluster, &clerk, &clerk.api_url());
                set(&db, "clerk.api_timeout", timeout(words));
                let mut owner = db.superuser();
                set_key(&mut owner, &clerk.secret_key());
                clerk.plan_fault(
                    FaultPlan::once(fault.clone())
                        .on("/users")
                        .times(tries as u64 - 1),
                );
                let (id, state) = run(&mut owner, "SELECT clerk.sync_user('user_nobody')");
                assert_eq!(state, "done", "{fault:?}: {:#}", told(&mut owner, id));
            });
        }
    });
}

#[test]
fn a_host_that_does_not_exist_is_said_so() {
    let clerk = instance(ISSUER, "ins_one");
    let db = database(Cluster::shared(), &clerk, "https://api.clerk.invalid/v1");
    let mut owner = db.superuser();
    set_key(&mut owner, &clerk.secret_key());
    let told = ask(&mut owner);
    assert!(error(&told).contains("does not resolve"), "{told:#}");
    assert!(
        told["last_hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("clerk.http_proxy")),
        "{told:#}"
    );
}

#[test]
fn nobody_at_the_other_end_is_said_so() {
    let clerk = instance(ISSUER, "ins_one");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port is free")
        .port();
    let db = database(Cluster::shared(), &clerk, &format!("http://127.0.0.1:{port}/v1"));
    let mut owner = db.superuser();
    set_key(&mut owner, &clerk.secret_key());
    let told = ask(&mut owner);
    assert!(error(&told).contains("refused"), "{told:#}");
    // Nor at the proxy.
    set(
        &db,
        "clerk.http_proxy",
        &format!("http://user:OpenSesame@127.0.0.1:{port}"),
    );
    owner.run("SELECT clerk.configure(api_url => 'https://api.clerk.invalid/v1')");
    let told = ask(&mut owner);
    assert!(error(&told).contains("failed: "), "{told:#}");
    assert!(!told.to_string().contains("OpenSesame"), "{told:#}");
}

#[test]
fn a_page_of_200_mib_is_not_taken_in() {
    let cluster = Cluster::start(&[]);
    let clerk = instance(ISSUER, "ins_one");
    clerk.set_world(clerk_sim::World::new(clerk_sim::WorldOptions::default()));
    clerk.world().run(200);
    let db = database(&cluster, &clerk, &clerk.api_url());
    let mut owner = db.superuser();
    set_key(&mut owner, &clerk.secret_key());
    // Twice, then less is asked for.
    clerk.plan_fault(FaultPlan::once(ApiFault::Huge { mib: 200 }).on("/users").times(2));
    let id: i64 = owner.value("SELECT clerk.start_backfill(ARRAY['users'])");
    let mut most = 0;
    let state = wait_until("the run is over", || {
        let pids: Vec<i32> = owner.value("SELECT COALESCE(array_agg(pid), '{}') FROM pg_stat_activity WHERE backend_type = 'clerk_sync worker'");
        for pid in pids {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let kib = status.lines().find_map(|line| {
                line.strip_prefix("VmHWM:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .trim()
                    .parse::<u64>()
                    .ok()
            });
            most = most.max(kib.unwrap_or(0));
        }
        let state = crate::scene::state(&mut owner, id);
        (!matches!(state.as_str(), "queued" | "running")).then_some(state)
    });
    assert_eq!(state, "done", "{:#}", told(&mut owner, id));
    assert!((1..180 * 1024).contains(&most), "the worker had {most} KiB");
    let limits: Vec<_> = clerk
        .api_requests()
        .iter()
        .filter(|request| request.path == "/users")
        .filter_map(|request| {
            request
                .query
                .split('&')
                .find_map(|part| part.strip_prefix("limit=").map(str::to_owned))
        })
        .collect();
    assert_eq!(limits[..3], ["500", "250", "125"]);
    let (known, true_count): (i64, usize) = (
        owner.value("SELECT count(*) FROM clerk.existing_users"),
        clerk
            .world()
            .truth()
            .of(clerk_sim::Resource::Users)
            .values()
            .filter(|fact| fact.exists)
            .count(),
    );
    assert_eq!(known as usize, true_count);
}
