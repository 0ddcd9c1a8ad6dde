//! Webhook signing secrets: added, listed, dropped, and nowhere to be seen.

mod dump;
mod hidden;
mod instances;
mod vault;

use std::time::{SystemTime, UNIX_EPOCH};

use clerk_sim::{new_signing_secret, sign};
use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::Value;

const ISSUER: &str = "https://clerk.one.test";
const OTHER_ISSUER: &str = "https://clerk.two.test";

/// Trusts an instance without a URL.
fn configure(owner: &mut Client, issuer: &str) {
    owner.run(&format!(
        "SELECT clerk.configure(issuer => '{issuer}', jwks_url => '', additional => true)"
    ));
}

/// Adds a secret of the only instance; gives its fingerprint.
fn add(session: &mut impl Sql, secret: &str) -> String {
    session.value_of("SELECT clerk.add_webhook_signing_secret($1)", &[&secret])
}

fn drop_secret(session: &mut impl Sql, fingerprint: &str) {
    session
        .execute("SELECT clerk.drop_webhook_signing_secret($1)", &[&fingerprint])
        .expect("the secret can be dropped");
}

/// One column of the list of secrets, separated by blanks.
fn listed(session: &mut impl Sql, column: &str) -> String {
    session.value(&format!(
        "SELECT COALESCE(string_agg(({column})::text, ' '), '') FROM clerk.webhook_signing_secrets()"
    ))
}

/// The answer to a delivery signed with that secret, as `status reason`.
fn deliver(session: &mut impl Sql, secret: &str) -> String {
    let answer = answer(session, secret);
    let text = |member: &str| answer[member].as_str().unwrap_or_default().to_owned();
    format!("{} {}", text("status"), text("reason")).trim().to_owned()
}

/// The message of the refusal of a delivery signed with that secret.
fn message(session: &mut impl Sql, secret: &str) -> String {
    answer(session, secret)["message"]
        .as_str()
        .expect("it is refused")
        .to_owned()
}

fn answer(session: &mut impl Sql, secret: &str) -> Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is right");
    let svix_id = new_id();
    let body = format!(
        r#"{{"type": "user.created", "object": "event", "timestamp": 1, "data": {{"id": "user_{svix_id}"}}}}"#
    );
    let headers = sign(secret, &svix_id, now.as_secs() as i64, &body).to_json();
    let Json(answer): Json<Value> = session.value_of(
        "SELECT clerk.receive_webhook($1, $2::text::jsonb)",
        &[&body, &headers],
    );
    answer
}

fn new_id() -> String {
    new_signing_secret().replace(|c: char| !c.is_ascii_alphanumeric(), "")
}

const APPLIED: &str = "applied";
const MISMATCH: &str = "rejected webhook-signature-mismatch";
const NO_SECRET: &str = "rejected webhook-secret-missing";

#[test]
fn a_secret_counts_from_its_adding_to_its_dropping() {
    let db = Cluster::shared().create_database();
    let (mut owner, mut service) = (db.superuser(), db.connect("service_role"));
    configure(&mut owner, ISSUER);
    // Another session, whose cache has to notice.
    let (old, new) = (new_signing_secret(), new_signing_secret());
    assert_eq!(deliver(&mut service, &old), NO_SECRET);

    let fingerprint = add(&mut owner, &old);
    // Public, and no way back to the key.
    let of_key: String = owner.value_of(
        "SELECT left(encode(sha256(decode(substr($1, 7), 'base64')), 'hex'), 16)",
        &[&old],
    );
    assert_eq!(fingerprint, of_key);
    assert_eq!(deliver(&mut service, &old), APPLIED);
    assert_eq!(deliver(&mut service, &new), MISMATCH);

    // While an endpoint's secret is rotated both are signed with.
    let new_fingerprint = add(&mut owner, &new);
    assert_eq!(deliver(&mut service, &old), APPLIED);
    assert_eq!(deliver(&mut service, &new), APPLIED);
    drop_secret(&mut owner, &fingerprint);
    assert_eq!(deliver(&mut service, &old), MISMATCH);
    assert_eq!(deliver(&mut service, &new), APPLIED);
    drop_secret(&mut owner, &new_fingerprint);
    assert_eq!(deliver(&mut service, &new), NO_SECRET);

    let failure = owner.failure("SELECT clerk.drop_webhook_signing_secret('0123456789abcdef')");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("webhook_signing_secrets()"))
    );
    owner.run("SELECT clerk.drop_webhook_signing_secret(NULL)");
    let of_null: Option<String> = owner.value("SELECT clerk.add_webhook_signing_secret(NULL)");
    assert_eq!(of_null, None);
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.secret_uses"), 0);
}

