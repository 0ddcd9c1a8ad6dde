//! What `clerk.uninstall` takes back outside of our schema.

use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;

use super::claims::FIRST;

/// As much of pg_cron as is asked of it.
const CRON: &str = "
    CREATE SCHEMA cron;
    CREATE TABLE cron.job (jobid bigint PRIMARY KEY, schedule text, command text, database text, username text);
    CREATE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean LANGUAGE sql AS 'DELETE FROM cron.job WHERE jobid = job_id RETURNING true';
    INSERT INTO cron.job VALUES
        (1, '* * * * *', 'SELECT clerk.maintain()', current_database(), 'postgres'),
        (2, '30 seconds', E'select clerk.maintain( )', current_database(), 'postgres'),
        (3, '@daily', 'SELECT clerk.prune_webhook_events()', current_database(), 'postgres'),
        (4, '@daily', 'SELECT public.tidy()', current_database(), 'postgres'),
        (5, '* * * * *', 'SELECT clerk.maintain()', 'another', 'postgres'),
        (6, '* * * * *', 'SELECT relay.fetch_keys()', current_database(), 'postgres'),
        (7, '* * * * *', 'call fetch_keys ( )', current_database(), 'postgres'),
        (8, '@daily', 'SELECT CLERK . Retry_Failed(), 1', current_database(), 'postgres'),
        (9, '@daily', 'SELECT \"clerk\".\"maintain\"(); SELECT public.tidy()', current_database(), 'postgres'),
        (10, '@daily', 'SELECT my_clerk.maintain(), fetch_keys_of_others()', current_database(), 'postgres');
    CREATE SCHEMA relay;
    CREATE FUNCTION relay.fetch_keys() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM clerk.refresh_jwks(); END';";

fn settings(client: &mut Client) -> Vec<String> {
    client.value(
        r#"SELECT COALESCE(array_agg(concat_ws(' ', COALESCE(r.rolname, '-'), d.datname, e.entry) ORDER BY concat_ws(' ', COALESCE(r.rolname, '-'), d.datname, e.entry) COLLATE "C"), '{}')
         FROM pg_db_role_setting AS s LEFT JOIN pg_roles AS r ON r.oid = s.setrole LEFT JOIN pg_database AS d ON d.oid = s.setdatabase,
             unnest(s.setconfig) AS e (entry)"#,
    )
}

/// A server of one's own: settings of roles are everybody's.
fn server() -> Cluster {
    let cluster = Cluster::start(&[]);
    let mut superuser = cluster.superuser();
    superuser.run("CREATE ROLE authenticator LOGIN NOINHERIT; CREATE ROLE project LOGIN");
    superuser.run("CREATE DATABASE another");
    cluster
}

fn trace(db: &TestDb) {
    let name = db.name();
    db.superuser().run(&format!(
        r#"SELECT clerk.configure(issuer => '{FIRST}', jwks_url => '');
           {CRON}
           CREATE SCHEMA "an ""API"""; SELECT clerk.expose_api(); SELECT clerk.expose_api('an "API"', ARRAY['clerk_me']);
           ALTER ROLE authenticator SET pgrst.db_pre_config = 'clerk.postgrest_config';
           ALTER ROLE authenticator SET pgrst.db_pre_request = 'clerk.pre_request';
           ALTER ROLE authenticator SET pgrst.db_schemas = 'public, clerk,api';
           ALTER ROLE authenticator SET pgrst.db_max_rows = '1000';
           ALTER ROLE authenticator SET session_preload_libraries = auto_explain, clerk_sync;
           ALTER ROLE authenticated IN DATABASE {name} SET session_preload_libraries = clerk_sync;
           ALTER ROLE anon IN DATABASE {name} SET search_path = "$user", clerk, "Odd, one";
           ALTER ROLE anon IN DATABASE another SET search_path = clerk;
           ALTER DATABASE {name} SET clerk.http_timeout = '5s';
           ALTER DATABASE {name} SET pgrst.db_pre_request = 'public.clerk_like'"#
    ));
}

