//! Who may hand keys over, and what nobody else gets from it.

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql};
use postgres::Client;

use super::postgrest::Postgrest;
use super::{SECRET, SECRET_BASE64URL, connect, owned, settings_of_authenticator, supabase, trusting};

fn assert_denied(session: &mut Client, statement: &str) {
    let failure = session.failure(statement);
    assert_eq!(failure.sqlstate, "42501", "{statement}: {failure:?}");
}

#[test]
fn the_roles_of_an_api_get_nothing() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    connect(&mut owner);
    let calls = [
        "clerk.connect_postgrest('none')",
        "clerk.disconnect_postgrest()",
        "clerk.open_postgrest()",
        "clerk.set_authenticator_pre_config(false)",
        "clerk.sync_realtime_keys()",
        "clerk.disconnect_realtime()",
        "clerk.write_realtime_keys('{}')",
        "clerk.postgrest_key_set()",
        "clerk.clerks_keys()",
        "clerk.postgrest_connection()",
        "clerk.postgrest_obstacles()",
        "clerk.authenticator_settings()",
        "clerk.tell_postgrest_to_read(true)",
        "clerk.postgrest_listener()",
        "clerk.forget_postgrest()",
        "clerk.service_env()",
        "clerk.configure_requests()",
        "clerk.nobodys_key('x')",
    ];
    for role in ["anon", "authenticated", "service_role", "authenticator"] {
        let mut session = db.connect(role);
        for call in calls {
            assert_denied(&mut session, &format!("SELECT {call}"));
        }
        assert_denied(&mut session, "SELECT FROM clerk.postgrest_keys");
        assert_denied(
            &mut session,
            "UPDATE clerk.postgrest_keys SET own_keys = '[]' WHERE true",
        );
        assert_denied(
            &mut session,
            "ALTER ROLE authenticator SET pgrst.db_pre_config = 'public.mine'",
        );
        if role == "authenticator" {
            session.run("SELECT clerk.postgrest_config()");
        } else {
            assert_denied(&mut session, "SELECT clerk.postgrest_config()");
        }
    }
    assert_eq!(
        settings_of_authenticator(&mut owner),
        ["pgrst.db_pre_config=clerk.postgrest_config"]
    );
    // Nor is anything to be read where everybody may.
    let mut stranger = db.connect("anon");
    let shown: bool = stranger.value(
        "SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setconfig::text LIKE '%' || $$c3VwZXIt$$ || '%')
             OR EXISTS (SELECT FROM pg_roles WHERE rolconfig::text LIKE '%c3VwZXIt%')",
    );
    assert!(!shown);
}

#[test]
fn an_administrator_sees_how_things_stand_and_no_key() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    connect(&mut owner);
    owner.run("CREATE ROLE administrator LOGIN; SELECT clerk.grant_admin('administrator')");
    let mut administrator = db.connect("administrator");
    let shown: String = administrator.value(
        "SELECT (SELECT c::text FROM clerk.postgrest_connection() AS c) || (SELECT string_agg(e::text, '') FROM clerk.service_env() AS e)",
    );
    assert!(
        !shown.contains(SECRET) && !shown.contains(SECRET_BASE64URL),
        "{shown}"
    );
    for call in [
        "clerk.connect_postgrest('none')",
        "clerk.disconnect_postgrest()",
        "clerk.sync_realtime_keys()",
    ] {
        assert_denied(&mut administrator, &format!("SELECT {call}"));
    }
    assert_denied(&mut administrator, "SELECT FROM clerk.postgrest_keys");
}

#[test]
fn a_secret_is_not_in_the_log() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    // Errors with the statement that raised them; not log_statement, against which nothing helps.
    owner.run("SET log_min_error_statement = error; SET log_min_messages = warning");
    for secret in [
        "[\"a secret of more than thirty-two bytes\"]",
        "{\"keys\": [{\"kty\": \"oct\", \"k\": \"a secret of more than thirty-two bytes\"}]}",
        "a secret of more than thirty-two bytes ",
    ] {
        owner.failure(&format!("SELECT clerk.connect_postgrest('{secret}')"));
    }
    owner.run("ALTER ROLE authenticator SET pgrst.jwt_secret = 'x'");
    owner.failure("SELECT clerk.connect_postgrest('a secret of more than thirty-two bytes')");
    assert!(cluster.log().contains("ERROR:"));
    assert!(!cluster.log().contains("thirty-two bytes"), "{}", cluster.log());
}

