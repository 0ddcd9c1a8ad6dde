//! Secret keys: set, listed, dropped, kept in a vault, and of the right instance.

use clerk_tests::{Cluster, Sql};
use postgres::Client;

use super::{ISSUER, OTHER_ISSUER, ask, database, error, instance, set_key};
use crate::scene::run;

/// One column of the list of keys, separated by blanks.
fn listed(session: &mut impl Sql, column: &str) -> String {
    session.value(&format!(
        "SELECT COALESCE(string_agg(({column})::text, ' '), '') FROM clerk.secret_keys()"
    ))
}

fn configure(owner: &mut Client, issuer: &str) {
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{issuer}', jwks_url => '', additional => true)"
    ));
}

/// The first 16 digits of `printf %s KEY | sha256sum`.
fn fingerprint(owner: &mut Client, key: &str) -> String {
    owner.value_of(
        "SELECT left(encode(sha256(convert_to($1, 'UTF8')), 'hex'), 16)",
        &[&key],
    )
}

#[test]
fn an_instance_has_one_key() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    assert!(!owner.value::<bool>("SELECT clerk.drop_secret_key()"));
    let expected = fingerprint(&mut owner, "sk_test_first1ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    assert_eq!(
        set_key(
            &mut owner,
            " sk_test_first1ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\n"
        ),
        expected
    );
    assert_eq!(listed(&mut owner, "fingerprint"), expected);
    assert_eq!(
        listed(&mut owner, "issuer || ' ' || environment"),
        format!("{ISSUER} development")
    );
    assert_eq!(listed(&mut owner, "num_nonnulls(vault_name, last_used_at)"), "0");
    assert_eq!(
        listed(&mut owner, "now() - created_at < interval '1 minute'"),
        "true"
    );
    // The same again, and another in its place.
    assert_eq!(
        set_key(&mut owner, "sk_test_first1ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
        expected
    );
    let expected = fingerprint(&mut owner, "sk_test_second2ABCDEFGHIJKLMNOPQRSTUVWXYZ012345678");
    assert_eq!(
        set_key(&mut owner, "sk_test_second2ABCDEFGHIJKLMNOPQRSTUVWXYZ012345678"),
        expected
    );
    assert_eq!(listed(&mut owner, "fingerprint"), expected);
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.secrets"), 1);
    assert!(owner.value::<bool>("SELECT clerk.drop_secret_key()"));
    assert_eq!(listed(&mut owner, "fingerprint"), "");
    assert_eq!(
        owner.value::<Option<String>>("SELECT clerk.set_secret_key(NULL)"),
        None
    );
}

#[test]
fn several_instances_are_told_apart() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    let failure =
        owner.failure("SELECT clerk.set_secret_key('sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012')");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    configure(&mut owner, ISSUER);
    configure(&mut owner, OTHER_ISSUER);
    for statement in [
        "SELECT clerk.set_secret_key('sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012')",
        "SELECT clerk.drop_secret_key()",
    ] {
        let failure = owner.failure(statement);
        assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    }
    let failure = owner.failure("SELECT clerk.set_secret_key('sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012', 'https://three.test')");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    owner.run(&format!(
        "SELECT clerk.set_secret_key('sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012', '{ISSUER}')"
    ));
    let failure = owner.failure(&format!(
        "SELECT clerk.set_secret_key('sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012', '{OTHER_ISSUER}')"
    ));
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(failure.message.contains(ISSUER), "{failure:?}");
    owner.run(&format!(
        "SELECT clerk.set_secret_key('sk_test_bABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012', '{OTHER_ISSUER}')"
    ));
    assert_eq!(listed(&mut owner, "issuer"), format!("{ISSUER} {OTHER_ISSUER}"));
    owner.run(&format!("SELECT clerk.remove_instance('{ISSUER}')"));
    assert_eq!(listed(&mut owner, "issuer"), OTHER_ISSUER);
}

#[test]
fn a_key_of_the_other_environment_is_refused() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let failure =
        owner.failure("SELECT clerk.set_secret_key('sk_live_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012')");
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(
        failure.message.contains("production") && failure.message.contains("development"),
        "{failure:?}"
    );
    assert!(failure.hint.is_some_and(|hint| hint.contains("sk_test_")));
    // The instance turns out to be a production one afterwards.
    set_key(&mut owner, "sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012");
    owner.run("UPDATE clerk.instances SET environment = 'production'");
    let told = ask(&mut owner);
    assert!(error(&told).contains("is of a development instance"), "{told:#}");
}

