//! Forged tokens cause at most one fetch per cool-down, however many there are.

use std::sync::Barrier;
use std::thread;

use clerk_sim::{Fault, Rotation, Simulator, Token};
use clerk_tests::{Cluster, Sql, TestDb};

use crate::bearer::{assert_user, token_of, user_in};

const CONNECTIONS: usize = 20;
const TOKENS_PER_CONNECTION: usize = 50;

/// By turns a token with an unknown kid and one that is signed by another key; no two are the same.
fn forge(clerk: &Simulator) -> Vec<String> {
    let forged = (0..CONNECTIONS * TOKENS_PER_CONNECTION).map(|number| {
        let token = Token::session(clerk.issuer(), &format!("user_{number}"));
        match number % 2 {
            0 => clerk.forge(token.header("kid", format!("ins_{number}").into())),
            _ => clerk.forge(token),
        }
    });
    forged.collect()
}

/// Shows every token, from many connections at once, every other one only reading.
///
/// # Panics
/// If one is believed.
fn flood(db: &TestDb, tokens: &[String]) {
    thread::scope(|scope| {
        for (number, tokens) in tokens.chunks(TOKENS_PER_CONNECTION).enumerate() {
            scope.spawn(move || {
                let mut session = db.connect("anon");
                for token in tokens {
                    let failure =
                        user_in(&mut session, token, number % 2 == 0).expect_err("the token is forged");
                    let reason = ["jwk-kid-mismatch", "token-invalid-signature"];
                    assert!(
                        reason.map(|reason| ("28", reason)).contains(&failure.refusal()),
                        "{failure:?}"
                    );
                }
            });
        }
    });
}

#[test]
fn a_flood_of_forged_tokens_causes_one_fetch_per_cooldown() {
    let clerk = Simulator::start();
    // As many slots for workers as a server has by default.
    let cluster = Cluster::start(&[("clerk.jwks_cooldown", "1h"), ("max_worker_processes", "8")]);
    let db = cluster.create_database();
    db.configure(&clerk);
    let tokens = forge(&clerk);
    let requests = clerk.jwks_requests();

    flood(&db, &tokens);
    assert_eq!(clerk.jwks_requests(), requests + 1);
    flood(&db, &tokens);
    assert_eq!(clerk.jwks_requests(), requests + 1);

    db.superuser()
        .run("UPDATE clerk.jwks_fetches SET attempted_at = attempted_at - interval '1 hour'");
    flood(&db, &tokens);
    assert_eq!(clerk.jwks_requests(), requests + 2);
}

#[test]
fn a_rotation_under_load_refuses_nobody_and_fetches_once() {
    let clerk = Simulator::start();
    let cluster = Cluster::start(&[("max_worker_processes", "8")]);
    let db = cluster.create_database();
    db.configure(&clerk);
    // Fetches that are over before the last session asks, and one that all of them wait for.
    for milliseconds in [0, 0, 0, 500] {
        clerk.fault(Fault::Slow { ms: milliseconds });
        db.superuser()
            .run("UPDATE clerk.jwks_fetches SET attempted_at = attempted_at - interval '1 hour'");
        let before = token_of(&clerk, "user_before");
        clerk.rotate(Rotation::Same);
        let after = token_of(&clerk, "user_after");
        let requests = clerk.jwks_requests();
        let everybody_is_ready = Barrier::new(CONNECTIONS);
        thread::scope(|scope| {
            for number in 0..CONNECTIONS {
                let (db, before, after, ready) = (&db, &before, &after, &everybody_is_ready);
                scope.spawn(move || {
                    let mut session = db.connect("anon");
                    assert_user(&mut session, before, "user_before");
                    ready.wait();
                    let answer = user_in(&mut session, after, number % 2 == 0);
                    assert_eq!(answer, Ok(Some("user_after".to_owned())));
                });
            }
        });
        assert_eq!(clerk.jwks_requests(), requests + 1);
    }
}
