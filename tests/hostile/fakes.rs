//! Objects with our names in a database that does not have the extension, on a server that has preloaded the library.

use clerk_tests::{Cluster, Sql};
use postgres::Client;

use crate::watch::Watch;

/// What anybody can make in a schema of theirs that they call ours, with `{name}`, `{columns}` and `{numbers}` in it.
const FAKES: [(&str, &str); 7] = [
    ("views", "CREATE VIEW clerk.{name} AS SELECT {numbers}"),
    (
        "materialized views",
        "CREATE MATERIALIZED VIEW clerk.{name} AS SELECT {numbers}",
    ),
    (
        "tables of numbers",
        "CREATE TABLE clerk.{name} AS SELECT {numbers}",
    ),
    (
        "partitioned tables",
        "CREATE TABLE clerk.{name} ({columns}) PARTITION BY LIST (issuer)",
    ),
    ("sequences", "CREATE SEQUENCE clerk.{name}"),
    ("types", "CREATE TYPE clerk.{name} AS ({columns})"),
    ("nothing", "CREATE TABLE clerk.not_{name} ()"),
];

const NAMES: [&str; 7] = [
    "instances",
    "jwks",
    "settings",
    "secrets",
    "event_handlers",
    "token_problems",
    "jwks_fetches",
];

/// Every column that is read when a transaction ends.
const COLUMNS: [&str; 21] = [
    "issuer",
    "other_issuers",
    "jwks_url",
    "authorized_parties",
    "allow_missing_azp",
    "audiences",
    "accept_template_tokens",
    "treat_pending_as_signed_out",
    "kid",
    "alg",
    "n",
    "e",
    "identity_source",
    "only_clerk",
    "exempt_roles",
    "token_header",
    "anonymous_role",
    "signed_in_role",
    "clock_skew_seconds",
    "last_seen_at",
    "attempted_at",
];

/// Makes a fake of each of our tables.
fn plant(session: &mut Client, fake: &str) {
    let columns = |each: fn(&str) -> String| COLUMNS.map(each).join(", ");
    // Looks like an address to whoever expects a text or an array.
    let numbers = columns(|name| format!("140737488355328 AS {name}"));
    let columns = columns(|name| format!("{name} text"));
    for name in NAMES {
        let fake = fake.replace("{numbers}", &numbers).replace("{columns}", &columns);
        session.run(&fake.replace("{name}", name));
    }
}

/// What makes the library look closely when a transaction ends.
fn commit_as_anon(session: &mut Client) {
    session.run(
        r#"BEGIN; SELECT set_config('request.jwt.claims', '{"role":"anon","iss":"https://clerk.sim.test","sub":"user_ada","sid":"sess_1"}', true);
           COMMIT"#,
    );
}

#[test]
fn a_database_without_the_extension_is_left_alone() {
    let cluster = Cluster::start(&[
        ("shared_preload_libraries", "clerk_sync"),
        ("log_line_prefix", "%e "),
    ]);
    cluster.superuser().run("CREATE ROLE squatter LOGIN");
    let mut watch = Watch::new(&cluster);
    for (number, (kind, fake)) in FAKES.into_iter().enumerate() {
        let database = format!("elsewhere_{number}");
        cluster
            .superuser()
            .run(&format!("CREATE DATABASE {database} OWNER squatter"));
        let mut squatter = cluster.connect_to(&database, "squatter");
        squatter.run("CREATE SCHEMA clerk; GRANT USAGE ON SCHEMA clerk TO PUBLIC");
        plant(&mut squatter, fake);
        for role in ["squatter", "anon", "postgres"] {
            commit_as_anon(&mut cluster.connect_to(&database, role));
        }
        assert_eq!(watch.faults(), Vec::<String>::new(), "{kind}");
    }
}

/// Also when the extension was there when the session first asked, and is dropped and faked under it.
#[test]
fn a_session_outlives_the_extension() {
    let cluster = Cluster::start(&[
        ("shared_preload_libraries", "clerk_sync"),
        ("log_line_prefix", "%e "),
    ]);
    let mut watch = Watch::new(&cluster);
    let db = cluster.create_database();
    let mut session = db.superuser();
    session.run("SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => ''); SELECT clerk.current_user_id()");
    commit_as_anon(&mut session);
    db.superuser()
        .run("DROP EXTENSION clerk_sync; CREATE SCHEMA IF NOT EXISTS clerk");
    plant(&mut db.superuser(), FAKES[0].1);
    // This session has looked just now; a new one looks.
    commit_as_anon(&mut session);
    commit_as_anon(&mut db.superuser());
    assert_eq!(
        session.failure("SELECT clerk.current_user_id()").sqlstate,
        "42883"
    );
    assert_eq!(watch.faults(), Vec::<String>::new());
}