#[test]
fn a_key_is_no_signing_secret() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    set_key(&mut owner, "sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012");
    let webhooks = "SELECT count(*) FROM clerk.webhook_signing_secrets()";
    assert_eq!(owner.value::<i64>(webhooks), 0);
    // Deliveries are told that there is no secret, not that the signature is wrong.
    let reason: String = owner.value(
        "SELECT clerk.receive_webhook('{}', '{\"svix-id\": \"a\", \"svix-timestamp\": \"1\", \"svix-signature\": \"v1,aaaa\"}') ->> 'reason'",
    );
    assert_eq!(reason, "webhook-secret-missing");
    // Nor does one become one when the vault's secret does.
    owner.run(
        "CREATE SCHEMA vault;
         CREATE VIEW vault.decrypted_secrets AS SELECT 'key' AS name, 'sk_test_bABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012' AS decrypted_secret;
         SELECT clerk.set_secret_key('vault:key')",
    );
    let signing = clerk_sim::new_signing_secret();
    owner.run(&format!(
        "CREATE OR REPLACE VIEW vault.decrypted_secrets AS SELECT 'key' AS name, '{signing}' AS decrypted_secret"
    ));
    let now: i64 = owner.value("SELECT extract(epoch FROM now())::bigint");
    let headers = clerk_sim::sign(&signing, "msg_a", now, "{}").to_json();
    let reason: String = owner.value_of(
        "SELECT clerk.receive_webhook('{}', $1::text::jsonb) ->> 'reason'",
        &[&headers],
    );
    assert_eq!(reason, "webhook-secret-missing");
    let fingerprint = listed(&mut owner, "fingerprint");
    let failure = owner.failure_of("SELECT clerk.drop_webhook_signing_secret($1)", &[&fingerprint]);
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    assert_eq!(listed(&mut owner, "fingerprint"), fingerprint);
}

#[test]
fn a_key_in_the_vault_is_looked_up_at_every_run() {
    let clerk = instance(ISSUER, "ins_one");
    let db = database(Cluster::shared(), &clerk, &clerk.api_url());
    let mut owner = db.superuser();
    let failure = owner.failure("SELECT clerk.set_secret_key('vault:clerk key')");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    owner.run(
        "CREATE SCHEMA vault;
         CREATE TABLE vault.kept (name text PRIMARY KEY, secret text);
         CREATE VIEW vault.decrypted_secrets AS SELECT name, reverse(secret) AS decrypted_secret FROM vault.kept",
    );
    let put = |owner: &mut Client, secret: &str| {
        let put = "INSERT INTO vault.kept VALUES ('clerk key', reverse($1))
             ON CONFLICT (name) DO UPDATE SET secret = excluded.secret";
        owner.execute(put, &[&secret]).expect("the vault takes it");
    };
    put(&mut owner, "pk_test_x");
    let failure = owner.failure("SELECT clerk.set_secret_key('vault:clerk key')");
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    put(&mut owner, &clerk.secret_key());
    assert_eq!(set_key(&mut owner, "vault:clerk key"), "vault:clerk key");
    assert_eq!(
        listed(&mut owner, "vault_name || ' ' || environment"),
        "clerk key development"
    );
    let (_, state) = run(&mut owner, "SELECT clerk.sync_user('user_a')");
    assert_eq!(state, "done");
    assert_eq!(
        listed(&mut owner, "now() - last_used_at < interval '2 minutes'"),
        "true"
    );
    let new = clerk.rotate_secret_key();
    assert!(error(&ask(&mut owner)).contains("HTTP 401"));
    put(&mut owner, &new);
    let (_, state) = run(&mut owner, "SELECT clerk.sync_user('user_a')");
    assert_eq!(state, "done");
    put(&mut owner, "whatever");
    assert_eq!(listed(&mut owner, "environment IS NULL"), "true");
    let told = ask(&mut owner);
    assert!(error(&told).contains("does not start with sk_test_"), "{told:#}");
    owner.run("DROP SCHEMA vault CASCADE");
    let told = ask(&mut owner);
    assert!(error(&told).contains("no vault"), "{told:#}");
}

