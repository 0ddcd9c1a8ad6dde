//! What the extension's owner, no superuser, puts on the extension's tables is the owner's code. A superuser who calls our
//! functions runs them, but never that code, and it leaves nothing behind in the superuser's session.

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql};
use postgres::Client;

/// The tables that administration writes.
const TABLES: [&str; 10] = [
    "settings",
    "instances",
    "jwks",
    "jwks_fetches",
    "secrets",
    "secret_uses",
    "postgrest_keys",
    "sync_runs",
    "sync_steps",
    "maintenance_rounds",
];

/// What a Supabase has besides, of which only the owner of Realtime's table is anybody's.
const SUPABASE: &str = "
    CREATE ROLE authenticator LOGIN NOINHERIT; GRANT anon, authenticated, service_role TO authenticator;
    CREATE ROLE supabase_admin SUPERUSER LOGIN";
const REALTIME: &str = "
    CREATE SCHEMA _realtime AUTHORIZATION supabase_admin;
    CREATE TABLE _realtime.tenants (external_id text, jwt_jwks jsonb);
    ALTER TABLE _realtime.tenants OWNER TO supabase_admin;
    INSERT INTO _realtime.tenants VALUES ('realtime-dev', NULL)";

/// A database of an owner who is no superuser, and wants to become one. The server is their own, because what PostgREST is told
/// is told to a role.
struct Owned {
    cluster: Cluster,
    clerk: Simulator,
}

const NAME: &str = "owned";
const ROLE: &str = "owner";

impl Owned {
    fn new() -> Self {
        let owned = Self {
            cluster: Cluster::start(&[]),
            clerk: Simulator::start(),
        };
        // The issuer is taken for one of production.
        let clerk = &owned.clerk;
        clerk.change_api(|api| api.secret_key = api.secret_key.replace("sk_test_", "sk_live_"));
        let mut superuser = owned.cluster.superuser();
        superuser.run(SUPABASE);
        superuser.run(&format!(
            "CREATE ROLE {ROLE} LOGIN; GRANT anon, authenticated, service_role TO {ROLE}"
        ));
        superuser.run(&format!("CREATE DATABASE {NAME} OWNER {ROLE}"));
        owned.superuser().run(REALTIME);
        owned.owner().run(&format!(
            "CREATE EXTENSION clerk_sync;
             CREATE SCHEMA trap;
             CREATE TABLE trap.fired (ran_as text);
             GRANT USAGE ON SCHEMA trap TO PUBLIC; GRANT INSERT ON trap.fired TO PUBLIC;
             CREATE FUNCTION trap.spring() RETURNS trigger LANGUAGE plpgsql AS $body$
             BEGIN
                 INSERT INTO trap.fired VALUES (current_user);
                 BEGIN ALTER ROLE {ROLE} SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN PERFORM set_config('role', 'postgres', false); EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN PERFORM set_config('search_path', 'trap, pg_catalog', false); EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN PERFORM set_config('trap.left', 'behind', false); EXCEPTION WHEN OTHERS THEN NULL; END;
                 RETURN NULL;
             END $body$",
        ));
        owned
    }

    fn owner(&self) -> Client {
        self.cluster.connect_to(NAME, ROLE)
    }

    fn superuser(&self) -> Client {
        self.cluster.connect_to(NAME, "postgres")
    }

    fn plant(&self, tables: &[&str], timing: &str) {
        let mut owner = self.owner();
        for table in TABLES {
            owner.run(&format!("DROP TRIGGER IF EXISTS trap ON clerk.{table}"));
        }
        for table in tables {
            owner.run(&format!(
                "CREATE CONSTRAINT TRIGGER trap AFTER INSERT OR UPDATE OR DELETE ON clerk.{table}
                     {timing} FOR EACH ROW EXECUTE FUNCTION trap.spring()"
            ));
        }
    }

    /// The first call of [`Self::calls`], without which the others change nothing.
    fn configure(&self) -> String {
        let (issuer, url, api) = (self.clerk.issuer(), self.clerk.jwks_url(), self.clerk.api_url());
        format!(
            "SELECT clerk.configure(issuer => '{issuer}', jwks_url => '{url}', api_url => '{api}', other_issuers => '{{https://b.test}}')"
        )
    }

    /// As much as the other calls need, whatever was refused before.
    fn prepare(&self) {
        let mut owner = self.owner();
        owner.run(&self.configure());
        owner.run(&self.set_secret_key());
        owner.run("SELECT clerk.connect_postgrest('none')");
        // As a worker notes it.
        owner.run(
            "INSERT INTO clerk.secret_uses (kind, fingerprint, last_used_at) SELECT kind, fingerprint, now() FROM clerk.secrets
             ON CONFLICT DO NOTHING",
        );
    }

    fn set_secret_key(&self) -> String {
        format!("SELECT clerk.set_secret_key('{}')", self.clerk.secret_key())
    }

