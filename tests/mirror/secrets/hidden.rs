//! Nobody sees a secret, whatever goes wrong with it.

use clerk_sim::new_signing_secret;
use clerk_tests::{Cluster, Sql};

use super::{ISSUER, OTHER_ISSUER, add, configure, deliver};

/// What no error and no log may show.
const MARKER: &str = "OpenSesame";

/// Texts that are no secret: whole ones of other kinds, and ones with a slip.
const UNUSABLE: [&str; 13] = [
    "",
    " ",
    "whsec_",
    "whsec_OpenSesame",
    "whsec_OpenSesame!OpenSesameOpenSesame",
    "whsec_OpenSesameOpenSesameOpenSesameOpenSesameO", // cut
    "whsec_OpenSesameOpenSesame OpenSesameOpenSesame",
    "OpenSesameOpenSesameOpenSesameOpenSesame", // a word
    "sk_live_OpenSesame",
    "whpk_OpenSesame",
    "whsk_OpenSesame",
    "v1a,OpenSesame",
    "vault:whsec_OpenSesameOpenSesameOpenSesameOpenSesame",
];

#[test]
fn what_is_no_secret_is_refused_and_not_repeated() {
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    for text in UNUSABLE {
        // Not everybody passes it as a parameter.
        let failure = owner.failure(&format!("SELECT clerk.add_webhook_signing_secret('{text}')"));
        assert_eq!(failure.sqlstate, "22023", "{text}: {failure:?}");
        assert!(
            failure.hint.as_ref().is_some_and(|hint| !hint.is_empty()),
            "{text}"
        );
        assert!(!format!("{failure:?}").contains(MARKER), "{text}: {failure:?}");
    }
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.secrets"), 0);
    let log = cluster.log();
    assert!(log.contains("ERROR:  the signing secret"), "{log}");
    assert!(!log.contains(MARKER), "{log}");
}

#[test]
fn a_good_secret_in_a_statement_that_fails_is_not_logged() {
    let cluster = Cluster::start(&[]);
    let db = cluster.create_database();
    let mut owner = db.superuser();
    let marker = |number: u32| format!("whsec_OpenSesame{number:04}OpenSesame1234OpenSesame56");
    // Nothing is configured yet.
    let failure = owner.failure(&format!(
        "SELECT clerk.add_webhook_signing_secret('{}')",
        marker(1)
    ));
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    configure(&mut owner, ISSUER);
    configure(&mut owner, OTHER_ISSUER);
    let add_for = |issuer: &str| {
        format!(
            "SELECT clerk.add_webhook_signing_secret('{}', '{issuer}')",
            marker(2)
        )
    };
    owner.run(&add_for(ISSUER));
    let refused = [
        add_for(OTHER_ISSUER),
        add_for("https://clerk.three.test"),
        format!("SELECT clerk.add_webhook_signing_secret('{}')", marker(2)),
        // The wrong thing in the right place.
        format!("SELECT clerk.drop_webhook_signing_secret('{}')", marker(2)),
    ];
    for statement in &refused {
        let failure = owner.failure(statement);
        assert!(
            !format!("{failure:?}").contains(MARKER),
            "{statement}: {failure:?}"
        );
    }
    // Other statements of the same session are logged as ever.
    owner.failure("SELECT 1 / 0 AS shown");
    let log = cluster.log();
    assert!(log.contains("STATEMENT:  SELECT 1 / 0 AS shown"), "{log}");
    assert!(!log.contains(MARKER), "{log}");
}

#[test]
fn no_relation_and_no_answer_shows_a_secret_that_is_in_use() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let secret = new_signing_secret();
    add(&mut owner, &secret);
    assert_eq!(deliver(&mut owner, &secret), "applied");
    let key = secret.trim_start_matches("whsec_");
    // Every relation of ours and what Postgres shows of running statements, but the one table that keeps it.
    let relations = "SELECT string_agg(oid::regclass::text, ' ' ORDER BY relname) FROM pg_class
         WHERE relkind IN ('r', 'v') AND (relnamespace = 'clerk'::regnamespace OR relname = 'pg_stat_activity')";
    let relations: String = owner.value(relations);
    let shows = |owner: &mut postgres::Client, relation: &str| {
        let count = format!("SELECT count(*) FROM {relation} AS r WHERE strpos(r::text, $1) > 0");
        // Not the statement that asks.
        owner.value_of::<i64>(&count, &[&key]) > 0
    };
    let showing: Vec<&str> = relations
        .split(' ')
        .filter(|relation| shows(&mut owner, relation))
        .collect();
    assert_eq!(showing, ["clerk.secrets"]);
    let list = "SELECT string_agg(s::text, ' ') FROM clerk.webhook_signing_secrets() AS s";
    assert!(!owner.value::<String>(list).contains(key));
}