#[test]
fn what_is_rolled_back_was_never_added() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let secret = new_signing_secret();
    let mut transaction = owner.transaction().expect("a transaction can be started");
    add(&mut transaction, &secret);
    assert_eq!(deliver(&mut transaction, &secret), APPLIED);
    assert_eq!(listed(&mut transaction, "usable"), "true");
    transaction.rollback().expect("it can be rolled back");
    assert_eq!(deliver(&mut owner, &secret), NO_SECRET);
    assert_eq!(listed(&mut owner, "fingerprint"), "");
}

#[test]
fn the_list_tells_all_but_the_secret() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let (first, second) = (new_signing_secret(), new_signing_secret());
    let fingerprints = [add(&mut owner, &first), add(&mut owner, &second)];
    assert_eq!(listed(&mut owner, "fingerprint"), fingerprints.join(" "));
    assert_eq!(listed(&mut owner, "issuer"), format!("{ISSUER} {ISSUER}"));
    assert_eq!(
        listed(&mut owner, "num_nonnulls(vault_name, last_used_at)"),
        "0 0"
    );
    assert_eq!(listed(&mut owner, "usable"), "true true");
    assert_eq!(
        listed(&mut owner, "now() - created_at < interval '1 minute'"),
        "true true"
    );

    deliver(&mut owner, &second);
    let used = "now() - last_used_at < interval '1 minute' IS TRUE";
    assert_eq!(listed(&mut owner, used), "false true");
    // It only reads, so it may be called where nothing can be written.
    owner.run("SET default_transaction_read_only = on");
    assert_eq!(listed(&mut owner, "usable"), "true true");
    let failure = owner.failure_of("SELECT clerk.add_webhook_signing_secret($1)", &[&first]);
    assert_eq!(failure.sqlstate, "25006", "{failure:?}");
}

#[test]
fn only_administrators_have_to_do_with_secrets() {
    let db = Cluster::shared().create_database();
    let mut owner = db.superuser();
    configure(&mut owner, ISSUER);
    let administrator = format!("administrator_{}", db.name());
    owner.run(&format!(
        "CREATE ROLE {administrator} LOGIN; SELECT clerk.grant_admin('{administrator}')"
    ));
    let calls = [
        "clerk.add_webhook_signing_secret('x')",
        "clerk.drop_webhook_signing_secret('x')",
        "clerk.webhook_signing_secrets()",
        "clerk.configure_mirror()",
    ];
    let tables = ["clerk.secrets", "clerk.secret_uses"];
    for role in ["anon", "authenticated", "service_role", "app"] {
        let mut session = db.connect(role);
        for call in calls {
            let failure = session.failure(&format!("SELECT {call}"));
            assert_eq!(failure.sqlstate, "42501", "{role}: {call}: {failure:?}");
            assert!(
                failure.message.contains("function"),
                "{role}: {call}: {failure:?}"
            );
        }
    }
    for role in ["anon", "authenticated", "service_role", "app", &administrator] {
        let mut session = db.connect(role);
        for table in tables {
            for statement in [
                format!("SELECT FROM {table}"),
                format!("INSERT INTO {table} DEFAULT VALUES"),
                format!("DELETE FROM {table}"),
                format!("COPY {table} TO STDOUT"),
            ] {
                let failure = session.failure(&statement);
                assert_eq!(failure.sqlstate, "42501", "{role}: {statement}: {failure:?}");
            }
        }
    }
    // The administrator needs none of that.
    let mut administrator = db.connect(&administrator);
    let secret = new_signing_secret();
    let fingerprint = add(&mut administrator, &secret);
    assert_eq!(listed(&mut administrator, "fingerprint"), fingerprint);
    assert_eq!(deliver(&mut db.connect("service_role"), &secret), APPLIED);
    drop_secret(&mut administrator, &fingerprint);
    assert_eq!(listed(&mut administrator, "fingerprint"), "");
}
