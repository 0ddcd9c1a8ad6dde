//! What a round does, by the launcher and by SQL.

use std::time::{Duration, Instant};

use clerk_sim::{Fault, Rotation, Simulator};
use clerk_tests::{Sql, TestDb};
use postgres::types::Json;
use serde_json::{Value, json};

use crate::scene::{
    apply, break_users, configure_without_keys, events, last_round, maintain, make_due, preloaded, simulator,
    token_of, verified, wait_for_first_round, wait_for_round, wait_until,
};

/// Makes the keys look as if they had been fetched by the round before: far younger than `clerk.jwks_max_age`.
const AGE_KEYS: &str = "UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '10 seconds'";

#[test]
fn a_call_brings_new_keys_however_young_the_old_ones_are() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    let requests = clerk.jwks_requests();

    clerk.rotate(Rotation::New);
    owner.run(AGE_KEYS);
    assert_eq!(maintain(&mut owner)["keys"], json!({ "due": 1, "fetched": 1 }));
    assert_eq!(clerk.jwks_requests(), requests + 1);
    clerk.fault(Fault::Down);
    let token = token_of(&clerk, "user_ada");
    assert_eq!(verified(&mut owner, &token), Ok("user_ada".to_owned()));
}

#[test]
fn calls_in_a_loop_ask_every_five_seconds() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    for fault in [Fault::Ok, Fault::Status { code: 404 }] {
        owner.run(AGE_KEYS);
        clerk.fault(fault);
        let (requests, started) = (clerk.jwks_requests(), Instant::now());
        for _ in 0..30 {
            maintain(&mut owner);
        }
        let most = 1 + started.elapsed().as_secs() / 5;
        assert!((1..=most).contains(&(clerk.jwks_requests() - requests)));
    }
}

/// More than a server has slots for workers, and one of them down, the first by name.
#[test]
fn a_call_brings_the_keys_of_many_instances() {
    let clerks: Vec<_> = (0..12)
        .map(|number| simulator(&format!("https://clerk-{number:02}.test")))
        .collect();
    let db = TestDb::shared();
    clerks.iter().for_each(|clerk| db.configure(clerk));
    for clerk in &clerks {
        clerk.rotate(Rotation::New);
    }
    clerks[0].fault(Fault::Down);
    let mut owner = db.superuser();
    owner.run(AGE_KEYS);
    assert_eq!(maintain(&mut owner)["keys"], json!({ "due": 12, "fetched": 11 }));
    for clerk in &clerks[1..] {
        clerk.fault(Fault::Down);
        let token = token_of(clerk, "user_ada");
        assert_eq!(verified(&mut owner, &token), Ok("user_ada".to_owned()));
    }
    // The one that failed comes last.
    owner.run("UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '10 seconds', last_error_at = last_error_at - interval '1 hour'");
    clerks.iter().for_each(|clerk| clerk.fault(Fault::Ok));
    assert_eq!(maintain(&mut owner)["keys"], json!({ "due": 12, "fetched": 12 }));
    let last: String =
        owner.value("SELECT issuer FROM clerk.jwks_fetches ORDER BY succeeded_at DESC LIMIT 1");
    assert_eq!(last, "https://clerk-00.test");
}

/// What it met a moment ago keeps no token from having its key fetched.
#[test]
fn a_call_leaves_the_cooldown_of_tokens_alone() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    owner.run(AGE_KEYS);
    assert_eq!(maintain(&mut owner)["keys"], json!({ "due": 1, "fetched": 1 }));
    clerk.rotate(Rotation::New);
    let requests = clerk.jwks_requests();
    let token = token_of(&clerk, "user_ada");
    assert_eq!(verified(&mut owner, &token), Ok("user_ada".to_owned()));
    assert_eq!(clerk.jwks_requests(), requests + 1);
}

