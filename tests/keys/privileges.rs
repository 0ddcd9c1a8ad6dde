//! Who may do what.

use std::collections::BTreeSet;

use clerk_sim::{Rotation, Simulator};
use clerk_tests::{Sql, TestDb};
use postgres::Client;

use crate::bearer::{assert_user, token_of};

/// What only the owner and roles given `clerk.grant_admin()` may call.
const ADMINISTRATION: [&str; 34] = [
    "clerk.add_webhook_signing_secret('x')",
    "clerk.cancel_run(0)",
    "clerk.configure()",
    "clerk.configure_mirror()",
    "clerk.configure_requests()",
    "clerk.doctor()",
    "clerk.drop_event_handler(0)",
    "clerk.drop_secret_key()",
    "clerk.drop_webhook_signing_secret('x')",
    "clerk.follow_run(0)",
    "clerk.import_jwks('https://clerk.sim.test', '{}')",
    "clerk.inspect_jwt('x')",
    "clerk.library_version()",
    "clerk.maintain()",
    "clerk.on_event('*', 'now')",
    "clerk.postgrest_connection()",
    "clerk.prune_webhook_events()",
    "clerk.refresh_jwks()",
    "clerk.remove_instance('https://clerk.sim.test')",
    "clerk.replay_event('x')",
    "clerk.require_no_transaction('x')",
    "clerk.retry_failed()",
    "clerk.secret_keys()",
    "clerk.service_env()",
    "clerk.set_identity_source('auto')",
    "clerk.set_secret_key('x')",
    "clerk.start_backfill()",
    "clerk.start_reconcile()",
    "clerk.sync_organization('x')",
    "clerk.sync_user('x')",
    "clerk.verify_jwt('x')",
    "clerk.verify_webhook('{}', '{}')",
    "clerk.webhook_portal_url()",
    "clerk.webhook_signing_secrets()",
];
/// Procedures for the same.
const PROCEDURES: [&str; 2] = ["clerk.backfill()", "clerk.reconcile()"];
/// What only the owner may call.
const OWNERSHIP: [&str; 3] = [
    "clerk.change_admin('anon', true)",
    "clerk.grant_admin('anon')",
    "clerk.revoke_admin('anon')",
];
const TABLES: [&str; 12] = [
    "api_budgets",
    "event_handlers",
    "handler_runs",
    "instances",
    "jwks",
    "jwks_fetches",
    "settings",
    "sync_runs",
    "sync_steps",
    "sync_watermarks",
    "webhook_events",
    "webhook_rejections",
];

/// A new role; roles are shared by all databases of the server.
fn new_role(db: &TestDb, name: &str) -> Client {
    let name = format!("{name}_{}", db.name());
    db.superuser().run(&format!("CREATE ROLE {name} LOGIN"));
    db.connect(&name)
}

/// `configure` of `clerk.configure()`.
fn name_of(call: &&str) -> String {
    let (_, name) = call.split_once('.').expect("the call names a schema");
    name.split('(').next().unwrap_or(name).to_owned()
}

