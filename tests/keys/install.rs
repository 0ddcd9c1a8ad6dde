//! Installing: as a database's owner without being superuser, where it must be refused, and once more.

use clerk_sim::{Fault, Rotation, Simulator, Token};
use clerk_tests::{Cluster, Failure, Sql, TestDb};
use postgres::Client;

use crate::bearer::{assert_refused, assert_user, token_of, user, wait_until};

/// A database without the extension, whose owner is a new role, and a session of the owner.
struct Owned {
    name: String,
    owner: String,
}

impl Owned {
    /// `options` as in CREATE DATABASE.
    fn new(name: &str, options: &str) -> Self {
        let owner = format!("{name}_owner");
        let mut superuser = Cluster::shared().superuser();
        superuser.run(&format!("CREATE ROLE {owner} LOGIN"));
        superuser.run(&format!("CREATE DATABASE {name} OWNER {owner} {options}"));
        let name = name.to_owned();
        Self { name, owner }
    }

    fn connect(&self, role: &str) -> Client {
        Cluster::shared().connect_to(&self.name, role)
    }

    fn owner(&self) -> Client {
        self.connect(&self.owner)
    }
}

/// What `CREATE EXTENSION` says.
fn refusal(session: &mut Client) -> Failure {
    session.failure("CREATE EXTENSION clerk_sync")
}

fn configure(session: &mut Client, clerk: &Simulator) -> i32 {
    session.value_of(
        "SELECT keys FROM clerk.configure(issuer => $1, jwks_url => $2)",
        &[&clerk.issuer(), &clerk.jwks_url()],
    )
}

#[test]
fn the_owner_of_a_database_installs_and_owns_everything() {
    let clerk = Simulator::start();
    let db = Owned::new("install_trusted", "");
    let mut owner = db.owner();
    owner.run("CREATE EXTENSION clerk_sync");
    let not_owned = "
        SELECT COALESCE(string_agg(pg_describe_object(classid, objid, 0), ', ' ORDER BY pg_describe_object(classid, objid, 0)), '') FROM pg_depend
        WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
          AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'clerk_sync')
          AND current_user::regrole IS DISTINCT FROM CASE classid
              WHEN 'pg_class'::regclass THEN (SELECT relowner FROM pg_class WHERE oid = objid)
              WHEN 'pg_proc'::regclass THEN (SELECT proowner FROM pg_proc WHERE oid = objid)
              WHEN 'pg_type'::regclass THEN (SELECT typowner FROM pg_type WHERE oid = objid)
              WHEN 'pg_namespace'::regclass THEN (SELECT nspowner FROM pg_namespace WHERE oid = objid)
          END";
    assert_eq!(
        owner.value::<String>(not_owned),
        "event trigger clerk_sync_guard_postgrest, function clerk.guard_postgrest(), function clerk.set_authenticator_pre_config(boolean), \
         function clerk.write_realtime_keys(jsonb)"
    );
    let schema = "SELECT nspowner::regrole = current_user::regrole FROM pg_namespace WHERE nspname = 'clerk'";
    assert!(owner.value::<bool>(schema));

    assert_eq!(configure(&mut owner, &clerk), 1);
    let mut session = db.connect("anon");
    assert_user(&mut session, &token_of(&clerk, "user_ada"), "user_ada");
    clerk.rotate(Rotation::Same);
    assert_user(&mut session, &token_of(&clerk, "user_bob"), "user_bob");
}

#[test]
fn workers_run_as_the_owner() {
    let clerk = Simulator::start();
    let db = Owned::new("install_worker", "");
    let mut owner = db.owner();
    owner.run("CREATE EXTENSION clerk_sync");
    assert_eq!(configure(&mut owner, &clerk), 1);
    clerk.fault(Fault::Slow { ms: 3000 });
    let forged = clerk.forge(Token::session(clerk.issuer(), "user_mallory"));
    let mut session = db.connect("anon");
    let showing = std::thread::spawn(move || user(&mut session, &forged));
    let worker = "SELECT usename::text FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'clerk_sync worker'";
    wait_until("the worker runs as the owner", || {
        let rows = owner.query(worker, &[]).expect("anybody may look");
        rows.iter()
            .any(|row| row.get::<_, Option<&str>>(0) == Some(db.owner.as_str()))
    });
    let failure = showing
        .join()
        .expect("the thread ends well")
        .expect_err("the token is forged");
    assert_eq!(failure.refusal(), ("28", "token-invalid-signature"));
}