fn configure(owner: &mut Client, clerk: &Simulator) {
    let configure = "SELECT FROM clerk.configure(issuer => $1, jwks_url => $2)";
    owner
        .execute(configure, &[&clerk.issuer(), &clerk.jwks_url()])
        .expect("the owner may");
}

/// As Supabase's role postgres: no superuser, and a member of the roles of the API.
#[test]
fn an_owner_who_may_act_as_the_apis_roles_connects() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let mut owner = owned(&cluster, "demoted");
    configure(&mut owner, &clerk);
    cluster
        .superuser()
        .run("GRANT anon, authenticated, service_role TO demoted");
    connect(&mut owner);
    assert_eq!(
        settings_of_authenticator(&mut owner),
        ["pgrst.db_pre_config=clerk.postgrest_config"]
    );
    assert!(owner.value::<bool>("SELECT clerk.disconnect_postgrest()"));
    assert_eq!(settings_of_authenticator(&mut owner), [] as [&str; 0]);
    // As any superuser, too: everything runs as the owner.
    cluster
        .connect_to("demoted_db", "supabase_admin")
        .run("SELECT clerk.connect_postgrest()");
    assert_eq!(
        settings_of_authenticator(&mut owner),
        ["pgrst.db_pre_config=clerk.postgrest_config"]
    );
}

/// Anybody who may create something in some database may install a trusted extension there. That must not make them
/// service_role by way of tokens that PostgREST then believes.
#[test]
fn an_owner_of_less_power_does_not_and_gains_none() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let mut owner = owned(&cluster, "tenant");
    configure(&mut owner, &clerk);
    let mut superuser = cluster.superuser();
    superuser.run("GRANT anon, authenticated TO tenant");
    let refused = |owner: &mut Client| {
        let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&SECRET]);
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert!(failure.message.contains("service_role"), "{failure:?}");
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("GRANT service_role TO"))
        );
    };
    refused(&mut owner);
    assert_denied(&mut owner, "SELECT clerk.set_authenticator_pre_config(true)");
    // Nor by rearranging what is theirs.
    let tricks = [
        "CREATE FUNCTION public.is_it(text, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "ALTER SCHEMA clerk RENAME TO away; CREATE SCHEMA clerk;
         CREATE FUNCTION clerk.postgrest_config() RETURNS void LANGUAGE sql AS ''",
    ];
    for trick in tricks {
        owner.run(trick);
        let schema: String = owner
            .value("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'clerk_sync'");
        owner.run("SET search_path = public");
        assert_denied(
            &mut owner,
            &format!("SELECT {schema}.set_authenticator_pre_config(true)"),
        );
    }
    owner.run("DROP SCHEMA clerk CASCADE; ALTER SCHEMA away RENAME TO clerk");
    // What was theirs and is another's now still counts.
    superuser.run(r#"GRANT service_role TO tenant; CREATE ROLE "by; stander""#);
    cluster.connect_to("tenant_db", "postgres").run(
        r#"GRANT CREATE ON SCHEMA clerk TO "by; stander"; ALTER FUNCTION clerk.clerks_keys() OWNER TO "by; stander""#,
    );
    let failure = owner.failure("SELECT clerk.set_authenticator_pre_config(true)");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    // Whoever chooses a role's name must not choose what a superuser runs.
    let hint = failure.hint.as_deref().unwrap_or_default();
    assert!(hint.contains(r#" TO "by; stander"; or"#), "{failure:?}");
    let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&SECRET]);
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
    cluster
        .connect_to("tenant_db", "postgres")
        .run("ALTER FUNCTION clerk.clerks_keys() OWNER TO tenant");
    connect(&mut owner);
    assert_eq!(
        settings_of_authenticator(&mut owner),
        ["pgrst.db_pre_config=clerk.postgrest_config"]
    );
}