    /// Every call that changes those tables, in an order in which each has something to change.
    fn calls(&self) -> Vec<String> {
        let (issuer, jwks) = (self.clerk.issuer(), self.clerk.jwks());
        let import = format!("SELECT clerk.import_jwks('{issuer}', '{jwks}')");
        let remove = format!("SELECT clerk.remove_instance('{issuer}')");
        let calls = [
            &self.configure(),
            "SELECT clerk.configure_mirror(max_attempts => 3)",
            "SELECT clerk.configure_requests(only_clerk => true)",
            "SELECT clerk.set_identity_source('token')",
            "SELECT clerk.set_identity_source('auto')",
            "SELECT clerk.add_webhook_signing_secret('whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0')",
            "SELECT clerk.receive_webhook('{}', '{}')",
            &import,
            "SELECT clerk.refresh_jwks()",
            &self.set_secret_key(),
            "SELECT FROM clerk.secret_keys()",
            "SELECT clerk.connect_postgrest('none')",
            "SELECT clerk.sync_realtime_keys()",
            "SELECT clerk.start_backfill()",
            "SELECT clerk.start_backfill(restart => true)",
            "SELECT clerk.follow_run(max(id)) FROM clerk.sync_runs HAVING count(*) > 0",
            "SELECT clerk.cancel_run(max(id)) FROM clerk.sync_runs HAVING count(*) > 0",
            "SELECT clerk.start_reconcile(full => true)",
            "SELECT clerk.sync_user('user_ada')",
            "SELECT clerk.sync_organization('org_acme')",
            "SELECT clerk.maintain()",
            "SELECT clerk.disconnect_realtime()",
            "SELECT clerk.disconnect_postgrest(true)",
            "SELECT clerk.drop_secret_key()",
            "SELECT clerk.drop_webhook_signing_secret(fingerprint) FROM clerk.webhook_signing_secrets()",
            &remove,
        ];
        calls.map(str::to_owned).to_vec()
    }

    /// Nobody's code ran but as the owner, and nothing of it is left.
    fn assert_harmless(&self, superuser: &mut Client, after: &str) {
        let is_superuser: bool = superuser.value(&format!(
            "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = '{ROLE}'"
        ));
        assert!(!is_superuser, "{after}");
        let strange: i64 = superuser.value(&format!(
            "SELECT pg_catalog.count(*) FROM trap.fired WHERE ran_as <> '{ROLE}'"
        ));
        assert_eq!(strange, 0, "{after}");
        let left: Vec<String> = superuser.value(
            "SELECT ARRAY[current_user::text, pg_catalog.current_setting('search_path'),
                 COALESCE(pg_catalog.current_setting('trap.left', true), '')]",
        );
        assert_eq!(left, ["postgres", "\"$user\", public", ""], "{after}");
    }
}

fn fired(client: &mut Client) -> i64 {
    client.value("SELECT pg_catalog.count(*) FROM trap.fired")
}

#[test]
fn a_trigger_that_puts_itself_off_never_runs_as_the_superuser() {
    let owned = Owned::new();
    let mut superuser = owned.superuser();
    // One table after the other, because a call ends at the first that is refused.
    for table in TABLES {
        owned.plant(&[], "");
        owned.prepare();
        owned.plant(&[table], "DEFERRABLE INITIALLY DEFERRED");
        let mut refused = 0;
        for call in owned.calls() {
            // It may be refused: that is the owner's own doing.
            refused += usize::from(superuser.query(&call, &[]).is_err());
            owned.assert_harmless(&mut superuser, &format!("{table}: {call}"));
        }
        // Steps are written by workers only, whose session is the owner's.
        assert!(refused > 0 || table == "sync_steps", "nothing writes {table}");
    }
    assert_eq!(fired(&mut superuser), 0);
    // Nor if the caller puts off whatever can be.
    owned.plant(&TABLES, "DEFERRABLE INITIALLY IMMEDIATE");
    for call in owned.calls() {
        let _ = superuser.batch_execute(&format!("BEGIN; SET CONSTRAINTS ALL DEFERRED; {call}; COMMIT"));
        superuser.run("ROLLBACK");
        owned.assert_harmless(&mut superuser, &call);
    }
}

#[test]
fn a_trigger_that_runs_at_once_runs_as_the_owner_and_leaves_nothing_behind() {
    let owned = Owned::new();
    let mut superuser = owned.superuser();
    owned.plant(&TABLES, "");
    for call in owned.calls() {
        superuser.run(&call);
        owned.assert_harmless(&mut superuser, &call);
    }
    assert!(fired(&mut superuser) >= 20, "{}", fired(&mut superuser));
}

/// Reading runs the owner's code too, if the owner forces policies upon themself.
#[test]
fn a_policy_runs_as_the_owner_and_leaves_nothing_behind() {
    let owned = Owned::new();
    let mut superuser = owned.superuser();
    let mut owner = owned.owner();
    owner.run(
        "CREATE FUNCTION trap.look() RETURNS boolean LANGUAGE plpgsql AS $body$
         BEGIN
             INSERT INTO trap.fired VALUES (current_user);
             PERFORM set_config('search_path', 'trap, pg_catalog', false), set_config('trap.left', 'behind', false);
             RETURN true;
         END $body$",
    );
    for table in TABLES {
        owner.run(&format!(
            "ALTER TABLE clerk.{table} ENABLE ROW LEVEL SECURITY; ALTER TABLE clerk.{table} FORCE ROW LEVEL SECURITY;
             CREATE POLICY trap ON clerk.{table} USING (trap.look())"
        ));
    }
    for call in owned.calls() {
        superuser.run(&call);
        owned.assert_harmless(&mut superuser, &call);
    }
    assert!(fired(&mut superuser) > 0);
}
