//! Which keys an instance has: fetched, imported and never another instance's.

use clerk_sim::{Fault, Rotation, Simulator, Token};
use clerk_tests::{Sql, TestDb};

use crate::bearer::{
    assert_refused, assert_user, configure, configure_with_imported_keys, import, simulator, token_of,
};

#[test]
fn keys_of_another_url_are_forgotten() {
    let (clerk, other) = (Simulator::start(), Simulator::start());
    other.fault(Fault::Down);
    let db = TestDb::shared();
    db.configure(&clerk);
    let (mut owner, mut session) = (db.superuser(), db.connect("anon"));
    let token = token_of(&clerk, "user_ada");
    assert_user(&mut session, &token, "user_ada");

    let row = configure(&mut owner, &format!("jwks_url => '{}'", other.jwks_url()));
    assert_eq!(row.get::<_, i32>("keys"), 0);
    assert_refused(&mut session, &token, "jwk-kid-mismatch");
    other.fault(Fault::Ok);
    owner.run("SELECT clerk.refresh_jwks()");
    assert_refused(&mut session, &token, "token-invalid-signature");
    assert_user(&mut session, &token_of(&other, "user_bob"), "user_bob");
}

#[test]
fn without_a_url_keys_are_only_imported() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    db.configure(&clerk);
    let requests = clerk.jwks_requests();
    let (mut owner, mut session) = (db.superuser(), db.connect("anon"));
    let token = token_of(&clerk, "user_ada");
    // The fetched keys would be gone, and everybody refused.
    let failure = owner.failure("SELECT clerk.configure(jwks_url => '')");
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("clerk.import_jwks"))
    );
    assert_user(&mut session, &token, "user_ada");

    // As the hint says.
    owner.run("BEGIN");
    import(&mut owner, clerk.issuer(), &clerk);
    let row = configure(&mut owner, "jwks_url => ''");
    owner.run("COMMIT");
    assert_eq!(row.get::<_, Option<&str>>("jwks_url"), None);
    assert_eq!(row.get::<_, i32>("keys"), 1);
    let failure = owner.failure(&format!("SELECT clerk.refresh_jwks('{}')", clerk.issuer()));
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert_user(&mut session, &token, "user_ada");
    assert_eq!(clerk.jwks_requests(), requests);

    // One that begins without a URL has no keys, and says so.
    owner.run(&format!("SELECT clerk.remove_instance('{}')", clerk.issuer()));
    let row = configure(
        &mut owner,
        &format!("issuer => '{}', jwks_url => ''", clerk.issuer()),
    );
    let warnings: Vec<String> = row.get("warnings");
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("clerk.import_jwks")),
        "{warnings:?}"
    );
    assert_refused(&mut session, &token, "jwk-kid-mismatch");
}

#[test]
fn two_instances_with_the_same_key_id_do_not_vouch_for_each_other() {
    let (one, two) = (simulator("https://one.test"), simulator("https://two.test"));
    assert_eq!(one.keys().kid(), two.keys().kid());
    let db = TestDb::shared();
    db.configure(&one);
    db.configure(&two);
    let mut session = db.connect("anon");
    assert_user(&mut session, &token_of(&one, "user_one"), "user_one");
    assert_user(&mut session, &token_of(&two, "user_two"), "user_two");
    for (issuer, signer) in [(&one, &two), (&two, &one)] {
        let token = Token::session(issuer.issuer(), "user_mallory").sign(&signer.keys());
        assert_refused(&mut session, &token, "token-invalid-signature");
    }
    db.superuser()
        .run("SELECT clerk.remove_instance('https://one.test')");
    assert_refused(&mut session, &token_of(&one, "user_one"), "token-invalid-issuer");
    assert_user(&mut session, &token_of(&two, "user_two"), "user_two");
}

#[test]
fn refresh_fetches_for_every_instance_or_for_none() {
    let (one, two) = (simulator("https://one.test"), simulator("https://two.test"));
    let db = TestDb::shared();
    let mut owner = db.superuser();
    let failure = owner.failure("SELECT clerk.refresh_jwks()");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    db.configure(&one);
    db.configure(&two);
    one.rotate(Rotation::Overlap);
    assert_eq!(owner.value::<i32>("SELECT clerk.refresh_jwks()"), 3);
    assert_eq!(
        owner.value::<i32>("SELECT clerk.refresh_jwks('https://two.test')"),
        1
    );
    let failure = owner.failure("SELECT clerk.refresh_jwks('https://three.test')");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");

    one.rotate(Rotation::New);
    two.fault(Fault::Down);
    let failure = owner.failure("SELECT clerk.refresh_jwks()");
    assert_eq!(failure.sqlstate, "08006", "{failure:?}");
    let kept = "SELECT count(*) FROM clerk.jwks WHERE issuer = 'https://one.test'";
    assert_eq!(owner.value::<i64>(kept), 2);
    let requests = one.jwks_requests();
    owner.run("BEGIN READ ONLY");
    let failure = owner.failure("SELECT clerk.refresh_jwks('https://one.test')");
    assert_eq!(failure.sqlstate, "25006", "{failure:?}");
    assert_eq!(one.jwks_requests(), requests);
}

#[test]
fn an_imported_set_is_judged_as_a_fetched_one() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    configure_with_imported_keys(&db, &clerk);
    let mut owner = db.superuser();
    let good = clerk.jwks()["keys"][0].clone();
    let with = |name: &str, value: &str| {
        let mut key = good.clone();
        key[name] = value.into();
        key
    };
    let symmetric = serde_json::json!({"kty": "oct", "kid": "ins_hmac", "k": "c2VjcmV0"});
    let short = with("n", "rrrrrrrrrrrrrrrrrrrrrw");
    let import = "SELECT clerk.import_jwks($1, $2)";
    for keys in [
        vec![],
        vec![with("d", "AQAB")],
        vec![good.clone(), with("p", "AQAB")],
        vec![good.clone(), symmetric],
        vec![good.clone(), short],
        vec![good.clone(), good.clone()],
        vec![with("kid", "")],
    ] {
        let set = serde_json::json!({ "keys": keys }).to_string();
        let failure = owner.failure_of(import, &[&clerk.issuer(), &set]);
        assert_eq!(failure.sqlstate, "22023", "{set}: {failure:?}");
        assert!(failure.hint.is_some_and(|hint| !hint.is_empty()), "{set}");
    }
    for set in [
        "[]",
        "{}",
        "\"keys\"",
        "null",
        r#"{"keys": {}}"#,
        r#"{"keys": ["x"]}"#,
    ] {
        let failure = owner.failure_of(import, &[&clerk.issuer(), &set]);
        assert_eq!(failure.sqlstate, "22023", "{set}: {failure:?}");
    }
    assert_user(&mut db.connect("anon"), &token_of(&clerk, "user_ada"), "user_ada");

    let curve = serde_json::json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": "AQAB", "y": "AQAB"});
    let set = serde_json::json!({ "keys": [good, curve] }).to_string();
    assert_eq!(owner.value_of::<i32>(import, &[&clerk.issuer(), &set]), 1);
    let failure = owner.failure_of(import, &[&"https://three.test", &set]);
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
}
