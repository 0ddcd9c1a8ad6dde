//! What happens where no background worker can be had.

use clerk_sim::{Rotation, Simulator};
use clerk_tests::{Cluster, Sql};

use crate::bearer::{assert_user, import, token_of, user};

#[test]
fn without_a_free_slot_only_new_keys_are_out_of_reach() {
    let cluster = Cluster::start(&[("max_worker_processes", "0")]);
    let db = cluster.create_database();
    let clerk = Simulator::start();
    let (mut owner, notices) = db.connect_with_notices("postgres");
    let configure = "SELECT keys FROM clerk.configure(issuer => $1, jwks_url => $2)";
    let keys: i32 = owner.value_of(configure, &[&clerk.issuer(), &clerk.jwks_url()]);
    assert_eq!(keys, 0);
    let failure = owner.failure("SELECT clerk.refresh_jwks()");
    assert_eq!(notices.take(), std::slice::from_ref(&failure));
    assert_eq!(failure.sqlstate, "53400", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("max_worker_processes"))
    );

    import(&mut owner, clerk.issuer(), &clerk);
    let mut session = db.connect("anon");
    assert_user(&mut session, &token_of(&clerk, "user_ada"), "user_ada");
    clerk.rotate(Rotation::New);
    // Also the second time: that nothing could be started starts no cool-down.
    for _ in 0..2 {
        let failure = user(&mut session, &token_of(&clerk, "user_ada")).expect_err("the key is new");
        assert_eq!(failure.sqlstate, "53400", "{failure:?}");
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("max_worker_processes"))
        );
    }
    assert_eq!(clerk.jwks_requests(), 0);
}
