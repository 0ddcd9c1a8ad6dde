//! A key that Clerk has withdrawn goes away while tokens arrive.

use clerk_sim::{Fault, Rotation, SigningKeys, Simulator, Token};
use clerk_tests::{Sql, TestDb};
use postgres::Client;

use crate::bearer::{assert_refused, assert_user, set, simulator, token_of, user, wait_until};

/// A new token by the keys of old.
fn old_token(clerk: &Simulator, keys: &SigningKeys) -> String {
    Token::session(clerk.issuer(), "user_ada").sign(keys)
}

/// Makes the keys look as if they had been fetched an hour ago.
fn age_keys(owner: &mut Client) {
    owner.run("UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '1 hour'");
}

#[test]
fn old_keys_are_fetched_again_and_a_withdrawn_one_is_refused() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let old = clerk.keys();
    let mut session = db.connect("anon");
    clerk.rotate(Rotation::New);
    age_keys(&mut db.superuser());
    let requests = clerk.jwks_requests();

    // Nobody waits for the fetch, so the token that caused it is still believed.
    assert_user(&mut session, &old_token(&clerk, &old), "user_ada");
    wait_until("the withdrawn key is refused", || {
        user(&mut session, &old_token(&clerk, &old)).is_err()
    });
    assert_refused(&mut session, &old_token(&clerk, &old), "jwk-kid-mismatch");
    assert_eq!(clerk.jwks_requests(), requests + 1);
}

#[test]
fn young_keys_are_left_alone_until_the_setting_says_otherwise() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let requests = clerk.jwks_requests();
    for _ in 0..5 {
        assert_user(&mut db.connect("anon"), &token_of(&clerk, "user_ada"), "user_ada");
    }
    assert_eq!(clerk.jwks_requests(), requests);

    set(&db, "clerk.jwks_max_age", "1s");
    wait_until("the keys are fetched again", || {
        // A session looks at their age only now and then, but a new one at once.
        assert_user(&mut db.connect("anon"), &token_of(&clerk, "user_ada"), "user_ada");
        clerk.jwks_requests() > requests
    });
}

#[test]
fn a_busy_instance_does_not_keep_another_from_being_refreshed() {
    let busy = Simulator::start();
    let quiet = simulator("https://clerk.quiet.test");
    let db = TestDb::shared();
    db.configure(&busy);
    db.configure(&quiet);
    let old = quiet.keys();
    quiet.rotate(Rotation::New);
    db.superuser().run(
        "UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '1 hour' WHERE issuer ~ 'quiet'",
    );
    let mut session = db.connect("anon");
    assert_user(&mut session, &token_of(&busy, "user_bob"), "user_bob");
    assert_user(&mut session, &old_token(&quiet, &old), "user_ada");
    wait_until("the withdrawn key is refused", || {
        user(&mut session, &old_token(&quiet, &old)).is_err()
    });
}

#[test]
fn that_a_refresh_fails_is_no_reason_to_refuse() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    clerk.fault(Fault::Down);
    let mut owner = db.superuser();
    age_keys(&mut owner);
    let mut session = db.connect("anon");
    assert_user(&mut session, &token_of(&clerk, "user_ada"), "user_ada");
    wait_until("the refresh has failed", || {
        owner.value::<bool>("SELECT last_error IS NOT NULL FROM clerk.jwks_fetches")
    });
    assert_user(&mut session, &token_of(&clerk, "user_ada"), "user_ada");
}

#[test]
fn keys_that_arrive_from_a_url_changed_meanwhile_are_not_stored() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    let mut session = db.connect("anon");
    clerk.rotate(Rotation::New);
    clerk.fault(Fault::Slow { ms: 2_000 });
    age_keys(&mut owner);
    let old = Token::session(clerk.issuer(), "user_ada").sign(&SigningKeys::new("ins_other"));
    // The slow fetch begins with a token that fits no key, and goes on when its session no longer waits.
    session.run("SET statement_timeout = '500ms'");
    assert!(user(&mut session, &old).is_err());
    wait_until("the fetch is on its way", || {
        owner.value::<bool>("SELECT attempted_at IS NOT NULL FROM clerk.jwks_fetches")
    });
    let issuer = clerk.issuer();
    owner.run(&format!(
        "DELETE FROM clerk.jwks WHERE true; SELECT clerk.configure(issuer => '{issuer}', jwks_url => '')"
    ));
    wait_until("the worker has ended", || {
        owner.value::<bool>(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'clerk_sync worker')",
        )
    });
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.jwks"), 0);
}
