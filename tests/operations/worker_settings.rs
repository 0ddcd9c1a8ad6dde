//! Workers have the settings that they depend on, whatever `ALTER ROLE` and `ALTER DATABASE` set.

use std::time::{SystemTime, UNIX_EPOCH};

use clerk_sim::{Simulator, World, WorldOptions};
use clerk_tests::{Cluster, Sql};
use postgres::Client;

use crate::scene::{apply, preloaded, wait_for_round, wait_until};

/// What somebody may set for their own sessions, or to be in our way, and what a worker must have. Without a value of its own, what
/// matters is that it does no harm.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("role", "bystander", "none"),
    ("default_transaction_read_only", "on", "off"),
    ("default_transaction_isolation", "serializable", "read committed"),
    ("default_transaction_deferrable", "on", "off"),
    ("statement_timeout", "1ms", "0"),
    ("lock_timeout", "1ms", "800ms"),
    ("idle_in_transaction_session_timeout", "1ms", "0"),
    ("idle_session_timeout", "1ms", "0"),
    ("transaction_timeout", "1ms", "0"),
    ("search_path", "public", "pg_catalog, pg_temp"),
    ("row_security", "off", "on"),
    ("session_replication_role", "replica", "origin"),
    ("check_function_bodies", "off", "on"),
    ("standard_conforming_strings", "off", "on"),
    ("backslash_quote", "off", "safe_encoding"),
    ("transform_null_equals", "on", "off"),
    ("array_nulls", "off", "on"),
    ("quote_all_identifiers", "on", "off"),
    ("xmloption", "document", "content"),
    ("DateStyle", "German, DMY", "ISO, MDY"),
    ("IntervalStyle", "sql_standard", "postgres"),
    ("bytea_output", "escape", "hex"),
    ("extra_float_digits", "-15", "1"),
    ("exit_on_error", "on", "off"),
    ("deadlock_timeout", "1h", "100ms"),
    ("request.jwt.claims", "{\"sub\":\"user_mallory\"}", ""),
    ("clerk.jwt", "not a token", ""),
];

/// As long as the first, these are only to do no harm.
const HARMLESS: &[(&str, &str)] = &[
    ("session_preload_libraries", "not_there"),
    ("TimeZone", "Pacific/Apia"),
    ("client_min_messages", "error"),
    ("client_encoding", "LATIN1"),
    ("lc_messages", "C"),
    ("enable_indexscan", "off"),
    ("jit", "on"),
    ("jit_above_cost", "0"),
    ("track_activities", "off"),
];

/// A database whose extension belongs to `keeper`, who is not a superuser.
fn kept(cluster: &Cluster) -> (Client, String) {
    let db = cluster.create_database();
    let name = db.name().to_owned();
    let mut superuser = db.superuser();
    superuser.run(&format!(
        "DROP EXTENSION clerk_sync; DROP SCHEMA clerk; CREATE ROLE keeper LOGIN; CREATE ROLE bystander;
         GRANT bystander TO keeper; GRANT CREATE ON DATABASE {name} TO keeper; GRANT ALL ON SCHEMA public TO keeper;
         SET ROLE keeper; CREATE EXTENSION clerk_sync; RESET ROLE"
    ));
    (superuser, name)
}

/// Has each worker note what it has, by triggers and a handler of the owner's.
const NOTE: &str = "SET ROLE keeper;
     CREATE TABLE public.seen (worker text, name text, setting text);
     CREATE FUNCTION public.note(what text) RETURNS void LANGUAGE sql AS $$
         INSERT INTO public.seen SELECT what, s.name, s.setting FROM public.wanted AS w,
             LATERAL (SELECT w.name, pg_catalog.current_setting(w.name, true)) AS s (name, setting)
         WHERE pg_catalog.current_setting('application_name') LIKE 'clerk_sync:%'
         UNION ALL SELECT what, 'current_user', current_user UNION ALL SELECT what, 'session_user', session_user $$;
     CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN PERFORM public.note(pg_catalog.current_setting('application_name')); RETURN NULL; END $$;
     CREATE TRIGGER see AFTER INSERT ON clerk.maintenance_rounds FOR EACH ROW EXECUTE FUNCTION public.see();
     CREATE TRIGGER see AFTER UPDATE ON clerk.sync_runs FOR EACH ROW EXECUTE FUNCTION public.see();
     CREATE TRIGGER see AFTER UPDATE ON clerk.jwks_fetches FOR EACH ROW EXECUTE FUNCTION public.see();
     CREATE FUNCTION public.handle(event jsonb) RETURNS void LANGUAGE sql AS $$ SELECT public.note('handler') $$;
     RESET ROLE";

