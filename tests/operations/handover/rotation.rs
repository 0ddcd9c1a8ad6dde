//! A key that Clerk rotates reaches everybody who verifies tokens, with nobody connected: by the launcher's doing. What pg_cron
//! does is in `cron`.

use std::time::Instant;

use clerk_sim::{Fault, Rotation};

use super::postgrest::{Postgrest, Secret};
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