#[test]
fn every_trace_outside_is_taken_back_and_nothing_else() {
    let cluster = server();
    let db = cluster.create_database();
    trace(&db);
    let name = db.name();
    let mut superuser = db.superuser();
    superuser.run("SELECT clerk.uninstall(dry_run => false); DROP EXTENSION clerk_sync; DROP SCHEMA clerk");
    assert_eq!(
        settings(&mut superuser),
        [
            format!("- {name} pgrst.db_pre_request=public.clerk_like"),
            "anon another search_path=clerk".to_owned(),
            format!("anon {name} search_path=\"$user\", \"Odd, one\""),
            "authenticator pgrst.db_max_rows=1000".to_owned(),
            "authenticator pgrst.db_schemas=public, api".to_owned(),
            "authenticator session_preload_libraries=auto_explain".to_owned(),
        ]
    );
    let jobs: Vec<i64> = superuser.value("SELECT array_agg(jobid ORDER BY jobid) FROM cron.job");
    assert_eq!(
        jobs,
        [3, 4, 5, 6, 7, 8, 9, 10],
        "not ours, told of, or of another database"
    );
    let exposed: i64 = superuser.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'clerk\\_%'");
    assert_eq!(exposed, 0);
    let functions: i64 = superuser.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'clerk\\_%'");
    assert_eq!(functions, 0);
    // The roles can still log in.
    for role in ["authenticator", "authenticated", "anon"] {
        db.connect(role).run("SELECT");
    }
}

#[test]
fn what_only_hands_can_do_is_said() {
    let cluster = server();
    let db = cluster.create_database();
    trace(&db);
    let by_hand: Vec<String> = db
        .superuser()
        .value("SELECT array_agg(object || statement) FROM clerk.uninstall() WHERE step = 'by hand'");
    for said in [
        "job 3 of pg_cron",
        "job 6 of pg_cron",
        "by relay.fetch_keys()",
        "job 7 of pg_cron",
        "job 8 of pg_cron",
        "job 9 of pg_cron",
        "dashboard",
        "shared_preload_libraries",
        "clerk_sync.so",
        "PostgREST, Realtime, Storage",
    ] {
        assert!(
            by_hand.iter().any(|row| row.contains(said)),
            "{said}: {by_hand:#?}"
        );
    }
    for other in ["job 4 ", "job 10 "] {
        assert!(!by_hand.iter().any(|row| row.contains(other)), "{by_hand:#?}");
    }
}

#[test]
fn a_setting_of_others_is_left_to_a_superuser() {
    let cluster = server();
    let db = cluster.create_database();
    let name = db.name();
    db.superuser().run(&format!(
        "DROP EXTENSION clerk_sync; DROP SCHEMA clerk; GRANT CREATE ON DATABASE {name} TO project; GRANT CREATE ON SCHEMA public TO project;
         ALTER ROLE authenticator SET pgrst.db_pre_request = 'clerk.pre_request'"
    ));
    let mut owner = db.connect("project");
    owner.run("CREATE EXTENSION clerk_sync; SELECT clerk.expose_api()");
    let before = settings(&mut owner);
    let failure = owner.failure("SELECT clerk.uninstall(dry_run => false)");
    assert_eq!(failure.sqlstate, "42501");
    assert!(
        failure
            .message
            .contains("pgrst.db_pre_request of ROLE authenticator"),
        "{failure:?}"
    );
    assert_eq!(
        failure.detail.as_deref(),
        Some("ALTER ROLE authenticator RESET pgrst.db_pre_request")
    );
    assert_eq!(settings(&mut owner), before);
    let exposed: i64 = owner.value("SELECT count(*) FROM clerk.exposed_api()");
    assert_eq!(exposed, 6, "it is all or nothing");
}
