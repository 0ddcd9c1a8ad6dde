//! The lines for services that read their keys from the environment.

use clerk_sim::{Options, Simulator};
use clerk_tests::Sql;
use postgres::Client;
use serde_json::{Value, json};

use super::postgrest::Secret;
use super::{SECRET, SECRET_BASE64URL, connect_with, supabase, trusting};

fn lines(session: &mut Client) -> Vec<(String, String, String)> {
    let rows = session
        .query("SELECT service, setting, line FROM clerk.service_env()", &[])
        .expect("the owner may");
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

/// The ids of the keys in each line, which every service must be able to read as it stands.
fn names(session: &mut Client) -> Vec<String> {
    let lines = lines(session);
    let settings: Vec<&str> = lines
        .iter()
        .map(|(_, setting, _)| setting.as_str())
        .take(5)
        .collect();
    assert_eq!(
        settings,
        [
            "JWT_JWKS",
            "PGRST_JWT_SECRET",
            "API_JWT_JWKS",
            "JWT_JWKS",
            "SUPABASE_JWKS"
        ]
    );
    let mut seen = Vec::new();
    for (_, setting, line) in &lines[..5] {
        let value = line
            .strip_prefix(&format!("{setting}='"))
            .and_then(|rest| rest.strip_suffix('\''))
            .unwrap_or_else(|| panic!("{line}"));
        assert!(!value.contains(['\'', '\n']), "{value}");
        let secret = Secret::parse(value).expect("it is a secret");
        seen.push(secret.names());
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    seen.swap_remove(0)
}

#[test]
fn lines_can_be_pasted_and_tell_no_secret() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = cluster.create_database();
    let mut owner = db.superuser();
    assert_eq!(
        lines(&mut owner),
        [],
        "before there is a key, a line would only do harm"
    );
    db.configure(&clerk);
    let kid = clerk.jwks()["keys"][0]["kid"]
        .as_str()
        .expect("a key has an id")
        .to_owned();
    assert_eq!(
        names(&mut owner),
        ["PUT-THE-KEYS-HERE-THAT-ARE-THERE-NOW".to_owned(), kid.clone()]
    );

    connect_with(&mut owner, SECRET);
    assert_eq!(
        names(&mut owner),
        ["PUT-YOUR-SHARED-SECRET-HERE-AS-OCT-KEY".to_owned(), kid.clone()]
    );
    let own = json!({"keys": [
        {"kty": "oct", "k": SECRET_BASE64URL},
        {"kty": "EC", "crv": "P-256", "kid": "it's mine",
         "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]});
    connect_with(&mut owner, &own.to_string());
    assert_eq!(
        names(&mut owner),
        [
            "it's mine".to_owned(),
            "PUT-YOUR-SHARED-SECRET-HERE-AS-OCT-KEY".to_owned(),
            kid.clone()
        ]
    );
    connect_with(&mut owner, "none");
    assert_eq!(names(&mut owner), [kid]);
    let all = format!("{:?}", lines(&mut owner));
    assert!(!all.contains(SECRET_BASE64URL) && !all.contains(SECRET));
}

/// The column `value` of the lines for PostgREST, and what it is made of.
fn value_and_line(session: &mut Client) -> (String, String) {
    let row = session
        .query_one(
            "SELECT value, line FROM clerk.service_env() WHERE service = 'PostgREST'",
            &[],
        )
        .expect("the owner may");
    (row.get(0), row.get(1))
}

#[test]
fn a_value_can_be_pasted_back_and_a_line_cannot() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    // Nothing of one's own is known yet, so a placeholder would stand for nothing.
    let (value, _) = value_and_line(&mut owner);
    let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&value]);
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    assert!(
        failure.message.contains("PUT-THE-KEYS-HERE-THAT-ARE-THERE-NOW"),
        "{failure:?}"
    );
    let public = json!({"kty": "EC", "crv": "P-256", "kid": "own", "use": "sig",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"});
    let secret = json!({"kty": "oct", "use": "sig", "k": SECRET_BASE64URL});
    for own in [json!([public]), json!([public, secret]), json!([secret])] {
        connect_with(&mut owner, &json!({ "keys": own }).to_string());
        let before: String = owner.value("SELECT clerk.postgrest_key_set()");
        let (value, line) = value_and_line(&mut owner);
        assert_eq!(line, format!("PGRST_JWT_SECRET='{value}'"));
        let answer = connect_with(&mut owner, &value);
        assert_eq!(answer["own_keys"], own.as_array().map_or(0, Vec::len));
        let after: String = owner.value("SELECT clerk.postgrest_key_set()");
        assert_eq!(Secret::parse(&after), Secret::parse(&before), "{own}");
    }
    let mut all: Vec<String> = lines(&mut owner).into_iter().map(|(_, _, line)| line).collect();
    all.push("[auth.third_party.clerk]\nenabled = true\ndomain = \"clerk.example.com\"".to_owned());
    for line in all {
        let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&line]);
        assert_eq!(failure.sqlstate, "22023", "{line}: {failure:?}");
        assert!(
            failure.hint.is_some_and(|hint| hint.contains("the column value")),
            "{line}"
        );
    }
}

/// What stands where there is no key must be one, and nobody's.
#[test]
fn the_placeholder_is_a_public_key() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let key: Value = serde_json::from_str(&owner.value::<String>("SELECT clerk.nobodys_key('x')::text"))
        .expect("it is JSON");
    // sha256sum and base64 of coreutils.
    let expected = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "x", "x": "3rTqTEJFEt6iX5bJHBXx0GvX2yVOZt6Ioyp5SUusd5o"});
    assert_eq!(key, expected);
}

/// The CLI's own rule for domains (supabase/cli, pkg/config/config.go).
#[test]
fn the_cli_gets_the_domains_that_it_takes() {
    let cluster = supabase();
    let db = cluster.create_database();
    for issuer in [
        "https://clerk.example.com",
        "https://brave-cat-1.clerk.accounts.dev",
        "https://auth.example.com",
    ] {
        let options = Options {
            issuer: issuer.to_owned(),
            ..Options::default()
        };
        db.configure(&Simulator::start_with(options).expect("a loopback port is free"));
    }
    let mut domains: Vec<String> = lines(&mut db.superuser())
        .into_iter()
        .filter(|(_, setting, _)| setting == "auth.third_party.clerk")
        .map(|(_, _, line)| line)
        .collect();
    domains.sort();
    assert_eq!(
        domains,
        [
            "[auth.third_party.clerk]\nenabled = true\ndomain = \"brave-cat-1.clerk.accounts.dev\"",
            "[auth.third_party.clerk]\nenabled = true\ndomain = \"clerk.example.com\"",
        ]
    );
}
