//! A key that Clerk rotates reaches everybody who verifies tokens, with nobody connected: by the launcher's doing. What pg_cron
//! does is in `cron`.

use std::thread::scope;
use std::time::{Duration, Instant};

use clerk_sim::{Fault, Rotation};
use clerk_tests::Cluster;

use super::postgrest::{Postgrest, Secret, running};
use super::project::{Project, assert_set};
use super::{SECRET, as_supabase};
use crate::scene::{preloaded, wait_until};

#[test]
fn a_rotated_key_is_live_everywhere_within_one_interval() {
    let cluster = as_supabase(preloaded(&[]));
    let project = Project::bare(&cluster);
    project.connect();
    project.assert_handed_over("before");

    for rotation in [Rotation::New, Rotation::Same] {
        project.clerk.fault(Fault::Ok);
        let started = Instant::now();
        let requests = project.clerk.jwks_requests();
        project.clerk.rotate(rotation);
        // With nobody connected. The next fetch but one begins when the round of the next one is over.
        wait_until("the keys were fetched twice", || {
            project.clerk.jwks_requests() >= requests + 2
        });
        println!("two rounds took {:?}, one every second", started.elapsed());
        // From now on no session can get keys for itself.
        project.clerk.fault(Fault::Down);
        project.assert_handed_over(&format!("{rotation:?}"));
    }

    // A PostgREST that runs hears of it by itself.
    let mut postgrest = Postgrest::start(&project.db, Some(SECRET));
    project.clerk.fault(Fault::Ok);
    project.clerk.rotate(Rotation::New);
    let published = project.clerk.jwks()["keys"][0].clone();
    wait_until("PostgREST has the key", || {
        postgrest.hear();
        matches!(&postgrest.secret, Secret::Keys(keys) if keys.len() == 2 && keys[1]["kid"] == published["kid"])
    });
    let Secret::Keys(keys) = &postgrest.secret else {
        unreachable!()
    };
    assert_set(keys, &published, "PostgREST");
}

#[test]
#[ignore = "takes minutes: scripts/postgrest-matrix"]
fn a_hard_rotation_is_over_in_time_at_defaults() {
    scope(|threads| {
        for (interval, limit) in [("60s", 70), ("10s", 20)] {
            threads.spawn(move || {
                let settings = [
                    ("shared_preload_libraries", "clerk_sync"),
                    ("clerk.maintain_interval", interval),
                ];
                let cluster = as_supabase(Cluster::start(&settings));
                let project = Project::bare(&cluster);
                project.connect();
                hard_rotation(&project, &format!("launcher every {interval}"), limit);
            });
        }
    });
}

/// Prints how long PostgREST refuses the tokens of a new key that replaces the old one just after a round has fetched it, the worst
/// moment.
///
/// # Panics
/// If that takes longer than `limit` seconds.
pub fn hard_rotation(project: &Project, by: &str, limit: u64) {
    let mut postgrest = running::start(&project.db);
    let requests = project.clerk.jwks_requests();
    while project.clerk.jwks_requests() == requests {
        postgrest.tick();
    }
    let fetched = Instant::now();
    while fetched.elapsed() < Duration::from_secs(1) {
        postgrest.tick();
    }
    project.clerk.rotate(Rotation::New);
    let (rotated, limit) = (Instant::now(), Duration::from_secs(limit));
    while !postgrest.accepts(&project.clerk) {
        postgrest.tick();
        assert!(rotated.elapsed() <= limit, "a hard rotation, {by}");
    }
    let what = format!("hard rotation, {by}");
    println!(
        "{what:<46} {:>5.1} s of at most {limit:?}",
        rotated.elapsed().as_secs_f64()
    );
}
