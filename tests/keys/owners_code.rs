//! What the extension's owner, no superuser, puts on the extension's tables is the owner's code. A superuser who calls our
//! functions runs them, but never that code, and it leaves nothing behind in the superuser's session.

use clerk_sim::Simulator;
use clerk_tests::{Cluster, Sql};
use postgres::Client;

/// The tables that administration writes.
const TABLES: [&str; 6] = [
    "settings",
    "instances",
    "jwks",
    "jwks_fetches",
    "secrets",
    "secret_uses",
];

/// A database of an owner who is no superuser, and wants to become one.
struct Owned {
    name: String,
    role: String,
    clerk: Simulator,
}

impl Owned {
    fn new(name: &str) -> Self {
        let role = format!("{name}_owner");
        let mut superuser = Cluster::shared().superuser();
        superuser.run(&format!("CREATE ROLE {role} LOGIN"));
        superuser.run(&format!("CREATE DATABASE {name} OWNER {role}"));
        let owned = Self {
            name: name.to_owned(),
            role,
            clerk: Simulator::start(),
        };
        owned.owner().run(&format!(
            "CREATE EXTENSION clerk_sync;
             CREATE SCHEMA trap;
             CREATE TABLE trap.fired (ran_as text);
             GRANT USAGE ON SCHEMA trap TO PUBLIC; GRANT INSERT ON trap.fired TO PUBLIC;
             CREATE FUNCTION trap.spring() RETURNS trigger LANGUAGE plpgsql AS $body$
             BEGIN
                 INSERT INTO trap.fired VALUES (current_user);
                 BEGIN ALTER ROLE {role} SUPERUSER; EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN PERFORM set_config('role', 'postgres', false); EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN PERFORM set_config('search_path', 'trap, pg_catalog', false); EXCEPTION WHEN OTHERS THEN NULL; END;
                 BEGIN PERFORM set_config('trap.left', 'behind', false); EXCEPTION WHEN OTHERS THEN NULL; END;
                 RETURN NULL;
             END $body$",
            role = owned.role
        ));
        owned
    }

    fn owner(&self) -> Client {
        Cluster::shared().connect_to(&self.name, &self.role)
    }

    fn superuser(&self) -> Client {
        Cluster::shared().connect_to(&self.name, "postgres")
    }

    fn plant(&self, timing: &str) {
        for table in TABLES {
            self.owner().run(&format!(
                "DROP TRIGGER IF EXISTS trap ON clerk.{table};
                 CREATE CONSTRAINT TRIGGER trap AFTER INSERT OR UPDATE OR DELETE ON clerk.{table}
                     {timing} FOR EACH ROW EXECUTE FUNCTION trap.spring()"
            ));
        }
    }

    /// Every call that changes those tables, in an order in which each has something to change.
    fn calls(&self) -> Vec<String> {
        let (issuer, url, jwks) = (self.clerk.issuer(), self.clerk.jwks_url(), self.clerk.jwks());
        vec![
            format!(
                "SELECT clerk.configure(issuer => '{issuer}', jwks_url => '{url}', other_issuers => '{{https://b.test}}')"
            ),
            "SELECT clerk.configure_mirror(max_attempts => 3)".to_owned(),
            "SELECT clerk.set_identity_source('token')".to_owned(),
            "SELECT clerk.set_identity_source('auto')".to_owned(),
            "SELECT clerk.add_webhook_signing_secret('whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0')".to_owned(),
            "SELECT clerk.receive_webhook('{}', '{}')".to_owned(),
            format!("SELECT clerk.import_jwks('{issuer}', '{jwks}')"),
            "SELECT clerk.refresh_jwks()".to_owned(),
            "SELECT clerk.drop_webhook_signing_secret(fingerprint) FROM clerk.webhook_signing_secrets()"
                .to_owned(),
            format!("SELECT clerk.remove_instance('{issuer}')"),
        ]
    }

    /// Nobody's code ran but as the owner, and nothing of it is left.
    fn assert_harmless(&self, superuser: &mut Client, after: &str) {
        let is_superuser: bool = superuser.value(&format!(
            "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = '{}'",
            self.role
        ));
        assert!(!is_superuser, "{after}");
        let strange: i64 = superuser.value(&format!(
            "SELECT pg_catalog.count(*) FROM trap.fired WHERE ran_as <> '{}'",
            self.role
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
    let owned = Owned::new("owners_deferred");
    let mut superuser = owned.superuser();
    owned.plant("DEFERRABLE INITIALLY DEFERRED");
    for call in owned.calls() {
        // It may be refused: that is the owner's own doing.
        let _ = superuser.query(&call, &[]);
        owned.assert_harmless(&mut superuser, &call);
    }
    assert_eq!(fired(&mut superuser), 0);
    // Nor if the caller puts off whatever can be.
    owned.plant("DEFERRABLE INITIALLY IMMEDIATE");
    for call in owned.calls() {
        let _ = superuser.batch_execute(&format!("BEGIN; SET CONSTRAINTS ALL DEFERRED; {call}; COMMIT"));
        superuser.run("ROLLBACK");
        owned.assert_harmless(&mut superuser, &call);
    }
}

#[test]
fn a_trigger_that_runs_at_once_runs_as_the_owner_and_leaves_nothing_behind() {
    let owned = Owned::new("owners_immediate");
    let mut superuser = owned.superuser();
    owned.plant("");
    for call in owned.calls() {
        superuser.run(&call);
        owned.assert_harmless(&mut superuser, &call);
    }
    assert!(fired(&mut superuser) >= 10, "{}", fired(&mut superuser));
    let tables: i64 = owned.owner().value(
        "SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = 'clerk' AND relname = 'jwks_fetches'",
    );
    assert_eq!(tables, 1);
}

/// Reading runs the owner's code too, if the owner forces policies upon themself.
#[test]
fn a_policy_runs_as_the_owner_and_leaves_nothing_behind() {
    let owned = Owned::new("owners_policies");
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
