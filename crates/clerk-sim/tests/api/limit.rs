//! The rate limit.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clerk_sim::{RateLimit, Simulator};

use crate::client::Scene;

#[test]
fn it_is_clerks_by_default() {
    let clerk = Simulator::start();
    clerk.change_api(|api| {
        let limit = api.rate_limit.unwrap();
        assert_eq!(
            (limit.requests, limit.window_ms),
            (100, 10_000),
            "as of a development instance"
        );
    });
    assert_eq!(
        RateLimit::PRODUCTION,
        RateLimit {
            requests: 1_000,
            window_ms: 10_000
        }
    );
}

#[test]
fn what_is_too_much_is_told_when_to_come_back() {
    let scene = Scene::new();
    scene.clerk.limit_rate(Some(RateLimit {
        requests: 3,
        window_ms: 60_000,
    }));
    for _ in 0..3 {
        assert_eq!(scene.get("/users").status, 200);
    }
    for path in ["/users", "/organizations"] {
        let answer = scene.get(path);
        assert_eq!(answer.error(), (429, "too_many_requests".to_owned()));
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    assert_eq!(scene.get("/jwks").status, 200, "keys are without limit");
    scene.clerk.limit_rate(None);
    assert_eq!(scene.get("/users").status, 200);
    assert_eq!(scene.get("/users").header("retry-after"), "");
}

#[test]
fn a_window_ends() {
    let scene = Scene::new();
    let window = Duration::from_millis(1_000);
    let started = Instant::now();
    scene.clerk.limit_rate(Some(RateLimit {
        requests: 1,
        window_ms: 1_000,
    }));
    assert_eq!(scene.get("/users").status, 200);
    let second = scene.get("/users").status;
    // On a machine that stood still for a second, the window was over already.
    assert!(second == 429 || started.elapsed() > window);
    sleep(window);
    assert_eq!(scene.get("/users").status, 200);
}
