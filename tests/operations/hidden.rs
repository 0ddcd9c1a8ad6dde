//! What an error shows of the statement that raised it: nothing, if the statement holds a secret.

use std::sync::{Arc, Mutex};

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql};
use postgres::error::DbError;
use postgres::{Client, NoTls};

use super::scene::token_of;

/// What no message may show.
const MARKER: &str = "OpenSesame";

/// Every function that takes a secret, a token or what a request brings, with one that it refuses.
const CALLS: &[(&str, &str)] = &[
    ("22023", "clerk.set_secret_key('sk_test_OpenSesame!')"),
    ("22023", "clerk.add_webhook_signing_secret('whsec_OpenSesame')"),
    ("42704", "clerk.drop_webhook_signing_secret('whsec_OpenSesame')"),
    ("22023", "clerk.connect_postgrest('OpenSesame')"),
    (
        "22023",
        "clerk.import_jwks('https://clerk.sim.test', '{\"keys\": [{\"kty\": \"oct\", \"k\": \"OpenSesame\"}]}')",
    ),
    ("28000", "clerk.authenticate('OpenSesame')"),
    ("28000", "clerk.verify_jwt('OpenSesame')"),
    (
        "28000",
        "clerk.verify_webhook('{}', '{\"svix-signature\": \"v1,OpenSesame\"}')",
    ),
    (
        "25006",
        "clerk.receive_webhook('{}', '{\"authorization\": \"Bearer OpenSesame\"}')",
    ),
];

fn configure(owner: &mut Client) {
    owner.run(
        "SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '');
         SELECT clerk.set_identity_source('token')",
    );
}

fn error(session: &mut Client, statement: &str) -> DbError {
    let error = session.batch_execute(statement).expect_err(statement);
    error.as_db_error().expect("the server raises it").clone()
}

/// DO makes PostgreSQL quote each statement of the block in CONTEXT, and the log quotes the block.
#[test]
fn a_secret_in_a_block_that_fails_is_shown_to_nobody() {
    let cluster = Cluster::start(&[("log_error_verbosity", "verbose")]);
    let db = cluster.create_database();
    let mut owner = db.superuser();
    configure(&mut owner);
    for (sqlstate, call) in CALLS {
        let read_only = if *sqlstate == "25006" {
            "SET LOCAL transaction_read_only = on;"
        } else {
            ""
        };
        let in_function = format!(
            "BEGIN; CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {read_only} PERFORM {call}; END $$; COMMIT"
        );
        owner.run(&in_function);
        for statement in [
            format!("DO $$ BEGIN {read_only} PERFORM {call}; END $$"),
            "SELECT pg_temp.f()".to_owned(),
        ] {
            let error = error(&mut owner, &statement);
            assert_eq!(error.code().code(), *sqlstate, "{statement}: {error:?}");
            assert!(!format!("{error:?}").contains(MARKER), "{statement}: {error:?}");
        }
        owner.run("DROP FUNCTION pg_temp.f()");
    }
    let log = cluster.log();
    assert!(log.contains("ERROR:  28000"), "{log}");
    assert!(!log.contains(MARKER), "{log}");
}

#[test]
fn a_warning_shows_no_token_either() {
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    let clerk = Simulator::start();
    db.configure(&clerk);
    db.superuser().run("SELECT clerk.set_identity_source('token')");
    let notices: Arc<Mutex<Vec<DbError>>> = Arc::default();
    let sink = notices.clone();
    let mut config = cluster.session(db.name(), "authenticated");
    config.notice_callback(move |notice| sink.lock().expect("no holder panics").push(notice));
    let mut session = config.connect(NoTls).expect("the role may log in");
    let token = token_of(&clerk, "user_ada");
    session.run(&format!(
        "DO $$ BEGIN PERFORM clerk.authenticate('{token}'); END $$"
    ));
    let notices = notices.lock().expect("no holder panics");
    assert_eq!(notices[0].code().code(), "25P01", "{notices:?}");
    assert!(!format!("{notices:?}").contains(&token), "{notices:?}");
    let log = cluster.log();
    assert!(log.contains("WARNING:  clerk.authenticate()"), "{log}");
    assert!(!log.contains(&token), "{log}");
}

/// Hiding ends with the call, whether it returned or its error was caught.
#[test]
fn what_fails_after_the_call_has_a_context_again() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner);
    for call in [
        "PERFORM FROM clerk.inspect_jwt('OpenSesame')",
        "BEGIN PERFORM clerk.verify_jwt('OpenSesame'); EXCEPTION WHEN OTHERS THEN NULL; END",
    ] {
        let error = error(
            &mut owner,
            &format!("DO $$ BEGIN {call}; RAISE EXCEPTION 'afterwards'; END $$"),
        );
        assert_eq!(error.message(), "afterwards");
        let context = error.where_().unwrap_or_default();
        assert!(context.contains("inline_code_block"), "{call}: {error:?}");
        assert!(!context.contains(MARKER), "{call}: {error:?}");
    }
}
