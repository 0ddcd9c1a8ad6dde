//! The rules of `verify_webhook` as SQL sees them, and the answers of `receive_webhook` in full.

use clerk_tests::{Failure, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

use crate::scene::{INSTANCE, ISSUER, Scene, Secret, now_seconds, unique_id, user_created};

fn verify(client: &mut Client, body: &str, headers: &Value) -> Result<Value, Failure> {
    match client.query_one("SELECT clerk.verify_webhook($1, $2)", &[&body, &Json(headers)]) {
        Ok(row) => {
            let Json(event) = row.get(0);
            Ok(event)
        }
        Err(error) => Err(error.into()),
    }
}

fn receive(client: &mut Client, body: &str, headers: &Value) -> Value {
    let Json(answer) = client.value_of("SELECT clerk.receive_webhook($1, $2)", &[&body, &Json(headers)]);
    answer
}

/// The three headers alone, under these names.
fn renamed(headers: &Value, rename: impl Fn(&str) -> String) -> Value {
    let mut renamed = json!({});
    for name in ["svix-id", "svix-timestamp", "svix-signature"] {
        renamed[rename(name)] = headers[name].clone();
    }
    renamed
}

#[test]
fn both_families_of_names_count_in_any_case() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    let body = user_created("user_ada");
    let headers = scene.headers("msg_1", &body);
    let families: [fn(&str) -> String; 4] = [
        |name| name.to_owned(),
        |name| name.to_uppercase(),
        |name| name.replace("svix", "webhook"),
        |name| name.replace("svix", "WebHook"),
    ];
    for rename in families {
        let headers = renamed(&headers, rename);
        let event =
            verify(&mut owner, &body, &headers).unwrap_or_else(|failure| panic!("{headers}: {failure:?}"));
        assert_eq!(event["data"]["id"], "user_ada");
        // Half of the one and half of the other is neither.
        let mut mixed = headers.clone();
        let id = mixed.as_object_mut().expect("an object");
        let (name, value) = id
            .iter()
            .next()
            .map(|(name, value)| (name.clone(), value.clone()))
            .expect("three");
        id.remove(&name);
        let other = if name.to_lowercase().starts_with("svix") {
            name.to_lowercase().replace("svix", "webhook")
        } else {
            name.to_lowercase().replace("webhook", "svix")
        };
        mixed[other] = value;
        let refusal = verify(&mut owner, &body, &mixed).expect_err("a mixture is refused");
        assert_eq!(refusal.refusal(), ("28", "webhook-headers-missing"), "{mixed}");
    }
}

#[test]
fn any_active_secret_of_any_instance_will_do() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    let (rotated, elsewhere) = (Secret::new(), Secret::new());
    rotated.add(&mut owner);
    owner.run("SELECT clerk.configure(issuer => 'https://other.test', jwks_url => '', instance_id => 'ins_other', additional => true)");
    elsewhere.add_to(&mut owner, "https://other.test");
    let body = user_created("user_ada");
    for secret in [&scene.secret, &rotated, &elsewhere] {
        verify(&mut owner, &body, &secret.headers("msg_1", now_seconds(), &body)).expect("it is signed");
    }
    // A sender that rotates signs with both; what it may say besides is no signature of ours.
    let mut headers = rotated.headers("msg_1", now_seconds(), &body);
    let signature = headers["svix-signature"]
        .as_str()
        .expect("there is one")
        .to_owned();
    headers["svix-signature"] = format!("v1,AAAA v1a,{} v2,x {signature}", &signature[3..]).into();
    verify(&mut owner, &body, &headers).expect("one of them is good");
    for bad in [
        format!("v1a,{}", &signature[3..]),
        signature[3..].to_owned(),
        "v1,".to_owned(),
        "v1".to_owned(),
    ] {
        headers["svix-signature"] = bad.into();
        let refusal = verify(&mut owner, &body, &headers).expect_err("none of them is good");
        assert_eq!(refusal.refusal(), ("28", "webhook-signature-mismatch"));
    }
    for empty in ["", "whsec_", "whsec_AAAA", " "] {
        let failure = owner.failure_of(
            "SELECT clerk.add_webhook_signing_secret($1, $2)",
            &[&empty, &ISSUER],
        );
        assert_eq!(failure.sqlstate, "22023", "{empty:?}");
    }
    owner.run("SELECT clerk.drop_webhook_signing_secret(fingerprint) FROM clerk.webhook_signing_secrets()");
    let refusal = verify(&mut owner, &body, &scene.headers("msg_1", &body)).expect_err("nothing is good now");
    assert_eq!(refusal.refusal(), ("28", "webhook-secret-missing"));
}

#[test]
fn five_minutes_either_way_and_not_more() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    let body = user_created("user_ada");
    // Within, with time for a slow machine; without, to the second.
    for (age, verdict) in [
        (0, ""),
        (240, ""),
        (-299, ""),
        (301, "webhook-timestamp-expired"),
        (-360, "webhook-timestamp-in-the-future"),
        (100_000_000, "webhook-timestamp-expired"),
    ] {
        let headers = scene.secret.headers("msg_1", now_seconds() - age, &body);
        match verify(&mut owner, &body, &headers) {
            Ok(_) => assert_eq!(verdict, "", "{age} s old"),
            Err(refusal) => assert_eq!(refusal.refusal(), ("28", verdict), "{age} s old"),
        }
    }
}

