//! What may not be read says so (55000), and is never taken for its default.

use clerk_tests::{Sql, TestDb};
use postgres::Client;

const ISSUER: &str = "https://clerk.sim.test";

/// Somebody else's origin, which `authorized_parties` keeps out.
const EVIL: &str = r#"{"role":"authenticated","iss":"https://clerk.sim.test","sub":"user_ada","sid":"sess_1","azp":"https://evil.example"}"#;

fn database() -> (TestDb<'static>, Client) {
    let db = TestDb::shared();
    let mut owner = db.superuser();
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{ISSUER}', jwks_url => '', authorized_parties => '{{https://app.example}}');
         SELECT set_config('request.jwt.claims', '{EVIL}', false)"
    ));
    (db, owner)
}

/// What the owner does, and what the message names.
const CHANGES: [(&str, &str); 13] = [
    (
        "UPDATE clerk.instances SET authorized_parties = NULL",
        "authorized_parties",
    ),
    (
        "UPDATE clerk.instances SET authorized_parties = '{NULL}'",
        "authorized_parties",
    ),
    (
        "UPDATE clerk.instances SET authorized_parties = '{{a,b},{c,d}}'",
        "authorized_parties",
    ),
    (
        "UPDATE clerk.instances SET allow_missing_azp = NULL",
        "allow_missing_azp",
    ),
    ("ALTER TABLE clerk.instances DROP COLUMN audiences", "audiences"),
    (
        "ALTER TABLE clerk.instances ALTER authorized_parties DROP DEFAULT, ALTER authorized_parties TYPE text",
        "authorized_parties",
    ),
    ("DELETE FROM clerk.settings", "clerk.settings has no row"),
    (
        "ALTER TABLE clerk.settings DROP CONSTRAINT settings_pkey; INSERT INTO clerk.settings SELECT false",
        "clerk.settings has 2 rows",
    ),
    (
        "UPDATE clerk.settings SET identity_source = NULL",
        "identity_source",
    ),
    (
        "UPDATE clerk.settings SET identity_source = 'cookie'",
        "identity source \"cookie\"",
    ),
    (
        "ALTER TABLE clerk.settings ALTER identity_source DROP DEFAULT, ALTER identity_source TYPE bigint USING 140737488355328",
        "identity_source",
    ),
    (
        "ALTER TABLE clerk.settings RENAME TO former; CREATE VIEW clerk.settings AS SELECT * FROM clerk.former",
        "not an ordinary table",
    ),
    (
        "ALTER TABLE clerk.jwks RENAME TO former",
        "clerk.jwks does not exist",
    ),
];

/// Takes away what would keep nonsense out of the tables that are changed.
const WITHOUT_CHECKS: &str = "DO $x$
    DECLARE one record;
    BEGIN
        DROP TRIGGER IF EXISTS replace_settings ON clerk.settings;
        FOR one IN SELECT conrelid::regclass AS home, conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'clerk'::regnamespace LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.home, one.conname);
        END LOOP;
        FOR one IN SELECT a.attrelid::regclass AS home, a.attname FROM pg_attribute AS a
                   WHERE a.attrelid IN ('clerk.instances'::regclass, 'clerk.settings'::regclass) AND a.attnum > 0 AND a.attnotnull
                     AND a.attname NOT IN ('issuer', 'only_row') LOOP
            EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', one.home, one.attname);
        END LOOP;
    END $x$";

#[test]
fn what_cannot_be_read_is_no_default() {
    let (_db, mut owner) = database();
    assert_eq!(
        owner.failure("SELECT clerk.current_user_id()").sqlstate,
        "28000",
        "the origin is not allowed"
    );
    for (change, named) in CHANGES {
        owner.run(&format!("BEGIN; {WITHOUT_CHECKS}; {change}"));
        let failure = owner.failure("SELECT clerk.current_user_id()");
        assert_eq!(failure.sqlstate, "55000", "{change}: {failure:?}");
        assert!(failure.message.contains(named), "{change}: {failure:?}");
        assert!(failure.hint.is_some(), "{change}: {failure:?}");
        owner.run("ROLLBACK");
        assert_eq!(
            owner.failure("SELECT clerk.current_user_id()").sqlstate,
            "28000",
            "after {change}"
        );
    }
}

#[test]
fn a_table_that_is_being_rewritten_is_not_read() {
    let (_db, mut owner) = database();
    let rewrite = "ALTER TABLE clerk.instances ALTER allow_missing_azp DROP DEFAULT,
        ALTER allow_missing_azp TYPE text USING clerk.current_user_id()";
    let failure = owner.failure(rewrite);
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(failure.message.contains("is being altered"), "{failure:?}");
}

/// What becomes of the primary key of `clerk.users`, where an event about a user looks whether the row is there.
const INDEXES: [&str; 6] = [
    "CREATE UNIQUE INDEX users_pkey ON clerk.users (id) WHERE id IS NULL",
    "CREATE INDEX users_pkey ON clerk.users USING hash (id)",
    "CREATE UNIQUE INDEX users_pkey ON clerk.users (lower(id))",
    "CREATE TABLE clerk.mine (a bigint); CREATE UNIQUE INDEX users_pkey ON clerk.mine (a)",
    "ALTER TABLE clerk.users ADD COLUMN mine bigint GENERATED ALWAYS AS IDENTITY; ALTER TABLE clerk.users ADD CONSTRAINT users_pkey PRIMARY KEY (mine)",
    "SELECT",
];

#[test]
fn another_index_is_not_taken_for_the_primary_key() {
    let (_db, mut owner) = database();
    let event = r#"{"type":"user.created","object":"event","timestamp":1750000000000,
        "data":{"id":"user_ada","object":"user","created_at":1750000000000,"updated_at":1750000000000}}"#;
    for index in INDEXES {
        owner.run(&format!(
            "BEGIN; ALTER TABLE clerk.users DROP CONSTRAINT users_pkey CASCADE; {index}"
        ));
        owner.run(&format!("SELECT clerk.apply_event('{event}', 'msg_1')"));
        let error: String =
            owner.value("SELECT last_error FROM clerk.webhook_events WHERE svix_id = 'msg_1'");
        assert!(
            error.starts_with("55000: table clerk.users has "),
            "{index}: {error}"
        );
        owner.run("ROLLBACK");
    }
    // A name decides nothing.
    owner.run("ALTER INDEX clerk.users_pkey RENAME TO mine");
    owner.run(&format!("SELECT clerk.apply_event('{event}', 'msg_1')"));
    let state: String = owner.value("SELECT state FROM clerk.webhook_events WHERE svix_id = 'msg_1'");
    assert_eq!(state, "applied");
}
