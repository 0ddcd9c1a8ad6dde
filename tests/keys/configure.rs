//! `clerk.configure` and the other functions that decide whom the database believes.

use clerk_sim::{Simulator, Token, publishable_key};
use clerk_tests::{Sql, TestDb};
use postgres::{Client, Row};

use crate::bearer::{
    assert_refused, assert_user, configure, configure_with_imported_keys, set, simulator, token_of, user,
};

/// A database whose workers reach nothing, so that it may be told about hosts that do not exist.
fn offline() -> TestDb<'static> {
    let db = TestDb::shared();
    set(&db, "clerk.http_proxy", "http://127.0.0.1:9");
    db
}

/// The instances as they are, apart from times and from what the mirror stores of them.
fn instances(owner: &mut Client) -> serde_json::Value {
    let all: String = owner.value(
        "SELECT COALESCE(jsonb_agg(to_jsonb(i) - ARRAY[
             'created_at', 'updated_at', 'instance_id', 'mirror', 'exclude_fields', 'keep_private_metadata',
             'keep_event_attributes'
         ] ORDER BY issuer), '[]')::text FROM clerk.instances AS i",
    );
    serde_json::from_str(&all).expect("Postgres writes JSON")
}

#[test]
fn a_publishable_key_says_everything() {
    let db = offline();
    let mut owner = db.superuser();
    for (host, live, environment) in [
        ("clerk.example.com", true, "production"),
        ("clean-mayfly-62.clerk.accounts.dev", false, "development"),
        ("clean-mayfly-63.clerk.accounts.dev", true, "production"),
    ] {
        let key = publishable_key(host, live);
        let row = configure(&mut owner, &format!("'{key}', additional => true"));
        assert_eq!(row.get::<_, &str>("issuer"), format!("https://{host}"));
        let url = format!("https://{host}/.well-known/jwks.json");
        assert_eq!(row.get::<_, &str>("jwks_url"), url);
        assert_eq!(row.get::<_, &str>("environment"), environment);
        assert_eq!(row.get::<_, i32>("keys"), 0);
        let stored = "SELECT publishable_key FROM clerk.instances WHERE jwks_url = $1";
        assert_eq!(owner.value_of::<String>(stored, &[&url]), key);
    }
}

#[test]
fn an_argument_left_out_leaves_its_setting_alone() {
    let db = offline();
    let mut owner = db.superuser();
    let key = publishable_key("clerk.example.com", true);
    configure(
        &mut owner,
        &format!(
            "publishable_key => '{key}', jwks_url => 'https://mirror.example.com/keys',
             authorized_parties => ARRAY['https://app.example.com'], audiences => ARRAY['api'],
             accept_template_tokens => true, treat_pending_as_signed_out => false, allow_missing_azp => true,
             other_issuers => ARRAY['https://old.example.com']"
        ),
    );
    let mut expected = serde_json::json!([{
        "issuer": "https://clerk.example.com",
        "other_issuers": ["https://old.example.com"],
        "environment": "production",
        "publishable_key": key,
        "jwks_url": "https://mirror.example.com/keys",
        "api_url": "https://api.clerk.com/v1",
        "authorized_parties": ["https://app.example.com"],
        "allow_missing_azp": true,
        "audiences": ["api"],
        "accept_template_tokens": true,
        "treat_pending_as_signed_out": false,
    }]);
    assert_eq!(instances(&mut owner), expected);
    let unchanged = [
        "".to_owned(),
        format!("'{key}'"),
        "issuer => 'https://clerk.example.com'".to_owned(),
        "issuer => 'https://old.example.com'".to_owned(),
        "audiences => NULL, jwks_url => NULL, accept_template_tokens => NULL".to_owned(),
    ];
    for arguments in unchanged {
        configure(&mut owner, &arguments);
        assert_eq!(instances(&mut owner), expected, "{arguments}");
    }
    for (argument, name, value) in [
        ("'{}'", "audiences", serde_json::json!([])),
        (
            "'{https://b.example}'",
            "authorized_parties",
            serde_json::json!(["https://b.example"]),
        ),
        ("false", "accept_template_tokens", false.into()),
        ("true", "treat_pending_as_signed_out", true.into()),
        ("false", "allow_missing_azp", false.into()),
        ("'{}'", "other_issuers", serde_json::json!([])),
        ("''", "jwks_url", serde_json::Value::Null),
    ] {
        configure(&mut owner, &format!("{name} => {argument}"));
        expected[0][name] = value;
        assert_eq!(instances(&mut owner), expected, "{name}");
    }
}

#[test]
fn a_second_instance_must_be_meant() {
    let db = offline();
    let mut owner = db.superuser();
    configure(&mut owner, "issuer => 'https://one.example.com'");
    let failure = owner.failure("SELECT clerk.configure(issuer => 'https://two.example.com')");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("additional => true"))
    );

    configure(
        &mut owner,
        "issuer => 'https://two.example.com', additional => true",
    );
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.instances"), 2);
    // From now on the one to change has to be named.
    let failure = owner.failure("SELECT clerk.configure(audiences => '{api}')");
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(failure.hint.is_some_and(|hint| hint.contains("issuer =>")));
    configure(
        &mut owner,
        "issuer => 'https://two.example.com', audiences => '{api}'",
    );
    let changed = "SELECT string_agg(issuer, ' ') FROM clerk.instances WHERE audiences = '{api}'";
    assert_eq!(owner.value::<String>(changed), "https://two.example.com");
}

