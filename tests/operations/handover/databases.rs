//! One role logs in to every database of a server. What is set for one of them must not count in the others, and what
//! it calls must not be left for somebody else to define.

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;

use super::postgrest::Postgrest;
use super::{SECRET, connect, connection, owned, settings_of_authenticator, supabase, trusting};

const NAMES_US: [&str; 1] = ["pgrst.db_pre_config=clerk.postgrest_config"];

#[test]
fn a_neighbour_takes_nobody_elses_connection_out() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let mut postgrest = Postgrest::start(&db, Some(SECRET));
    connect(&mut owner);
    postgrest.hear();
    let connected = postgrest.secret.clone();
    assert_eq!(connected.names().len(), 2);

    // A tenant's, and one that belongs to the superuser as well.
    let mut tenant = owned(&cluster, "tenant");
    let other = trusting(&cluster, &clerk);
    for neighbour in [&mut tenant, &mut other.superuser()] {
        assert!(!neighbour.value::<bool>("SELECT clerk.disconnect_postgrest(true)"));
        neighbour.run("SELECT clerk.uninstall(dry_run => false)");
        assert_eq!(settings_of_authenticator(&mut owner), NAMES_US);
    }
    let failure = tenant.failure("SELECT clerk.set_authenticator_pre_config(false)");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    other
        .superuser()
        .run("SELECT clerk.set_authenticator_pre_config(false)");
    postgrest.read();
    assert_eq!(postgrest.secret, connected);
    assert_eq!(
        Postgrest::start_with_pre_config(&db, Some(SECRET)).secret,
        connected
    );
    assert_eq!(connection(&mut owner, "installed").as_deref(), Some("true"));
}

#[test]
fn a_neighbours_function_of_the_same_name_is_not_called() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    connect(&mut db.superuser());
    let (neighbours, _) = without_the_extension(&cluster);
    let mut stranger = neighbours.connect("stranger");
    stranger.run(
        "CREATE SCHEMA clerk; GRANT USAGE ON SCHEMA clerk TO PUBLIC; CREATE SCHEMA seen; GRANT ALL ON SCHEMA seen TO PUBLIC;
         CREATE FUNCTION clerk.postgrest_config() RETURNS void LANGUAGE sql AS
             $$ SELECT set_config('pgrst.jwt_secret', 'a secret that the stranger knows, of 32 bytes', true) $$",
    );
    let mut postgrest = Postgrest::start(&neighbours, Some(SECRET));
    // The second reading would call what the first one has learned.
    postgrest.read();
    assert_eq!(postgrest.settings.get("db_pre_config"), None);
    assert_eq!(postgrest.settings.get("jwt_secret"), None);
}

/// A database in which the role `stranger` may create schemas.
fn without_the_extension(cluster: &Cluster) -> (TestDb<'_>, Client) {
    let db = cluster.create_database();
    let mut superuser = db.superuser();
    superuser.run(&format!(
        "DROP EXTENSION clerk_sync; DROP SCHEMA clerk; CREATE ROLE stranger LOGIN; GRANT CREATE ON DATABASE {} TO stranger",
        db.name()
    ));
    (db, superuser)
}

#[test]
fn taking_out_asks_for_the_same_rights_as_putting_in() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let mut tenant = owned(&cluster, "tenant");
    let mut superuser = cluster.connect_to("tenant_db", "postgres");
    superuser.run(&format!(
        "SELECT FROM clerk.configure(issuer => '{}', jwks_url => '{}');
         ALTER ROLE authenticator IN DATABASE tenant_db SET pgrst.db_pre_config = 'clerk.postgrest_config'",
        clerk.issuer(),
        clerk.jwks_url()
    ));
    for session in [&mut tenant, &mut superuser] {
        let failure = session.failure("SELECT clerk.disconnect_postgrest()");
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert_eq!(settings_of_authenticator(session), NAMES_US);
        let hint = failure.hint.unwrap_or_default();
        let by_hand = "ALTER ROLE authenticator IN DATABASE tenant_db RESET pgrst.db_pre_config";
        assert!(hint.contains(by_hand), "{hint}");
    }
    superuser.run("ALTER ROLE authenticator IN DATABASE tenant_db RESET pgrst.db_pre_config");
    assert!(!tenant.value::<bool>("SELECT clerk.disconnect_postgrest()"));
}

