//! Which instance a secret belongs to.

use clerk_sim::new_signing_secret;
use clerk_tests::{Cluster, Sql, TestDb};

use super::{ISSUER, NO_SECRET, OTHER_ISSUER, add, configure, deliver, listed};

const ADD: &str = "SELECT clerk.add_webhook_signing_secret($1, $2)";

#[test]
fn it_is_the_only_one_unless_it_is_named() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    let secret = new_signing_secret();
    let failure = owner.failure_of("SELECT clerk.add_webhook_signing_secret($1)", &[&secret]);
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(failure.hint.is_some_and(|hint| hint.contains("clerk.configure(")));

    configure(&mut owner, ISSUER);
    let fingerprint = add(&mut owner, &secret);
    configure(&mut owner, OTHER_ISSUER);
    let another = new_signing_secret();
    let failure = owner.failure_of("SELECT clerk.add_webhook_signing_secret($1)", &[&another]);
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(failure.hint.is_some_and(|hint| hint.contains("issuer =>")));
    let failure = owner.failure_of(ADD, &[&another, &"https://clerk.three.test"]);
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");

    let other_fingerprint: String = owner.value_of(ADD, &[&another, &OTHER_ISSUER]);
    assert_eq!(
        listed(&mut owner, "fingerprint || '=' || issuer"),
        format!("{fingerprint}={ISSUER} {other_fingerprint}={OTHER_ISSUER}")
    );
}

#[test]
fn a_secret_belongs_to_one_instance_once() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    configure(&mut owner, OTHER_ISSUER);
    let secret = new_signing_secret();
    let first: String = owner.value_of(ADD, &[&secret, &ISSUER]);
    let before = listed(&mut owner, "(fingerprint, issuer, created_at)");
    // However it is written.
    for again in [secret.clone(), format!(" {secret}\n"), secret.replace('=', "")] {
        assert_eq!(owner.value_of::<String>(ADD, &[&again, &ISSUER]), first);
        assert_eq!(listed(&mut owner, "(fingerprint, issuer, created_at)"), before);

        let failure = owner.failure_of(ADD, &[&again, &OTHER_ISSUER]);
        assert_eq!(failure.sqlstate, "22023", "{failure:?}");
        assert!(failure.message.contains(ISSUER), "{failure:?}");
    }
}

#[test]
fn a_renamed_instance_keeps_its_secrets() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let secret = new_signing_secret();
    add(&mut owner, &secret);
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{OTHER_ISSUER}', other_issuers => ARRAY['{ISSUER}'], jwks_url => '')"
    ));
    assert_eq!(listed(&mut owner, "issuer"), OTHER_ISSUER);
    assert_eq!(deliver(&mut owner, &secret), "applied");
    // It goes by its old name too.
    let again: String = owner.value_of(ADD, &[&secret, &ISSUER]);
    assert_eq!(listed(&mut owner, "fingerprint"), again);
}

#[test]
fn a_removed_instance_takes_its_secrets_with_it() {
    for role in ["origin", "replica"] {
        let db: TestDb = Cluster::shared().create_database();
        let mut owner = db.superuser();
        configure(&mut owner, ISSUER);
        configure(&mut owner, OTHER_ISSUER);
        let (gone, kept) = (new_signing_secret(), new_signing_secret());
        let _: String = owner.value_of(ADD, &[&gone, &ISSUER]);
        let left: String = owner.value_of(ADD, &[&kept, &OTHER_ISSUER]);
        let mut service = db.connect("service_role");
        for secret in [&gone, &kept] {
            assert_eq!(deliver(&mut service, secret), "applied");
        }
        // In replica mode nothing cascades.
        owner.run(&format!("SET session_replication_role = {role}"));
        owner.run(&format!("SELECT clerk.remove_instance('{ISSUER}')"));
        for table in ["secrets", "secret_uses"] {
            let fingerprints = format!("SELECT string_agg(fingerprint, ' ') FROM clerk.{table}");
            assert_eq!(owner.value::<String>(&fingerprints), left, "{role}: {table}");
        }
        owner.run(&format!("SELECT clerk.remove_instance('{OTHER_ISSUER}')"));
        assert_eq!(deliver(&mut service, &gone), NO_SECRET, "{role}");
    }
}