#[test]
fn a_development_and_a_production_instance_together_are_warned_of() {
    let db = offline();
    let mut owner = db.superuser();
    let both = |row: &Row| {
        let warnings: Vec<String> = row.get("warnings");
        warnings.iter().any(|warning| warning.contains("both trusted"))
    };
    let (live, test) = ("clerk.example.com", "clean-mayfly-62.clerk.accounts.dev");
    let row = configure(&mut owner, &format!("'{}'", publishable_key(live, true)));
    assert!(!both(&row));
    let row = configure(
        &mut owner,
        &format!("'{}', additional => true", publishable_key(test, false)),
    );
    assert!(both(&row));
}

#[test]
fn a_change_of_domain_keeps_the_tokens_of_both_issuers() {
    let clerk = simulator("https://clerk.before.test");
    let db = TestDb::shared();
    db.configure(&clerk);
    let (mut owner, mut session) = (db.superuser(), db.connect("anon"));
    let before = token_of(&clerk, "user_ada");
    assert_user(&mut session, &before, "user_ada");

    let row = configure(
        &mut owner,
        &format!(
            "issuer => 'https://clerk.after.test', other_issuers => ARRAY['https://clerk.before.test'],
             jwks_url => '{}'",
            clerk.jwks_url()
        ),
    );
    assert_eq!(row.get::<_, &str>("issuer"), "https://clerk.after.test");
    assert_eq!(row.get::<_, i32>("keys"), 1);
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.instances"), 1);
    let after = Token::session("https://clerk.after.test", "user_bob").sign(&clerk.keys());
    assert_user(&mut session, &before, "user_ada");
    assert_user(&mut session, &after, "user_bob");

    configure(&mut owner, "other_issuers => '{}'");
    assert_refused(&mut session, &before, "token-invalid-issuer");
    assert_user(&mut session, &after, "user_bob");
}

#[test]
fn unusable_arguments_are_refused_with_a_hint() {
    let db = offline();
    let mut owner = db.superuser();
    let host = |host: &str| format!("'{}'", publishable_key(host, true));
    let unusable = [
        "",
        "issuer => ''",
        "issuer => 'clerk.example.com'",
        "issuer => 'ftp://clerk.example.com'",
        "issuer => 'https://'",
        "issuer => 'https://clerk.example.com/'",
        "issuer => 'https://clerk.example.com?x=1'",
        "issuer => 'https://clerk.example.com#x'",
        "issuer => 'http://clerk.example.com'",
        "issuer => 'https://clerk.example.com', other_issuers => ARRAY['https://clerk.example.org/']",
        "issuer => 'https://clerk.example.com', jwks_url => 'http://clerk.example.com/jwks.json'",
        "issuer => 'https://clerk.example.com', jwks_url => 'http://localhost/jwks.json'",
        "issuer => 'https://clerk.example.com', jwks_url => 'https://user:pass@clerk.example.com/jwks.json'",
        "issuer => 'https://clerk.example.com', jwks_url => E'https://clerk.example.com/\\nx'",
        "issuer => 'https://clerk.example.com', jwks_url => 'https://clerk.example.com/' || repeat('x', 2048)",
        "issuer => 'https://clerk.example.com', jwks_url => 'file:///etc/passwd'",
        "'sk_live_sesame'",
        "'pk_live_'",
        "'pk_live_!!!'",
        "'pk_live_Y2xlcmsuZXhhbXBsZS5jb20'", // without the final $
        "'pk_prod_Y2xlcmsuZXhhbXBsZS5jb20k'",
        &host("clerk.example.com/x"),
        &host("user@clerk.example.com"),
    ];
    for arguments in unusable {
        let failure = owner.failure(&format!("SELECT clerk.configure({arguments})"));
        assert_eq!(failure.sqlstate, "22023", "{arguments}: {failure:?}");
        assert!(failure.hint.is_some_and(|hint| !hint.is_empty()), "{arguments}");
        assert!(
            !failure.message.contains("sesame"),
            "a secret key in the wrong place is not repeated"
        );
    }
    assert_eq!(owner.value::<i64>("SELECT count(*) FROM clerk.instances"), 0);

    configure(&mut owner, "issuer => 'https://one.example.com'");
    configure(
        &mut owner,
        "issuer => 'https://two.example.com', additional => true",
    );
    let shared = "issuer => 'https://two.example.com', other_issuers => ARRAY['https://one.example.com']";
    let failure = owner.failure(&format!("SELECT clerk.configure({shared})"));
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let db = TestDb::shared();
    let mut owner = db.superuser();
    let failure = owner.failure("SELECT clerk.remove_instance('https://three.test')");
    assert_eq!(failure.sqlstate, "42704", "{failure:?}");
    owner.run("SELECT clerk.remove_instance(NULL)");
}

#[test]
fn the_source_of_identity_can_be_set() {
    let clerk = Simulator::start();
    let db = TestDb::shared();
    configure_with_imported_keys(&db, &clerk);
    let mut owner = db.superuser();
    let failure = owner.failure("SELECT clerk.set_identity_source('cookie')");
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(failure.hint.is_some_and(|hint| hint.contains("'auto'")));

    let mut session = db.connect("anon");
    let token = token_of(&clerk, "user_token");
    let claims = format!(
        r#"{{"iss": "{}", "sub": "user_claims", "sid": "sess_1"}}"#,
        clerk.issuer()
    );
    session.run(&format!("SET request.jwt.claims = '{claims}'"));
    for (source, expected) in [
        ("token", "user_token"),
        ("claims", "user_claims"),
        ("auto", "user_claims"),
    ] {
        owner.run(&format!("SELECT clerk.set_identity_source('{source}')"));
        assert_user(&mut session, &token, expected);
    }
    owner.run("SELECT clerk.set_identity_source('claims')");
    session.run("RESET request.jwt.claims");
    assert_eq!(user(&mut session, &token), Ok(None));
}