#[test]
fn a_database_may_have_any_name() {
    const NAME: &str = r#"odd"; 'name"#;

    let (cluster, clerk) = (supabase(), Simulator::start());
    cluster.superuser().run(r#"CREATE DATABASE "odd""; 'name""#);
    let mut owner = cluster.connect_to(NAME, "postgres");
    owner.run(&format!(
        "CREATE EXTENSION clerk_sync; SELECT FROM clerk.configure(issuer => '{}', jwks_url => '{}')",
        clerk.issuer(),
        clerk.jwks_url()
    ));
    connect(&mut owner);
    let here: bool = owner.value(
        "SELECT bool_and(d.datname = current_database()) FROM pg_db_role_setting AS s LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
         WHERE s.setrole = 'authenticator'::regrole",
    );
    assert!(here);
    assert!(owner.value::<bool>("SELECT clerk.disconnect_postgrest()"));
    assert_eq!(settings_of_authenticator(&mut owner), [] as [&str; 0]);
}

/// What was set for all databases, by hand or by an earlier version, is found and taken out by a superuser.
#[test]
fn what_is_set_for_all_databases_is_told() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let (mut owner, notices) = db.connect_with_notices("postgres");
    connect(&mut owner);
    owner.run("ALTER ROLE authenticator SET pgrst.db_pre_config = 'clerk.postgrest_config'");
    let (check, status, mend): (String, String, String) = {
        let row = owner
            .query_one(
                "SELECT \"check\", status, mend FROM clerk.doctor() WHERE area = 'postgrest' AND status = 'failed'",
                &[],
            )
            .expect("one finding");
        (row.get(0), row.get(1), row.get(2))
    };
    assert_eq!((check.as_str(), status.as_str()), ("not masked", "failed"));
    let reset = "ALTER ROLE authenticator RESET pgrst.db_pre_config";
    assert!(mend.starts_with(reset), "{mend}");

    notices.take();
    assert!(owner.value::<bool>("SELECT clerk.disconnect_postgrest()"));
    let warnings = notices.take();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.hint.as_ref().is_some_and(|hint| hint.contains(reset))),
        "{warnings:?}"
    );
    assert_eq!(settings_of_authenticator(&mut owner), NAMES_US, "the other one");
    assert_eq!(owner.failure("DROP EXTENSION clerk_sync").sqlstate, "55006");
    owner.run(&mend);
    assert_eq!(settings_of_authenticator(&mut owner), [] as [&str; 0]);
    owner.run("DROP EXTENSION clerk_sync");
}

/// A project whose owner is no superuser, connected; its sessions of owner and superuser.
fn connected_project(cluster: &Cluster, clerk: &Simulator) -> (Client, Client) {
    let mut owner = owned(cluster, "demoted");
    cluster
        .superuser()
        .run("GRANT anon, authenticated, service_role TO demoted");
    let mut superuser = cluster.connect_to("demoted_db", "postgres");
    superuser.run("GRANT CREATE ON DATABASE demoted_db TO anon");
    owner.run(&format!(
        "SELECT FROM clerk.configure(issuer => '{}', jwks_url => '{}')",
        clerk.issuer(),
        clerk.jwks_url()
    ));
    connect(&mut owner);
    (owner, superuser)
}