/// Where the owner is not trusted so far, a superuser decides by doing it.
#[test]
fn what_a_superuser_set_is_used() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let mut owner = owned(&cluster, "tenant");
    configure(&mut owner, &clerk);
    cluster.connect_to("tenant_db", "postgres").run(
        "ALTER EVENT TRIGGER clerk_sync_guard_postgrest ENABLE ALWAYS;
         ALTER ROLE authenticator IN DATABASE tenant_db SET pgrst.db_pre_config = 'clerk.postgrest_config';
         GRANT EXECUTE ON FUNCTION clerk.postgrest_config() TO authenticator",
    );
    connect(&mut owner);
    let mut session = cluster.connect_to("tenant_db", "authenticator");
    let set: String =
        session.value("SELECT current_setting('pgrst.jwt_secret') FROM clerk.postgrest_config()");
    assert!(set.contains(SECRET_BASE64URL));
}

#[test]
fn only_named_functions_are_a_superusers() {
    let cluster = supabase();
    let mut owner = owned(&cluster, "tenant");
    let names: Vec<String> = owner.value(
        "SELECT array_agg(proname::text ORDER BY proname) FROM pg_proc
         WHERE pronamespace = 'clerk'::regnamespace AND proowner <> current_user::regrole",
    );
    assert_eq!(
        names,
        [
            "guard_postgrest",
            "set_authenticator_pre_config",
            "write_realtime_keys"
        ]
    );
    let callable: bool =
        owner.value("SELECT has_function_privilege('clerk.write_realtime_keys(jsonb)', 'EXECUTE')");
    assert!(callable);
}

/// Triggers on our tables are the owner's code, also when a superuser connects.
#[test]
fn triggers_of_the_owner_run_as_the_owner() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let mut owner = owned(&cluster, "tenant");
    cluster
        .superuser()
        .run("GRANT anon, authenticated, service_role TO tenant");
    owner.run(
        "CREATE TABLE public.ran (role name);
         CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.ran VALUES (current_user); RETURN NULL; END';
         CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON clerk.postgrest_keys FOR EACH ROW EXECUTE FUNCTION public.note();
         CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON clerk.settings FOR EACH ROW EXECUTE FUNCTION public.note()",
    );
    configure(&mut owner, &clerk);
    let mut superuser = cluster.connect_to("tenant_db", "supabase_admin");
    connect(&mut superuser);
    superuser.run("SELECT clerk.configure_requests(only_clerk => true); SELECT clerk.refresh_jwks()");
    superuser.run("SELECT clerk.disconnect_postgrest(forget_keys => true)");
    let roles: Vec<String> = owner.value("SELECT array_agg(DISTINCT role::text) FROM public.ran");
    assert_eq!(roles, ["tenant"]);
    // One that waits for the end of the transaction, when the superuser is who runs it, cannot.
    owner.run(
        "CREATE CONSTRAINT TRIGGER later AFTER INSERT ON clerk.postgrest_keys DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION public.note(); DELETE FROM public.ran WHERE true",
    );
    superuser.failure_of("SELECT clerk.connect_postgrest($1)", &[&SECRET]);
    assert_eq!(
        owner.value::<i64>("SELECT count(*) FROM public.ran WHERE role <> 'tenant'"),
        0
    );
}

#[test]
fn there_need_not_be_a_role_authenticator() {
    let cluster = Cluster::start(&[]);
    let clerk = Simulator::start();
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&SECRET]);
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(failure.message.contains("authenticator"), "{failure:?}");
    assert!(!owner.value::<bool>("SELECT clerk.disconnect_postgrest()"));
    owner.run("CREATE ROLE authenticator LOGIN NOINHERIT; GRANT anon TO authenticator");
    connect(&mut owner);
    assert_eq!(
        Postgrest::start_with_pre_config(&db, None).secret.names().len(),
        2
    );
}