#[test]
fn an_owner_who_may_not_log_in() {
    let clerk = Simulator::start();
    let db = Owned::new("install_nologin", "");
    let mut owner = db.owner();
    owner.run("CREATE EXTENSION clerk_sync");
    assert_eq!(configure(&mut owner, &clerk), 1);
    db.connect("postgres").run(&format!(
        "ALTER ROLE {} NOLOGIN;
         UPDATE clerk.jwks_fetches SET succeeded_at = succeeded_at - interval '1 day'",
        db.owner
    ));
    let mut session = db.connect("anon");
    // Also now that the keys should be fetched again.
    assert_user(&mut session, &token_of(&clerk, "user_ada"), "user_ada");

    clerk.rotate(Rotation::New);
    let token = token_of(&clerk, "user_bob");
    let version: i32 = session.value("SELECT current_setting('server_version_num')::int");
    if version >= 170_000 {
        assert_user(&mut session, &token, "user_bob");
        assert_eq!(configure(&mut owner, &clerk), 1);
        return;
    }
    let failures = [
        user(&mut session, &token).expect_err("the key is new"),
        owner.failure("SELECT clerk.refresh_jwks()"),
    ];
    for failure in failures {
        assert_eq!(failure.sqlstate, "55000", "{failure:?}");
        assert!(
            failure
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains("ALTER ROLE")),
            "{failure:?}"
        );
    }
    // The known key stays, and it is a warning.
    assert_eq!(configure(&mut owner, &clerk), 1);
}

#[test]
fn a_schema_that_is_not_empty_is_refused() {
    let db = Owned::new("install_not_empty", "");
    let mut owner = db.owner();
    for object in [
        "TABLE clerk.users (id text)",
        "VIEW clerk.users AS SELECT 1 AS id",
        "FUNCTION clerk.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "TYPE clerk.colour AS ENUM ('red')",
        "DOMAIN clerk.name AS text",
        "OPERATOR clerk.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
    ] {
        owner.run(&format!("CREATE SCHEMA clerk; CREATE {object}"));
        let failure = refusal(&mut owner);
        assert_eq!(failure.sqlstate, "42P06", "{object}: {failure:?}");
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("ALTER SCHEMA clerk RENAME TO")),
            "{object}"
        );
        owner.run("DROP SCHEMA clerk CASCADE");
    }
    owner.run("CREATE SCHEMA clerk; CREATE EXTENSION clerk_sync");
}

#[test]
fn a_schema_of_somebody_else_is_refused() {
    let db = Owned::new("install_foreign", "");
    let mut superuser = db.connect("postgres");
    superuser.run("CREATE SCHEMA clerk AUTHORIZATION anon");
    for session in [&mut superuser, &mut db.owner()] {
        let failure = refusal(session);
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("ALTER SCHEMA clerk RENAME TO"))
        );
    }
}

#[test]
fn a_schema_in_which_others_may_create_is_refused() {
    let db = Owned::new("install_creatable", "");
    let mut owner = db.owner();
    owner.run("CREATE SCHEMA clerk");
    for role in ["anon", "PUBLIC"] {
        owner.run(&format!("GRANT CREATE ON SCHEMA clerk TO {role}"));
        let failure = refusal(&mut owner);
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert!(
            failure
                .hint
                .is_some_and(|hint| hint.contains("REVOKE CREATE ON SCHEMA clerk"))
        );
        owner.run(&format!("REVOKE CREATE ON SCHEMA clerk FROM {role}"));
    }
    owner.run("CREATE EXTENSION clerk_sync");
}

#[test]
fn only_utf8_databases_are_accepted() {
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let name = format!("install_{}", encoding.to_lowercase());
        let db = Owned::new(&name, &format!("ENCODING '{encoding}' TEMPLATE template0"));
        let failure = refusal(&mut db.owner());
        assert_eq!(failure.sqlstate, "0A000", "{failure:?}");
        assert!(failure.message.contains(encoding), "{failure:?}");
        assert!(failure.hint.is_some_and(|hint| hint.contains("UTF8")));
    }
}

#[test]
fn dropped_and_created_again() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let (mut owner, mut session) = (db.superuser(), db.connect("anon"));
    let token = token_of(&clerk, "user_ada");
    for session in [&mut owner, &mut session] {
        assert_user(session, &token, "user_ada");
    }
    owner.run("DROP EXTENSION clerk_sync");
    for session in [&mut owner, &mut session] {
        let failure = user(session, &token).expect_err("there is nothing left");
        assert!(
            ["3F000", "42883"].contains(&failure.sqlstate.as_str()),
            "{failure:?}"
        );
    }
    owner.run("CREATE EXTENSION clerk_sync");
    for session in [&mut owner, &mut session] {
        assert_refused(session, &token, "token-invalid-issuer");
    }
    assert_eq!(configure(&mut owner, &clerk), 1);
    clerk.rotate(Rotation::New);
    let newer = token_of(&clerk, "user_bob");
    for session in [&mut session, &mut owner] {
        assert_user(session, &newer, "user_bob");
        assert_refused(session, &token, "jwk-kid-mismatch");
    }
}
