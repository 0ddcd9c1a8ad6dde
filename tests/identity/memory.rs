//! A backend that lives for long does not grow. The sessions are the superuser's, who may look at memory.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_sim::{Algorithm, SigningKeys};
use clerk_tests::{Failure, Sql};
use postgres::Client;

use crate::scene::{self, Caller, claims, clerk, database, some};

/// What a backend may grow in hundreds of thousands of rounds, in KiB: 6 bytes a token would be more.
const NOISE: i64 = 1024;

/// Private memory of a backend in KiB.
fn private_memory(pid: i32) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the backend runs");
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number
        .and_then(|number| number.parse().ok())
        .expect("Linux tells RssAnon in kB")
}

/// What our long-lived memory context takes, in bytes.
fn identity_context(client: &mut Client) -> i64 {
    client.value(
        "SELECT coalesce(sum(total_bytes), 0)::bigint FROM pg_backend_memory_contexts WHERE name = 'clerk_sync identity'",
    )
}

/// Checks that `rounds` repetitions leave no more behind than a few of them did.
fn assert_flat(client: &mut Client, rounds: usize, mut round: impl FnMut(&mut Client, usize)) {
    let warm_up = rounds / 10;
    let pid = client.value("SELECT pg_backend_pid()");
    (0..warm_up).for_each(|number| round(client, number));
    let before = private_memory(pid);
    (warm_up..rounds).for_each(|number| round(client, number));
    let grown = private_memory(pid) - before;
    assert!(grown < NOISE, "the backend grew by {grown} KiB");
    client.run("RESET ALL; BEGIN; COMMIT");
    let context = identity_context(client);
    assert!(
        context <= 64 * 1024,
        "the memory of answers holds {context} bytes"
    );
}

/// Distinct tokens, two for each of `user_0`, `user_1`, …, signed by two threads beside the test.
fn distinct_tokens(count: usize) -> Receiver<(usize, String)> {
    const THREADS: usize = 2;
    let (sender, receiver) = sync_channel(1000);
    for first in 0..THREADS {
        let sender = sender.clone();
        thread::spawn(move || {
            let keys = clerk().keys();
            for number in (first..count / 2).step_by(THREADS) {
                // Signing is what takes time here. With and without padding, one signature makes two tokens.
                let token = plain_token(&keys, number);
                let padded = format!("{token}==");
                for token in [token, padded] {
                    if sender.send((number, token)).is_err() {
                        return;
                    }
                }
            }
        });
    }
    receiver
}

/// A token put together by hand: the simulator's way takes longer than to sign and verify it.
fn plain_token(keys: &SigningKeys, number: usize) -> String {
    let header = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, keys.kid());
    let issuer = clerk().issuer();
    let claims =
        format!(r#"{{"iss":"{issuer}","sub":"user_{number}","sid":"sess_{number}","exp":4000000000}}"#);
    let message = [header, claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".");
    let signature = URL_SAFE_NO_PAD.encode(keys.sign(Algorithm::Rs256, message.as_bytes()));
    format!("{message}.{signature}")
}

#[test]
fn two_hundred_thousand_distinct_tokens_leave_nothing_behind() {
    const TOKENS: usize = 200_000;

    let db = database();
    let mut owner = db.superuser();
    let query = owner
        .prepare("SELECT set_config('clerk.jwt', $1, false), clerk.current_user_id(), clerk.current_claims()->>'sub'")
        .unwrap();
    let tokens = distinct_tokens(TOKENS);
    assert_flat(&mut owner, TOKENS, |session, _| {
        let (number, token) = tokens.recv().expect("there is a token for every round");
        let row = session.query_one(&query, &[&token]).unwrap();
        let user = format!("user_{number}");
        assert_eq!((row.get(1), row.get(2)), (some(&user), some(&user)));
    });
    assert!(tokens.recv().is_err(), "every token was used");
}

#[test]
fn ten_million_calls_of_helpers_leave_nothing_behind() {
    const ROUNDS: usize = 2_000;
    const CALLS: &str = "SELECT count(clerk.current_user_id()), count(clerk.current_org_role()), count(clerk.claim('sub')), \
        count(nullif(clerk.has_permission('org:posts:read'), false)), count(clerk.current_claims()) \
        FROM generate_series(1, 1000)";

    let db = database();
    let mut owner = db.superuser();
    let query = owner.prepare(CALLS).unwrap();
    // 5 helpers, 1,000 rows, 2,000 identities.
    assert_flat(&mut owner, ROUNDS, |session, number| {
        session.set_claims(&claims(&format!("user_{number}")).to_string());
        let row = session.query_one(&query, &[]).unwrap();
        let counts = [0, 1, 2, 3, 4].map(|column| row.get::<_, i64>(column));
        assert_eq!(counts, [1000, 0, 1000, 0, 1000]);
    });
}

/// Values that one transaction was given may be in use until it ends; then they go.
#[test]
fn changes_within_one_transaction_are_freed_at_its_end() {
    let db = database();
    let mut owner = db.superuser();
    let sql = "DO $$
        DECLARE template text := current_setting('test.claims');
        BEGIN
            FOR i IN 1..20000 LOOP
                PERFORM set_config('request.jwt.claims', replace(template, 'user_x', 'user_' || i), true);
                IF clerk.current_user_id() <> 'user_' || i OR clerk.current_claims()->>'sub' <> 'user_' || i THEN
                    RAISE EXCEPTION 'somebody else than user_%', i;
                END IF;
            END LOOP;
        END $$";
    let _: String = owner.value_of(
        "SELECT set_config('test.claims', $1, false)",
        &[&claims("user_x").to_string()],
    );
    let settled = |session: &mut Client| {
        session.run(sql);
        assert_eq!(session.user(), None);
        private_memory(session.value("SELECT pg_backend_pid()"))
    };
    let first = settled(&mut owner);
    let second = settled(&mut owner);
    assert!(second - first < NOISE, "from {first} KiB to {second} KiB");
    assert!(identity_context(&mut owner) <= 64 * 1024);
}

/// Refused tokens and refused claims are forgotten.
#[test]
fn refusals_leave_nothing_behind() {
    let db = database();
    let mut owner = db.superuser();
    owner.set_claims(&scene::with(claims("user_ada"), serde_json::json!({"sid": null})).to_string());
    let by_claims = owner.prepare("SELECT clerk.current_user_id()").unwrap();
    let by_token = owner.prepare("SELECT clerk.verify_jwt($1)").unwrap();
    let forged = clerk().forge(scene::session("user_ada"));
    assert_flat(&mut owner, 20_000, |session, number| {
        let answer = if number % 2 == 0 {
            session.query(&by_claims, &[])
        } else {
            session.query(&by_token, &[&forged])
        };
        let failure = Failure::from(answer.expect_err("both are refused"));
        assert_eq!(failure.refusal().0, "28", "{failure:?}");
    });
}
