//! Which texts are a shared secret: none that is public, and every other reaches PostgREST as it was meant.

use clerk_sim::Simulator;
use clerk_tests::Sql;
use postgres::Client;
use serde_json::{Value, json};

use super::postgrest::Secret;
use super::{SECRET, connect, connect_with, connection, refusal, supabase, trusting};

/// A public key set of one's own: the public half of RFC 7517 A.1, as somebody's `JWT_JWKS` has it.
const PUBLIC: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"own","alg":"ES256","use":"sig"}]}"#;

/// Percent-encoded as by JavaScript's encodeURIComponent (ECMA-262 §19.2.6).
fn url_encoded(text: &str) -> String {
    let keeps = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    text.bytes()
        .map(|byte| match keeps(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn base64(session: &mut Client, text: &str) -> String {
    session.value_of(
        "SELECT translate(encode(convert_to($1, 'UTF8'), 'base64'), E'\\n', '')",
        &[&text],
    )
}

/// What is pasted with what stands around it in .env, a shell, YAML or a browser.
fn public_texts(session: &mut Client) -> Vec<String> {
    let pem = "-----BEGIN PUBLIC KEY----- MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A -----END PUBLIC KEY-----";
    let mut texts = vec![
        format!("'{PUBLIC}'"),
        format!("\"{PUBLIC}\""),
        format!("`{PUBLIC}`"),
        format!("JWT_JWKS={PUBLIC}"),
        format!("JWT_JWKS='{PUBLIC}'"),
        format!("PGRST_JWT_SECRET='{PUBLIC}'"),
        format!("PGRST_JWT_SECRET: {PUBLIC}"),
        format!("export PGRST_JWT_SECRET='{PUBLIC}'"),
        format!("\u{feff}{PUBLIC}"),
        format!("{PUBLIC},"),
        format!("JWT_SECRET={SECRET}"),
        url_encoded(PUBLIC),
        pem.to_owned(),
        format!("\"{}\"", pem.replace(' ', "\\n")),
        "<!DOCTYPE html><html><head><title>404: not found</title></head><body></body></html>".to_owned(),
        "https://clerk.example.com/.well-known/jwks.json".to_owned(),
    ];
    for inside in [PUBLIC, pem, &format!("'{PUBLIC}'"), &url_encoded(PUBLIC)] {
        let standard = base64(session, inside);
        texts.push(standard.trim_end_matches('=').replace('+', "-").replace('/', "_"));
        texts.push(base64(session, &standard));
        texts.push(format!("JWT_JWKS={standard}"));
        texts.push(standard);
    }
    texts
}

#[test]
fn a_public_text_never_becomes_a_shared_secret() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    for text in public_texts(&mut owner) {
        // The control: PostgREST would make an HS256 secret of it.
        assert_eq!(Secret::parse(&text), Ok(Secret::Password(text.clone())));
        let key_of_it = json!({"kty": "oct", "k": base64(&mut owner, &text).trim_end_matches('=').replace('+', "-").replace('/', "_")});
        for form in [text.clone(), key_of_it.to_string()] {
            let failure = refusal(&mut owner, Some(&form));
            assert_eq!(failure.sqlstate, "22023", "{form}: {failure:?}");
        }
        let encoded = base64(&mut owner, &text);
        let failure = owner.failure_of("SELECT clerk.connect_postgrest($1, true)", &[&encoded]);
        assert_eq!(failure.sqlstate, "22023", "{encoded}: {failure:?}");
    }
    assert_eq!(connection(&mut owner, "stored_at"), None);
}

/// The key set that PostgREST is given, without Clerk's key.
fn handed_over(owner: &mut Client) -> Vec<Value> {
    let given: String = owner.value("SELECT clerk.postgrest_key_set()");
    match Secret::parse(&given) {
        Ok(Secret::Keys(keys)) => keys.into_iter().filter(|key| key["kty"] != "RSA").collect(),
        other => panic!("{other:?} is no key set"),
    }
}

#[test]
fn secrets_and_keys_reach_postgrest_as_they_were_meant() {
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    let base64url = |owner: &mut Client, text: &str| {
        base64(owner, text)
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_")
    };
    let secrets = [
        SECRET,
        "0123456789abcdef0123456789abcdef",
        "550e8400-e29b-41d4-a716-446655440000",
        "correct.horse.battery.staple.correct.horse",
        "~tilde_and_under-score.and/slash+plus~~~",
        "JWT_SECRET_without_an_equals_sign_in_it",
        "export_is_the_beginning_of_this_secret",
        "postgres_is_the_beginning_of_this_secret",
        "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=",
        "/tz+y9qHZUMhEBEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=",
    ];
    for secret in secrets {
        connect_with(&mut owner, secret);
        let k = base64url(&mut owner, secret);
        assert_eq!(
            handed_over(&mut owner),
            [json!({"kty": "oct", "use": "sig", "alg": "HS256", "k": k})],
            "{secret}"
        );
    }
    // What is refused as text comes as a key.
    for secret in [
        "a secret with blanks, and more than 32 bytes",
        "'quoted-on-purpose-and-more-than-32-bytes'",
        "NAME=value-that-is-a-secret-all-the-same-ok",
        "pa$$word!%21#of-more-than-thirty-two-bytes",
        "export a-secret-that-begins-as-a-shell-does",
    ] {
        let failure = owner.failure_of("SELECT clerk.connect_postgrest($1)", &[&secret]);
        assert_eq!(failure.sqlstate, "22023", "{secret}: {failure:?}");
        assert!(
            failure.hint.is_some_and(|hint| hint.contains("\"kty\": \"oct\"")),
            "{secret}"
        );
        let key = json!({"kty": "oct", "use": "sig", "k": base64url(&mut owner, secret)});
        connect_with(&mut owner, &key.to_string());
        assert_eq!(handed_over(&mut owner), [key], "{secret}");
    }
    for kid in ["one", "another"] {
        let mut key = serde_json::from_str::<Value>(PUBLIC).expect("it is JSON")["keys"][0].take();
        key["kid"] = kid.into();
        for text in [key.to_string(), json!({"keys": [key.clone()]}).to_string()] {
            connect_with(&mut owner, &text);
            assert_eq!(handed_over(&mut owner), std::slice::from_ref(&key));
        }
    }
}

/// Judged by the same rule, whoever stored it, and before there was the rule.
#[test]
fn the_doctor_finds_a_public_text_that_is_a_secret_already() {
    const LOOK: &str = "SELECT array_agg(found || '|' || mend_as) FROM clerk.doctor_postgrest() WHERE \"check\" = 'no password' AND status <> 'ok'";
    let (cluster, clerk) = (supabase(), Simulator::start());
    let db = trusting(&cluster, &clerk);
    let mut owner = db.superuser();
    connect(&mut owner);
    assert_eq!(owner.value::<Option<Vec<String>>>(LOOK), None, "the control");
    for text in public_texts(&mut owner) {
        let k = base64(&mut owner, &text)
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_");
        owner
            .execute(
                "UPDATE clerk.postgrest_keys SET own_keys = jsonb_build_array(jsonb_build_object('kty', 'oct', 'use', 'sig', 'alg', 'HS256', 'k', $1::text)) WHERE true",
                &[&k],
            )
            .expect("the owner may");
        let found: Option<Vec<String>> = owner.value(LOOK);
        let found = found.unwrap_or_else(|| panic!("{text} is stored, and the doctor says ok"));
        assert!(
            found.len() == 1 && found[0].starts_with("the keys of your own"),
            "{found:?}"
        );
        assert!(!found[0].contains("MKBCTNIc"), "{found:?}");
    }
    connect(&mut owner);
    for text in public_texts(&mut owner)
        .into_iter()
        .filter(|text| !text.contains('\u{feff}'))
    {
        owner.run(&format!(
            "ALTER ROLE authenticator SET pgrst.jwt_secret = '{}'",
            text.replace('\'', "''")
        ));
        let found: Option<Vec<String>> = owner.value(LOOK);
        let found = found.unwrap_or_else(|| panic!("{text} is set, and the doctor says ok"));
        assert!(
            found.len() == 1 && found[0].starts_with("pgrst.jwt_secret"),
            "{found:?}"
        );
    }
}
