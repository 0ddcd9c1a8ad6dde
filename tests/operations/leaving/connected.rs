//! Leaving when everything was handed over: PostgREST, Realtime, the API, handlers, other roles.

use clerk_tests::{Cluster, Sql};
use postgres::Client;
use serde_json::json;

use crate::handover::postgrest::{Postgrest, Secret};
use crate::handover::project::{Project, own_key, tenants};
use crate::handover::{SECRET, as_supabase, settings_of_authenticator};

/// Everything in the catalogs of this database, and of the server, that could be somebody's doing: what there is, whose it is, and
/// who may do what with it.
const CATALOGS: &str = "
    SELECT concat_ws(' ', 'schema', oid, nspname, nspowner, nspacl) AS entry FROM pg_namespace
        WHERE nspname !~ '^pg_(toast_)?temp_'
    UNION ALL SELECT concat_ws(' ', 'relation', oid, relname, relowner, relacl, relrowsecurity) FROM pg_class
        WHERE relnamespace::regnamespace::text !~ '^pg_(toast_)?temp_'
    UNION ALL SELECT concat_ws(' ', 'function', oid, proname, proowner, proacl, md5(prosrc)) FROM pg_proc
    UNION ALL SELECT concat_ws(' ', 'type', oid, typname) FROM pg_type
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgname) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', 'policy', oid, polname) FROM pg_policy
    UNION ALL SELECT concat_ws(' ', 'extension', oid, extname) FROM pg_extension
    UNION ALL SELECT concat_ws(' ', 'default privileges', oid, defaclacl) FROM pg_default_acl
    UNION ALL SELECT concat_ws(' ', 'event trigger', oid, evtname) FROM pg_event_trigger
    UNION ALL SELECT concat_ws(' ', 'dependency', classid, objid, refclassid, refobjid, deptype) FROM pg_shdepend
        WHERE dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    UNION ALL SELECT concat_ws(' ', 'role', oid, rolname, rolsuper, rolbypassrls, rolconfig) FROM pg_roles
    UNION ALL SELECT concat_ws(' ', 'member', roleid, member) FROM pg_auth_members
    UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setrole, setconfig) FROM pg_db_role_setting
    UNION ALL SELECT concat_ws(' ', 'database', oid, datname, datacl) FROM pg_database";

fn catalogs(client: &mut Client) -> Vec<String> {
    client.value(&format!(
        "SELECT array_agg(c.entry ORDER BY c.entry COLLATE \"C\") FROM ({CATALOGS}) AS c"
    ))
}

#[test]
fn no_trace_of_a_connected_project_is_left() {
    let cluster = as_supabase(Cluster::start(&[]));
    let project = Project::bare(&cluster);
    let mut superuser = project.db.superuser();
    superuser.run(
        "CREATE ROLE operator; ALTER ROLE authenticator SET pgrst.db_max_rows = '1000';
         CREATE FUNCTION public.hear(event jsonb) RETURNS void LANGUAGE sql AS 'SELECT'; ALTER FUNCTION public.hear OWNER TO project",
    );
    let before = catalogs(&mut superuser);

    let mut postgrest = Postgrest::start(&project.db, Some(SECRET));
    project.connect();
    project.assert_handed_over("before leaving");
    let mut owner = project.owner();
    owner.run(
        "SELECT clerk.expose_api(); SELECT clerk.on_event('*', 'public.hear'); SELECT clerk.grant_admin('operator');
         SELECT clerk.add_webhook_signing_secret('whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0')",
    );
    postgrest.hear();
    assert_eq!(postgrest.secret.names().len(), 2);
    assert_ne!(catalogs(&mut superuser), before);

    let steps: Vec<String> = owner.value(
        "SELECT array_agg(DISTINCT step ORDER BY step) FROM clerk.uninstall() WHERE step <> 'by hand'",
    );
    assert_eq!(steps, ["api", "last", "postgrest", "realtime"]);
    let hands: Vec<String> =
        owner.value("SELECT array_agg(object) FROM clerk.uninstall() WHERE step = 'by hand'");
    assert!(hands.contains(&"function public.hear".to_owned()), "{hands:?}");
    project.assert_handed_over("after a dry run");

    owner.run("SELECT clerk.uninstall(dry_run => false)");
    assert_eq!(settings_of_authenticator(&mut owner), ["pgrst.db_max_rows=1000"]);
    // Realtime has the operator's own key and nothing else; so has PostgREST, from its environment.
    let own = json!({"keys": [own_key()]});
    assert_eq!(
        tenants(&mut project.db.connect("supabase_admin")),
        [own.clone(), own]
    );
    postgrest.hear();
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));
    owner.run("DROP EXTENSION clerk_sync; DROP SCHEMA clerk");
    drop(owner);
    let after = catalogs(&mut superuser);
    let left: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).collect();
    let lost: Vec<_> = before.iter().filter(|entry| !after.contains(entry)).collect();
    assert!(
        left.is_empty() && lost.is_empty(),
        "left: {left:#?}, lost: {lost:#?}"
    );
    // And PostgREST goes on without.
    postgrest.read();
    assert_eq!(postgrest.secret, Secret::Password(SECRET.to_owned()));
}
