//! Nobody sees a secret key, whatever goes wrong with it.

use clerk_tests::{Cluster, Sql};

use super::stub::{Stub, answer};
use super::{ISSUER, OTHER_ISSUER, ask, database, error, instance, set_key};

/// What no error, no log and no table may show.
const MARKER: &str = "OpenSesame";

const UNUSABLE: [&str; 12] = [
    "",
    "sk_test_",
    "sk_OpenSesame",
    "pk_test_OpenSesame",
    "pk_live_OpenSesame",
    "whsec_OpenSesame",
    "ak_OpenSesame",
    "OpenSesame",
    "sk_test_OpenSesame OpenSesame",
    "sk_test_OpenSesame\u{a0}x",
    "vault:",
    "vault:sk_test_OpenSesame",
];

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    let mut owner = db.superuser();
    let good = format!("SELECT clerk.set_secret_key('sk_test_{MARKER}ABCDEFGHIJKLMNOPQRSTUVWXYZ012345')");
    assert_eq!(owner.failure(&good).sqlstate, "55000");
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{ISSUER}', jwks_url => '')"
    ));
    for text in UNUSABLE {
        // Not everybody passes it as a parameter.
        let failure = owner.failure(&format!("SELECT clerk.set_secret_key('{text}')"));
        assert_eq!(failure.sqlstate, "22023", "{text}: {failure:?}");
        assert!(
            failure.hint.as_ref().is_some_and(|hint| !hint.is_empty()),
            "{text}"
        );
        assert!(!format!("{failure:?}").contains(MARKER), "{text}: {failure:?}");
    }
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.secrets"), 0);
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{OTHER_ISSUER}', jwks_url => '', additional => true)"
    ));
    let refused = [
        good,
        format!(
            "SELECT clerk.set_secret_key('sk_live_{MARKER}ABCDEFGHIJKLMNOPQRSTUVWXYZ012345', '{ISSUER}')"
        ),
        format!(
            "SELECT clerk.set_secret_key('sk_test_{MARKER}ABCDEFGHIJKLMNOPQRSTUVWXYZ012345', 'https://clerk.three.test')"
        ),
    ];
    for statement in &refused {
        let failure = owner.failure(statement);
        assert!(
            !format!("{failure:?}").contains(MARKER),
            "{statement}: {failure:?}"
        );
    }
    assert!(cluster.log().contains("ERROR:  the secret key"));
    assert!(!cluster.log().contains(MARKER), "{}", cluster.log());
}

#[test]
fn whoever_repeats_the_key_is_not_quoted() {
    let clerk = instance(ISSUER, "ins_one");
    let jwks = clerk.jwks().to_string();
    // Everything that comes back holds what came in.
    let stub = Stub::start(move |request| {
        let key = request
            .head
            .lines()
            .find_map(|line| line.strip_prefix("authorization: Bearer "))
            .unwrap_or("none")
            .to_owned();
        if request.line.contains("/jwks") {
            return answer(200, &[], &jwks);
        }
        let error = format!(
            r#"{{"errors": [{{"message": "no {key}", "long_message": "bad {key}!", "code": "{key}"}}], "clerk_trace_id": "{key}"}}"#
        );
        answer(401, &[&format!("cf-ray: {key}")], &error)
    });
    let cluster = Cluster::start(&[("log_min_messages", "debug1"), ("log_error_verbosity", "verbose")]);
    let db = database(&cluster, &clerk, &stub.url);
    let mut owner = db.superuser();
    let key = format!("sk_test_{MARKER}ABCDEFGHIJKLMNOPQRSTUVWXYZ012345");
    set_key(&mut owner, &key);
    let told = ask(&mut owner);
    assert!(error(&told).contains("bad sk_…!"), "{told:#}");
    assert!(
        stub.requests().iter().any(|request| request.head.contains(&key)),
        "it was sent"
    );
    assert!(!told.to_string().contains(MARKER), "{told:#}");
    assert!(!cluster.log().contains(MARKER), "{}", cluster.log());

    // No relation shows it but the one that keeps it, and that to nobody else.
    let relations: String = owner.value(
        "SELECT string_agg(oid::regclass::text, ' ') FROM pg_class WHERE relkind IN ('r', 'v')
         AND (relnamespace = 'clerk'::regnamespace OR relname = 'pg_stat_activity')",
    );
    let mut keepers = Vec::new();
    for relation in relations.split(' ') {
        let shows: bool = owner.value_of(
            &format!(
                "SELECT EXISTS (SELECT FROM {relation} AS r WHERE to_jsonb(r)::text LIKE '%' || $1 || '%')"
            ),
            &[&MARKER],
        );
        keepers.extend(shows.then_some(relation));
    }
    assert_eq!(keepers, ["clerk.secrets"]);
    let rows: String = owner.value("SELECT string_agg(k::text, ' ') FROM clerk.secret_keys() AS k");
    assert!(!rows.contains(MARKER), "{rows}");
    let dump = cluster
        .pg_binary("pg_dump")
        .arg(db.name())
        .output()
        .expect("pg_dump can be run");
    let dump = String::from_utf8_lossy(&dump.stdout);
    assert!(dump.contains("COPY clerk.secrets") && !dump.contains(MARKER));
    for role in ["anon", "authenticated", "service_role", "app"] {
        let mut session = db.connect(role);
        for call in ["set_secret_key('x')", "drop_secret_key()", "secret_keys()"] {
            assert_eq!(
                session.failure(&format!("SELECT clerk.{call}")).sqlstate,
                "42501",
                "{role}: {call}"
            );
        }
        assert_eq!(
            session.failure("SELECT FROM clerk.api_budgets").sqlstate,
            "42501",
            "{role}"
        );
    }
}
