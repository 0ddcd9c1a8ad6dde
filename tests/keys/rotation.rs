//! A key that Clerk has rotated is found by whoever shows a token that it signed.

use clerk_sim::{Rotation, Simulator};
use clerk_tests::TestDb;

use crate::bearer::{assert_refused, assert_user, token_of, user_in};

#[test]
fn a_key_rotated_under_the_same_kid_verifies_in_open_backends() {
    rotate(Rotation::Same, Some("token-invalid-signature"));
}

#[test]
fn a_key_rotated_under_a_new_kid_verifies_in_open_backends() {
    rotate(Rotation::New, Some("jwk-kid-mismatch"));
}

#[test]
fn while_rotated_keys_overlap_both_verify() {
    rotate(Rotation::Overlap, None);
}

/// `fate` is the reason for which tokens of the key before are refused from then on.
fn rotate(rotation: Rotation, fate: Option<&str>) {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut sessions = [db.connect("anon"), db.connect("authenticated")];
    let before = token_of(&clerk, "user_before");
    for session in &mut sessions {
        assert_user(session, &before, "user_before");
    }
    let requests = clerk.jwks_requests();

    clerk.rotate(rotation);
    let after = token_of(&clerk, "user_after");
    // The first one fetches, and from a transaction that could not write what it fetched.
    assert_eq!(
        user_in(&mut sessions[0], &after, true),
        Ok(Some("user_after".to_owned()))
    );
    assert_user(&mut sessions[1], &after, "user_after");
    assert_eq!(clerk.jwks_requests(), requests + 1);

    for session in &mut sessions {
        match fate {
            Some(reason) => assert_refused(session, &before, reason),
            None => assert_user(session, &before, "user_before"),
        }
    }
}