#[test]
fn verifying_gives_the_event_and_stores_nothing() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    let body = r#" {"type":"user.created","data":{"id":"user_ada","first_name":"A\u0000\ud800","n":1e400000,"id":"user_bob"}} "#;
    let event = verify(&mut owner, body, &scene.headers("msg_1", body)).expect("it is signed");
    let expected = json!({"type": "user.created", "data": {"id": "user_bob", "first_name": "A\u{fffd}\u{fffd}", "n": "1e400000"}});
    assert_eq!(event, expected);
    let failure =
        verify(&mut owner, "no json", &scene.headers("msg_1", "no json")).expect_err("it is no JSON");
    assert_eq!(failure.sqlstate, "22023", "{failure:?}");
    let nothing: bool = owner.value(
        "SELECT clerk.verify_webhook(NULL, '{}') IS NULL AND clerk.verify_webhook('{}', NULL) IS NULL",
    );
    assert!(nothing);
    for _ in 0..2 {
        verify(&mut owner, "{}", &json!({})).expect_err("there are no headers");
    }
    owner.run("BEGIN READ ONLY");
    verify(&mut owner, body, &scene.headers("msg_1", body)).expect("reading is enough");
    owner.run("COMMIT");
    let stored: i64 = owner.value(
        "SELECT (SELECT count(*) FROM clerk.webhook_events) + (SELECT count(*) FROM clerk.webhook_rejections)
              + (SELECT count(*) FROM clerk.users) + (SELECT count(*) FROM clerk.secret_uses)",
    );
    assert_eq!(stored, 0);
}

#[test]
fn every_answer_says_what_became_of_the_delivery() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    let body = user_created("user_ada");
    let about = |status: &str| json!({"status": status, "http_status": 200, "svix_id": "msg_1", "type": "user.created", "subject_id": "user_ada"});
    assert_eq!(
        receive(&mut owner, &body, &scene.headers("msg_1", &body)),
        about("applied")
    );
    // The same delivery again, and another body under the same id: what counts is the id, as Svix says.
    let mut duplicate = about("duplicate");
    duplicate["state"] = "applied".into();
    assert_eq!(
        receive(&mut owner, &body, &scene.headers("msg_1", &body)),
        duplicate
    );
    let other = user_created("user_bob");
    assert_eq!(
        receive(&mut owner, &other, &scene.headers("msg_1", &other)),
        duplicate
    );
    let stored: (i64, i64) = {
        let row = owner
            .query_one(
                "SELECT (SELECT count(*) FROM clerk.webhook_events), (SELECT count(*) FROM clerk.users)",
                &[],
            )
            .expect("tables can be counted");
        (row.get(0), row.get(1))
    };
    assert_eq!(stored, (1, 1), "it changed nothing");

    let foreign = body.replace(INSTANCE, "ins_dashboard");
    assert_eq!(
        receive(&mut owner, &foreign, &scene.headers("msg_2", &foreign)),
        json!({
            "status": "ignored", "http_status": 200, "svix_id": "msg_2", "type": "user.created", "subject_id": "user_ada",
            "reason": "foreign-instance",
        })
    );
    let mut known = receive(&mut owner, &foreign, &scene.headers("msg_2", &foreign));
    assert_eq!(known["status"], "duplicate");
    assert_eq!(known["state"].take(), "ignored");

    let refused = receive(&mut owner, &body, &json!({}));
    assert_eq!(
        refused,
        json!({
            "status": "rejected", "http_status": 400, "reason": "webhook-headers-missing",
            "message": "missing or empty: svix-id, svix-timestamp, svix-signature",
        })
    );
}

#[test]
fn nothing_that_is_given_raises() {
    let scene = Scene::new();
    let mut owner = scene.db.superuser();
    for (body, headers) in [
        ("NULL", "NULL"),
        ("NULL", "'{}'"),
        ("'{}'", "NULL"),
        ("''", "'null'"),
        ("'{}'", "'[]'"),
        ("'{}'", "'\"svix-id\"'"),
        (
            "'{}'",
            "'{\"svix-id\": {}, \"svix-timestamp\": [], \"svix-signature\": 1}'",
        ),
    ] {
        let answer: Value = {
            let Json(answer) = owner.value(&format!("SELECT clerk.receive_webhook({body}, {headers})"));
            answer
        };
        assert_eq!(answer["status"], "rejected", "{body}, {headers}: {answer}");
        assert_eq!(answer["http_status"], 400, "{body}, {headers}: {answer}");
    }
    let body = user_created("user_ada");
    assert_eq!(
        receive(&mut owner, &body, &scene.headers(&unique_id(), &body))["status"],
        "applied"
    );
}