/// The functions of schema clerk that the session's role may call.
fn callable(session: &mut Client) -> BTreeSet<String> {
    let callable = "SELECT proname::text FROM pg_proc
         WHERE pronamespace = 'clerk'::regnamespace AND has_function_privilege(oid, 'EXECUTE')";
    let rows = session.query(callable, &[]).expect("catalogs can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

fn assert_denied(session: &mut Client, statement: &str) {
    let failure = session.failure(statement);
    assert_eq!(failure.sqlstate, "42501", "{statement}: {failure:?}");
}

fn assert_writes_denied(session: &mut Client) {
    for table in TABLES {
        assert_denied(session, &format!("DELETE FROM clerk.{table}"));
        assert_denied(session, &format!("TRUNCATE clerk.{table}"));
        assert_denied(session, &format!("INSERT INTO clerk.{table} DEFAULT VALUES"));
    }
    assert_denied(session, "UPDATE clerk.instances SET issuer = ''");
    assert_denied(session, "UPDATE clerk.jwks SET kid = ''");
    assert_denied(session, "UPDATE clerk.settings SET identity_source = 'auto'");
    assert_denied(session, "UPDATE clerk.jwks_fetches SET attempted_at = NULL");
    assert_denied(session, "CREATE TABLE clerk.mine (id int)");
    assert_denied(session, "DROP EXTENSION clerk_sync");
}

#[test]
fn an_unprivileged_role_administrates_nothing_and_reads_no_table() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    for role in ["anon", "authenticated", "service_role", "app"] {
        let mut session = db.connect(role);
        for call in ADMINISTRATION.iter().chain(&OWNERSHIP) {
            assert_denied(&mut session, &format!("SELECT {call}"));
        }
        for call in PROCEDURES {
            assert_denied(&mut session, &format!("CALL {call}"));
        }
        // Not only because something further inside is denied.
        let names: BTreeSet<String> = ADMINISTRATION.iter().chain(&OWNERSHIP).map(name_of).collect();
        assert!(callable(&mut session).is_disjoint(&names));
        for table in TABLES {
            assert_denied(&mut session, &format!("SELECT FROM clerk.{table}"));
        }
        assert_writes_denied(&mut session);
    }
}

#[test]
fn grant_admin_gives_administration_and_revoke_admin_takes_it_back() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut owner = db.superuser();
    let mut administrator = new_role(&db, "administrator");
    let role = format!("administrator_{}", db.name());
    let before = callable(&mut administrator);

    owner.run(&format!("SELECT clerk.grant_admin('{role}')"));
    let given: BTreeSet<String> = callable(&mut administrator)
        .difference(&before)
        .cloned()
        .collect();
    let expected = ADMINISTRATION.iter().chain(&PROCEDURES).map(name_of);
    assert_eq!(given, expected.collect());
    for table in TABLES {
        administrator.run(&format!("SELECT FROM clerk.{table}"));
    }
    assert_writes_denied(&mut administrator);
    for call in OWNERSHIP {
        assert_denied(&mut administrator, &format!("SELECT {call}"));
    }
    // They do their work, which needs more than their caller may.
    let issuer = clerk.issuer();
    administrator.run(&format!(
        "SELECT clerk.import_jwks('{issuer}', '{}')",
        clerk.jwks()
    ));
    assert_eq!(administrator.value::<i32>("SELECT clerk.refresh_jwks()"), 1);
    administrator.run("SELECT clerk.configure(audiences => '{api}')");
    administrator.run("SELECT clerk.set_identity_source('token')");
    let token = token_of(&clerk, "user_ada");
    let subject = "SELECT clerk.verify_jwt($1)->>'sub'";
    assert_eq!(administrator.value_of::<String>(subject, &[&token]), "user_ada");
    administrator.run(&format!("SELECT clerk.remove_instance('{issuer}')"));

    owner.run(&format!("SELECT clerk.revoke_admin('{role}')"));
    assert_eq!(callable(&mut administrator), before);
    for table in TABLES {
        assert_denied(&mut administrator, &format!("SELECT FROM clerk.{table}"));
    }
}

#[test]
fn an_advisory_lock_of_anybody_stops_no_fetch() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let mut hostile = db.connect("anon");
    // Every advisory lock that the issuer could be turned into.
    let lock = "SELECT pg_advisory_lock(hash), pg_advisory_lock((hash >> 32)::int, hash::bit(32)::int)
         FROM hashtextextended($1, 0) AS hash";
    hostile
        .query_one(lock, &[&clerk.issuer()])
        .expect("anybody may take locks");
    clerk.rotate(Rotation::New);
    assert_user(
        &mut db.connect("authenticated"),
        &token_of(&clerk, "user_ada"),
        "user_ada",
    );
}