/// One that comes while a round fetches waits for that, and has its own fetch if it brings no key that fits.
#[test]
fn a_token_and_a_call_that_fetch_at_once() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    for (rotated_before, requests) in [(true, 1), (false, 2)] {
        let mut owner = db.superuser();
        owner.run(AGE_KEYS);
        owner.run("UPDATE clerk.jwks_fetches SET attempted_at = NULL");
        let before = clerk.jwks_requests();
        if rotated_before {
            clerk.rotate(Rotation::New);
        }
        clerk.faults_to_come([Fault::Slow { ms: 1_500 }]);
        let call = std::thread::spawn(move || maintain(&mut owner));
        wait_until("the call fetches", || clerk.jwks_requests() > before);
        if !rotated_before {
            clerk.rotate(Rotation::New);
        }
        let token = token_of(&clerk, "user_ada");
        let mut administrator = db.superuser();
        // A change of anything else while the token waits brings no key.
        let change = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(500));
            administrator.run("UPDATE clerk.instances SET issuer = issuer");
        });
        assert_eq!(verified(&mut db.superuser(), &token), Ok("user_ada".to_owned()));
        assert_eq!(clerk.jwks_requests(), before + requests);
        change.join().expect("the change is made");
        let report = call.join().expect("the call ends well");
        assert_eq!(report["keys"], json!({ "due": 1, "fetched": 1 }));
    }
}

#[test]
fn a_call_makes_no_request_itself() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    clerk.fault(Fault::Slow { ms: 2_000 });
    let mut owner = db.superuser();
    owner.run(AGE_KEYS);
    let call = std::thread::spawn(move || maintain(&mut owner));
    let mut watcher = db.superuser();
    wait_until("a worker fetches", || {
        watcher.value::<bool>(
            "SELECT count(*) = 1 FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'clerk_sync: fetch keys'",
        )
    });
    let report = call.join().expect("the call ends well");
    assert_eq!(report["keys"], json!({ "due": 1, "fetched": 1 }));
}

#[test]
fn keys_that_cannot_be_fetched_stop_nothing() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    clerk.fault(Fault::Down);
    let mut owner = db.superuser();
    owner.run(AGE_KEYS);
    break_users(&mut owner, true);
    assert_eq!(apply(&mut owner, "user_ada"), "failed");
    break_users(&mut owner, false);
    make_due(&mut owner);
    let report = maintain(&mut owner);
    assert_eq!(report["keys"], json!({ "due": 1, "fetched": 0 }));
    assert_eq!(report["retried"]["applied"], 1, "{report}");
    let error: Option<String> = owner.value("SELECT last_error FROM clerk.jwks_fetches");
    assert!(error.is_some_and(|error| error.starts_with("jwk-remote-failed-to-load")));
}

#[test]
fn a_call_is_recorded_as_it_answered() {
    let db = TestDb::shared();
    configure_without_keys(&db);
    let mut owner = db.superuser();
    let report = maintain(&mut owner);
    let row = owner
        .query_one(
            "SELECT caller, report, error, finished_at >= started_at FROM clerk.maintenance_rounds",
            &[],
        )
        .expect("there was one round");
    assert_eq!(row.get::<_, String>(0), "sql");
    assert_eq!(row.get::<_, Json<Value>>(1).0, report);
    assert_eq!(row.get::<_, Option<String>>(2), None);
    assert!(row.get::<_, bool>(3));
}

#[test]
fn a_thousand_rounds_are_kept() {
    let db = TestDb::shared();
    let mut owner = db.superuser();
    owner.run("INSERT INTO clerk.maintenance_rounds (caller) SELECT 'sql' FROM generate_series(1, 1500)");
    maintain(&mut owner);
    let row = owner
        .query_one(
            "SELECT count(*), min(id), max(id) FROM clerk.maintenance_rounds",
            &[],
        )
        .expect("it counts");
    let kept: [i64; 3] = std::array::from_fn(|column| row.get(column));
    assert_eq!(kept, [1_000, 502, 1_501]);
}

#[test]
fn where_nothing_can_be_written_a_call_is_refused() {
    let db = TestDb::shared();
    let mut owner = db.superuser();
    owner.run("BEGIN READ ONLY");
    assert_eq!(owner.failure("SELECT clerk.maintain()").sqlstate, "25006");
    owner.run("ROLLBACK");
}

#[test]
fn a_part_that_fails_undoes_no_other() {
    let cluster = preloaded(&[]);
    let db = cluster.create_database();
    configure_without_keys(&db);
    let mut owner = db.superuser();
    break_users(&mut owner, true);
    assert_eq!(apply(&mut owner, "user_ada"), "failed");
    // Pruning comes last, and cannot have this table.
    let mut holder = db.superuser();
    holder.run("BEGIN; LOCK TABLE clerk.webhook_rejections IN ACCESS EXCLUSIVE MODE");
    break_users(&mut owner, false);
    make_due(&mut owner);
    wait_until("the event was applied", || events(&mut owner, "applied") == 1);
    let failed = "SELECT report->'retried'->>'applied' || ', ' || error FROM clerk.maintenance_rounds
         WHERE report->'retried'->>'applied' = '1'";
    wait_until("the round has ended", || {
        owner
            .query_opt(failed, &[])
            .expect("there is at most one")
            .is_some()
    });
    assert_eq!(
        owner.value::<String>(failed),
        "1, pruned: 55P03: canceling statement due to lock timeout"
    );
    let log = cluster.log();
    assert!(log.contains("clerk.maintain() could not do this part: pruned"));

    holder.run("ROLLBACK");
    let before = last_round(&mut owner, "launcher");
    wait_until("a round succeeds", || {
        owner.value_of("SELECT EXISTS (SELECT FROM clerk.maintenance_rounds WHERE id > $1 AND finished_at IS NOT NULL AND error IS NULL)", &[&before])
    });
}