#[test]
fn a_key_of_another_instance_writes_nothing() {
    let (clerk, other) = (instance(ISSUER, "ins_one"), instance(OTHER_ISSUER, "ins_two"));
    other.set_world(clerk_sim::World::new(clerk_sim::WorldOptions::default()));
    other.world().run(50);
    // The same API opens another instance with another key; here it is another API.
    let db = database(Cluster::shared(), &clerk, &other.api_url());
    let mut owner = db.superuser();
    set_key(&mut owner, &other.secret_key());
    let (id, state) = run(&mut owner, "SELECT clerk.start_backfill()");
    let told = crate::scene::told(&mut owner, id);
    assert_eq!(state, "failed", "{told:#}");
    let error = told["last_error"].as_str().unwrap_or_default();
    assert!(
        error.contains("of another instance, \"ins_two\"") && error.contains(ISSUER),
        "{error}"
    );
    assert!(
        told["last_hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("set_secret_key"))
    );
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.users"), 0);
    assert_eq!(other.api_counts().get("/users"), None, "nothing was asked for");
    // A key that was rotated meanwhile has the same id.
    let rotated = instance(ISSUER, "ins_one");
    owner
        .execute("SELECT clerk.configure(api_url => $1)", &[&rotated.api_url()])
        .expect("the owner may");
    set_key(&mut owner, &rotated.secret_key());
    let (_, state) = run(&mut owner, "SELECT clerk.sync_user('user_a')");
    assert_eq!(state, "done");
    // Of an instance of which nothing is known nothing can be told.
    owner.run("DELETE FROM clerk.jwks WHERE true; UPDATE clerk.instances SET instance_id = NULL WHERE true");
    let told = ask(&mut owner);
    assert!(super::error(&told).contains("cannot be told"), "{told:#}");
}

#[test]
fn only_the_owner_says_where_the_key_is_sent() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let administrator = format!("administrator_{}", db.name());
    owner.run(&format!(
        "CREATE ROLE {administrator} LOGIN; SELECT clerk.grant_admin('{administrator}')"
    ));
    let mut session = db.connect(&administrator);
    set_key(&mut session, "sk_test_aABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ab012");
    for url in ["https://evil.example/v1", ""] {
        let failure = session.failure_of("SELECT clerk.configure(api_url => $1)", &[&url]);
        assert_eq!(failure.sqlstate, "42501", "{failure:?}");
        assert!(failure.message.contains("api_url"), "{failure:?}");
    }
    session.run("SELECT clerk.configure(authorized_parties => '{https://app.example}')");
    let url = |owner: &mut Client| owner.value::<String>("SELECT api_url FROM clerk.instances");
    assert_eq!(url(&mut owner), "https://api.clerk.com/v1");
    owner.run("SELECT clerk.configure(api_url => 'https://proxy.example/clerk/v1')");
    assert_eq!(url(&mut owner), "https://proxy.example/clerk/v1");
    owner.run("SELECT clerk.configure(allow_missing_azp => true)");
    assert_eq!(url(&mut owner), "https://proxy.example/clerk/v1");
    for bad in [
        "api.clerk.com",
        "ftp://a.example",
        "http://api.example/v1",
        "https://u:p@a.example",
        "https://a.example/v1/",
        "https://a.example/v1?x=1",
        "https://a.example/v1#x",
        "https://a example",
        "https://",
    ] {
        let failure = owner.failure_of("SELECT clerk.configure(api_url => $1)", &[&bad]);
        assert_eq!(failure.sqlstate, "22023", "{bad}: {failure:?}");
        assert!(failure.message.contains("api_url"), "{bad}: {failure:?}");
    }
    owner.run("SELECT clerk.configure(api_url => '')");
    assert_eq!(url(&mut owner), "https://api.clerk.com/v1");
}

#[test]
fn a_dropped_key_ends_what_uses_it() {
    let clerk = instance(ISSUER, "ins_one");
    let db = database(Cluster::shared(), &clerk, &clerk.api_url());
    let mut owner = db.superuser();
    set_key(&mut owner, &clerk.secret_key());
    clerk.plan_fault(clerk_sim::FaultPlan::once(clerk_sim::ApiFault::Slow { ms: 1_000 }).on("/users"));
    let id: i64 = owner.value("SELECT clerk.sync_user('user_a')");
    crate::scene::wait_until("it is asked", || {
        clerk.api_counts().contains_key("/users").then_some(())
    });
    owner.run("SELECT clerk.drop_secret_key()");
    let failure = owner.failure("SELECT clerk.sync_user('user_b')");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    let asked = clerk.api_requests().len();
    assert_eq!(crate::scene::wait(&mut owner, id), "failed");
    let told = crate::scene::told(&mut owner, id);
    assert!(error(&told).contains("was dropped or replaced"), "{told:#}");
    assert_eq!(clerk.api_requests().len(), asked);
}