#[test]
fn what_sessions_have_by_default_reaches_no_worker() {
    let cluster = preloaded(&[("clerk.maintain_interval", "1s")]);
    let clerk = Simulator::start();
    clerk.change_api(|api| api.secret_key = api.secret_key.replace("sk_test_", "sk_live_"));
    // A clock that is right, or its answers are refused.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    clerk.set_world(World::new(WorldOptions {
        start_ms: now.expect("the clock is right").as_millis() as i64,
        ..WorldOptions::default()
    }));
    let (mut superuser, name) = kept(&cluster);
    superuser.run("CREATE TABLE public.wanted (name text); GRANT SELECT ON public.wanted TO keeper");
    superuser.run(NOTE);
    superuser
        .execute(
            "SELECT clerk.configure(issuer => $1, jwks_url => $2, instance_id => 'ins_sim', api_url => $3)",
            &[&clerk.issuer(), &clerk.jwks_url(), &clerk.api_url()],
        )
        .expect("the instance can be configured");
    superuser
        .execute("SELECT clerk.set_secret_key($1)", &[&clerk.secret_key()])
        .expect("the secret key can be set");
    superuser.run("SET SESSION AUTHORIZATION keeper; SELECT clerk.on_event('user.*', 'public.handle'); RESET SESSION AUTHORIZATION");
    // Each of both, so that neither hides the other.
    for (setting, value) in SETTINGS
        .iter()
        .map(|(setting, value, _)| (setting, value))
        .chain(HARMLESS.iter().map(|(setting, value)| (setting, value)))
    {
        let exists = superuser.value_of::<bool>(
            "SELECT $1 LIKE '%.%' OR EXISTS (SELECT FROM pg_settings WHERE lower(name) = lower($1))",
            &[setting],
        );
        if !exists {
            continue;
        }
        let quoted = if *setting == "search_path" || *setting == "DateStyle" {
            (*value).to_owned()
        } else {
            format!("'{value}'")
        };
        for whose in ["ROLE keeper".to_owned(), format!("DATABASE {name}")] {
            superuser.run(&format!("ALTER {whose} SET {setting} = {quoted}"));
        }
    }
    for (setting, ..) in SETTINGS {
        let note = "INSERT INTO public.wanted VALUES ($1)";
        superuser.execute(note, &[setting]).expect("it is noted");
    }
    superuser.run("DELETE FROM public.seen WHERE true");
    wait_for_round(&mut superuser);
    superuser.run(
        "UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '1 hour', attempted_at = NULL",
    );
    let run: i64 = superuser.value("SELECT clerk.start_backfill()");
    wait_until("the run is over", || {
        superuser.value_of(
            "SELECT state NOT IN ('queued', 'running') FROM clerk.sync_runs WHERE id = $1",
            &[&run],
        )
    });
    assert_eq!(apply(&mut superuser, "user_ada"), "applied");
    wait_until("every kind of worker was seen", || {
        superuser.value::<i64>("SELECT count(DISTINCT worker) FROM public.seen") >= 3
    });
    for worker in ["clerk_sync: maintain", "clerk_sync: sync runs", "handler"] {
        for (setting, _, wanted) in SETTINGS {
            // A handler has as long for locks as it likes.
            if worker == "handler" && *setting == "lock_timeout" {
                continue;
            }
            assert_seen(&mut superuser, worker, setting, wanted);
        }
        assert_seen(&mut superuser, worker, "current_user", "keeper");
        assert_seen(&mut superuser, worker, "session_user", "keeper");
    }
    let errors: Vec<String> = superuser.value(
        "SELECT COALESCE(array_agg(r.error), '{}') FROM clerk.maintenance_rounds AS r WHERE r.error IS NOT NULL",
    );
    assert_eq!(errors, Vec::<String>::new());
    cluster.assert_no_crash();
}

#[track_caller]
fn assert_seen(superuser: &mut Client, worker: &str, setting: &str, wanted: &str) {
    let seen: Vec<String> = superuser.value_of(
        "SELECT COALESCE(array_agg(DISTINCT COALESCE(s.setting, '')), '{}') FROM public.seen AS s
         WHERE s.worker = $1 AND lower(s.name) = lower($2)",
        &[&worker, &setting],
    );
    let is_unknown = seen.is_empty() || seen == [""] && !wanted.is_empty();
    let may_be_unknown = setting == "transaction_timeout";
    assert!(
        seen == [wanted] || is_unknown && may_be_unknown,
        "{worker}, {setting}: {seen:?}, not {wanted}"
    );
}

/// A superuser's sessions may even be somebody else's.
#[test]
fn a_worker_is_who_it_was_started_as() {
    let cluster = preloaded(&[]);
    let db = cluster.create_database();
    let mut superuser = db.superuser();
    superuser.run(
        "CREATE ROLE bystander; SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '')",
    );
    superuser.run(&format!(
        "ALTER DATABASE {name} SET session_authorization = 'bystander'; ALTER DATABASE {name} SET role = 'bystander'",
        name = db.name()
    ));
    wait_for_round(&mut superuser);
}