#[test]
fn retries_are_committed_on_the_way() {
    let cluster = preloaded(&[("clerk.maintain_interval", "1h")]);
    let db = cluster.create_database();
    configure_without_keys(&db);
    let mut owner = db.superuser();
    wait_for_first_round(&mut owner);
    break_users(&mut owner, true);
    for number in 0..60 {
        assert_eq!(apply(&mut owner, &format!("user_{number:03}")), "failed");
    }
    break_users(&mut owner, false);
    // The later ones each wait for a lock, some 200 ms: their people are being made by a transaction that does not end.
    let mut holder = db.superuser();
    holder.run("BEGIN");
    for number in 40..60 {
        holder.run(&format!(
            "INSERT INTO clerk.users (id) VALUES ('user_{number:03}')"
        ));
    }
    owner.run(
        "UPDATE clerk.webhook_events SET next_attempt_at = clock_timestamp() - interval '1 hour' + number * interval '1 second'
         FROM (SELECT svix_id AS id, row_number() OVER (ORDER BY svix_id) AS number FROM clerk.webhook_events) AS numbered
         WHERE id = svix_id",
    );
    let begun: i64 = owner.value("SELECT max(id) FROM clerk.maintenance_rounds");
    ask_for_a_round(&db);
    wait_until("the first batches were applied", || {
        events(&mut owner, "applied") >= 40
    });
    let running: bool = owner.value_of(
        "SELECT count(*) = 1 FROM clerk.maintenance_rounds WHERE id > $1 AND finished_at IS NULL",
        &[&begun],
    );
    assert!(running, "while the round is still at the others");
    wait_until("the round has ended", || {
        last_round(&mut owner, "launcher") > begun
    });
    assert_eq!(
        (events(&mut owner, "applied"), events(&mut owner, "failed")),
        (40, 20)
    );
    holder.run("ROLLBACK");
}

/// Asks the launcher for a round, as every change of an instance does.
fn ask_for_a_round(db: &TestDb) {
    db.superuser()
        .run("SELECT clerk.configure(issuer => 'https://clerk.sim.test', authorized_parties => ARRAY['https://app.example'])");
}

#[test]
fn a_handler_that_hangs_holds_up_no_retry() {
    /// Longer than a call may last that waits for the handler.
    const HANG: &str = "40";
    let cluster = preloaded(&[("clerk.handler_timeout", "60s")]);
    let db = cluster.create_database();
    configure_without_keys(&db);
    let mut owner = db.superuser();
    owner.run(&format!(
        "CREATE FUNCTION public.hang(event jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({HANG}); END';
         SELECT clerk.on_event('organization.*', 'public.hang')"
    ));
    break_users(&mut owner, true);
    assert_eq!(apply(&mut owner, "user_ada"), "failed");
    let organization = json!({
        "object": "event", "type": "organization.created", "timestamp": 1,
        "data": { "object": "organization", "id": "org_a", "name": "A", "created_at": 1, "updated_at": 1 },
    });
    let Json(answer): Json<Value> = owner.value_of("SELECT clerk.apply_event($1)", &[&Json(organization)]);
    assert_eq!(answer["status"], "applied");
    wait_until("the handler hangs", || {
        owner.value::<bool>(
            "SELECT count(*) = 1 FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'clerk_sync: run handlers' AND wait_event = 'PgSleep'",
        )
    });
    break_users(&mut owner, false);
    make_due(&mut owner);
    let started = Instant::now();
    wait_until("the event was applied", || events(&mut owner, "applied") == 2);
    wait_for_round(&mut owner);
    assert!(
        owner.value::<bool>("SELECT count(*) = 1 FROM clerk.handler_runs"),
        "the handler still hangs"
    );
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
}