#[test]
fn the_name_that_postgrest_calls_is_not_given_up() {
    const GIVING_UP: [&str; 11] = [
        "DROP EXTENSION clerk_sync",
        "DROP EXTENSION clerk_sync CASCADE",
        "DROP EXTENSION IF EXISTS no_such_extension, clerk_sync",
        "DROP EXTENSION plpgsql CASCADE",
        "DROP SCHEMA clerk CASCADE",
        "DROP SCHEMA IF EXISTS no_such_schema, clerk CASCADE",
        "DROP OWNED BY demoted",
        "DROP OWNED BY anon, demoted CASCADE",
        "ALTER SCHEMA clerk RENAME TO away",
        "DO $$ BEGIN EXECUTE 'DROP EXTENSION clerk_sync'; END $$",
        "CREATE SCHEMA fresh CREATE TABLE empty (); DROP SCHEMA fresh, clerk CASCADE",
    ];

    let (cluster, clerk) = (supabase(), Simulator::start());
    let (mut owner, mut superuser) = connected_project(&cluster, &clerk);
    let refused = |session: &mut Client, statement: &str| {
        let error = session.batch_execute(statement).expect_err(statement);
        let failure = clerk_tests::Failure::from(error);
        assert_eq!(failure.sqlstate, "55006", "{statement}: {failure:?}");
        let hint = failure.hint.unwrap_or_default();
        assert!(hint.contains("clerk.disconnect_postgrest()"), "{hint}");
        assert!(
            hint.contains("ALTER ROLE authenticator IN DATABASE demoted_db RESET pgrst.db_pre_config"),
            "{hint}"
        );
    };
    for statement in GIVING_UP {
        refused(&mut owner, statement);
        refused(&mut superuser, statement);
    }
    superuser.run("SET session_replication_role = replica");
    refused(&mut superuser, GIVING_UP[0]);
    // Nor may its owner switch the guard off or take it out of the extension.
    for statement in [
        "ALTER EVENT TRIGGER clerk_sync_guard_postgrest DISABLE",
        "DROP EVENT TRIGGER clerk_sync_guard_postgrest",
        "ALTER EXTENSION clerk_sync DROP EVENT TRIGGER clerk_sync_guard_postgrest",
        "ALTER EXTENSION clerk_sync DROP FUNCTION clerk.guard_postgrest()",
    ] {
        assert_eq!(owner.failure(statement).sqlstate, "42501", "{statement}");
    }
    // Everything else is as ever.
    superuser.run(
        "CREATE SCHEMA other CREATE TABLE it (); ALTER SCHEMA other RENAME TO another; DROP SCHEMA another CASCADE;
         DROP OWNED BY anon; CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION public.f()",
    );

    // Whatever of ours PostgREST still calls: also what a request is asked about.
    superuser.run("ALTER ROLE authenticator SET pgrst.db_pre_request = 'clerk.pre_request'");
    assert!(owner.value::<bool>("SELECT clerk.disconnect_postgrest()"));
    let failure = owner.failure("DROP EXTENSION clerk_sync");
    let hint = failure.hint.unwrap_or_default();
    assert!(
        hint.contains("ALTER ROLE authenticator RESET pgrst.db_pre_request"),
        "{hint}"
    );
    superuser.run("ALTER ROLE authenticator RESET pgrst.db_pre_request");
    owner.run("ALTER SCHEMA clerk RENAME TO away; ALTER SCHEMA away RENAME TO clerk");
    owner.run("DROP EXTENSION clerk_sync; DROP SCHEMA clerk");
    let left: i64 = superuser.value("SELECT count(*) FROM pg_event_trigger");
    assert_eq!(left, 0);
}

/// A package that is removed too early must not take DDL with it.
#[test]
fn without_the_library_only_a_connected_database_needs_a_superuser() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (mut owner, mut superuser) = connected_project(&cluster, &clerk);
    let gone = "UPDATE pg_proc SET probin = 'gone' WHERE probin = 'clerk_sync'";
    superuser.run(gone);
    drop(owner);
    owner = cluster.connect_to("demoted_db", "demoted");
    assert_eq!(owner.failure("DROP EXTENSION clerk_sync").sqlstate, "58P01");
    // As the runbook says.
    superuser.run(
        "ALTER ROLE authenticator IN DATABASE demoted_db RESET pgrst.db_pre_config;
         ALTER EVENT TRIGGER clerk_sync_guard_postgrest DISABLE",
    );
    owner.run("DROP EXTENSION clerk_sync; DROP SCHEMA clerk");

    // Never connected, or no longer.
    let db = trusting(&cluster, &clerk);
    connect(&mut db.superuser());
    db.superuser().run("SELECT clerk.disconnect_postgrest()");
    db.superuser().run(gone);
    db.superuser()
        .run("CREATE SCHEMA other; DROP SCHEMA other; DROP EXTENSION clerk_sync");
}

#[test]
fn a_connection_by_hand_is_guarded_too_or_told_of() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let (mut owner, mut superuser) = connected_project(&cluster, &clerk);
    superuser.run("ALTER EVENT TRIGGER clerk_sync_guard_postgrest DISABLE");
    let mend: String = owner.value(
        "SELECT mend FROM clerk.doctor() WHERE area = 'postgrest' AND \"check\" = 'guarded' AND status = 'failed'",
    );
    superuser.run(&mend);
    assert_eq!(owner.failure("DROP EXTENSION clerk_sync").sqlstate, "55006");
    // Connecting again mends it as well.
    superuser.run("ALTER EVENT TRIGGER clerk_sync_guard_postgrest DISABLE");
    owner.run("SELECT clerk.connect_postgrest()");
    assert_eq!(owner.failure("DROP EXTENSION clerk_sync").sqlstate, "55006");
    // No dump has it: it comes with the extension.
    let dump = cluster
        .pg_binary("pg_dump")
        .arg("demoted_db")
        .output()
        .expect("pg_dump can be run");
    let dump = String::from_utf8_lossy(&dump.stdout).into_owned();
    assert!(dump.contains("CREATE EXTENSION") && !dump.contains("EVENT TRIGGER"));
}
