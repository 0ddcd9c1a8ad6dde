//! Deliveries that are broken, forged, strange or far too large: through SQL, and through the endpoint in PostgREST's transaction.
//! Each gets a clear answer, and the connection is as good as before.

use std::thread;

use clerk_tests::Sql;
use postgres::Client;
use postgres::types::Json;
use serde_json::{Value, json};

use crate::pooled::Pooled;
use crate::scene::{Scene, now_seconds, unique_id, user_created};

/// The two ways in.
enum Way {
    Sql(Client),
    Endpoint(Pooled),
}

impl Way {
    fn both(scene: &Scene) -> [Way; 2] {
        [Way::Sql(scene.db.superuser()), Way::Endpoint(scene.pooled())]
    }

    /// HTTP status, status and reason.
    fn deliver(&mut self, body: &str, headers: &Value) -> (u16, String, String) {
        let (http_status, answer) = match self {
            Way::Sql(client) => {
                let Json(answer): Json<Value> =
                    client.value_of("SELECT clerk.receive_webhook($1, $2)", &[&body, &Json(headers)]);
                (
                    answer["http_status"].as_u64().expect("it is a number") as u16,
                    answer,
                )
            }
            Way::Endpoint(pooled) => {
                let answer = pooled.deliver(body, headers);
                (answer.status, answer.body)
            }
        };
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        (http_status, text("status"), text("reason"))
    }

    /// Another delivery, a good one, is taken in.
    fn assert_alive(&mut self, scene: &Scene) {
        let body = user_created("user_alive");
        let answer = self.deliver(&body, &scene.headers(&unique_id(), &body));
        assert!(answer.0 == 200 && answer.2.is_empty(), "{answer:?}");
    }
}

fn with(headers: &Value, name: &str, value: Value) -> Value {
    let mut headers = headers.clone();
    headers[name] = value;
    headers
}

fn without(headers: &Value, name: &str) -> Value {
    let mut headers = headers.clone();
    headers.as_object_mut().expect("an object").remove(name);
    headers
}

fn counts(owner: &mut Client) -> (i64, i64) {
    let row = owner
        .query_one(
            "SELECT (SELECT count(*) FROM clerk.webhook_events), (SELECT count(*) FROM clerk.users WHERE id <> 'user_alive')",
            &[],
        )
        .expect("tables can be counted");
    (row.get(0), row.get(1))
}

#[test]
fn headers_that_no_sender_writes() {
    let scene = Scene::new();
    let body = user_created("user_ada");
    let good = scene.headers("msg_1", &body);
    let signature = good["svix-signature"].as_str().expect("there is one");
    let mut cases: Vec<(Value, u16, &str)> = vec![
        (json!({}), 400, "webhook-headers-missing"),
        (
            with(&good, "svix-timestamp", json!("soon")),
            400,
            "webhook-timestamp-invalid",
        ),
        (
            with(&good, "svix-timestamp", json!("-1")),
            400,
            "webhook-timestamp-invalid",
        ),
        (
            with(&good, "svix-timestamp", json!("1e9")),
            400,
            "webhook-timestamp-invalid",
        ),
        (
            with(&good, "svix-timestamp", json!("99999999999999999999")),
            400,
            "webhook-timestamp-invalid",
        ),
        (
            with(&good, "svix-timestamp", json!(now_seconds())),
            400,
            "webhook-headers-invalid",
        ),
        (
            with(&good, "svix-id", json!("msg_2")),
            401,
            "webhook-signature-mismatch",
        ),
        (
            with(&good, "svix-id", json!("msg.1")),
            400,
            "webhook-headers-invalid",
        ),
        (
            with(&good, "svix-id", json!("msg\n1")),
            400,
            "webhook-headers-invalid",
        ),
        (
            with(&good, "svix-id", json!("x".repeat(300))),
            400,
            "webhook-headers-invalid",
        ),
        (
            with(&good, "svix-signature", json!("v1,")),
            401,
            "webhook-signature-mismatch",
        ),
        (
            with(&good, "svix-signature", json!("v1")),
            401,
            "webhook-signature-mismatch",
        ),
        (
            with(&good, "svix-signature", json!("v2,AAAA")),
            401,
            "webhook-signature-mismatch",
        ),
        (
            with(&good, "svix-signature", json!(format!("{signature}="))),
            401,
            "webhook-signature-mismatch",
        ),
        (
            with(&good, "svix-signature", json!(signature.to_lowercase())),
            401,
            "webhook-signature-mismatch",
        ),
        (
            with(&good, "svix-signature", json!("v1,x ".repeat(2_000))),
            400,
            "webhook-headers-invalid",
        ),
        // Repeated: by another spelling, or folded into one by a proxy.
        (
            with(&good, "SVIX-ID", json!("msg_2")),
            400,
            "webhook-headers-invalid",
        ),
        (
            with(&good, "Svix-Timestamp", json!("1")),
            400,
            "webhook-headers-invalid",
        ),
        (
            with(&good, "svix-id", json!("msg_1, msg_1")),
            401,
            "webhook-signature-mismatch",
        ),
        (
            with(&good, "svix-id", json!(["msg_1", "msg_1"])),
            400,
            "webhook-headers-invalid",
        ),
    ];
    for name in ["svix-id", "svix-timestamp", "svix-signature"] {
        cases.push((without(&good, name), 400, "webhook-headers-missing"));
        for empty in [json!(""), json!("  "), Value::Null] {
            cases.push((with(&good, name, empty), 400, "webhook-headers-missing"));
        }
    }
    for mut way in Way::both(&scene) {
        for (headers, status, reason) in &cases {
            let answer = way.deliver(&body, headers);
            assert_eq!(
                answer,
                (*status, "rejected".to_owned(), reason.to_string()),
                "{headers}"
            );
        }
        // A second before: a good one repeated in the same words is no fault.
        let repeated = with(&good, "SVIX-ID", json!("msg_1"));
        assert_eq!(way.deliver(&body, &repeated).0, 200);
        way.assert_alive(&scene);
    }
    assert_eq!(
        counts(&mut scene.db.superuser()).1,
        1,
        "nothing of what was refused is there"
    );
}

#[test]
fn times_that_are_too_far_away() {
    let scene = Scene::new();
    let body = user_created("user_ada");
    for mut way in Way::both(&scene) {
        for (age, reason) in [
            (301, "webhook-timestamp-expired"),
            // By as much as the machine may take until it looks.
            (-361, "webhook-timestamp-in-the-future"),
            (10_000_000, "webhook-timestamp-expired"),
            (-10_000_000_000, "webhook-timestamp-in-the-future"),
        ] {
            let headers = scene.secret.headers("msg_1", now_seconds() - age, &body);
            let answer = way.deliver(&body, &headers);
            assert_eq!(answer, (400, "rejected".to_owned(), reason.to_owned()), "{age}");
        }
        way.assert_alive(&scene);
    }
    assert_eq!(counts(&mut scene.db.superuser()), (2, 0));
}

#[test]
fn bodies_other_than_those_that_were_signed() {
    let scene = Scene::new();
    let body = user_created("user_ada");
    let headers = scene.headers("msg_1", &body);
    let value: Value = serde_json::from_str(&body).expect("it is JSON");
    let changed = [
        body.replace("Ada", "Bda"),
        format!("{body} "),
        format!(" {body}"),
        format!("{body}\n"),
        body[..body.len() - 1].to_owned() + " }",
        serde_json::to_string_pretty(&value).expect("it can be written"),
        "{}".to_owned(),
        "null".to_owned(),
    ];
    for mut way in Way::both(&scene) {
        for other in &changed {
            assert_ne!(other, &body);
            let answer = way.deliver(other, &headers);
            let mismatch = (
                401,
                "rejected".to_owned(),
                "webhook-signature-mismatch".to_owned(),
            );
            assert_eq!(answer, mismatch, "{other}");
        }
        way.assert_alive(&scene);
    }
    // Nothing at all, which is no JSON and does not get past PostgREST.
    let mut sql = Way::Sql(scene.db.superuser());
    assert_eq!(sql.deliver("", &headers).2, "webhook-signature-mismatch");
    assert_eq!(counts(&mut scene.db.superuser()), (2, 0));
}

/// A body of exactly so many bytes.
fn sized(bytes: usize) -> String {
    let empty = user_created("user_big").replace("Ada", "");
    user_created("user_big").replace("Ada", &"x".repeat(bytes - empty.len()))
}

#[test]
fn a_mebibyte_is_enough() {
    let scene = Scene::new();
    for mut way in Way::both(&scene) {
        for bytes in [(1 << 20) + 1, 2 << 20, 16 << 20] {
            let body = sized(bytes);
            assert_eq!(body.len(), bytes);
            let answer = way.deliver(&body, &scene.headers("msg_big", &body));
            assert_eq!(
                answer,
                (413, "rejected".to_owned(), "webhook-too-large".to_owned()),
                "{bytes}"
            );
        }
        let body = sized(1 << 20);
        let answer = way.deliver(&body, &scene.headers(&unique_id(), &body));
        assert_eq!((answer.0, answer.2.as_str()), (200, ""), "as much as may be");
        way.assert_alive(&scene);
    }
}

/// Signed, and strange: kept, whichever way it came.
#[test]
fn strange_bodies_are_kept() {
    let scene = Scene::new();
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let user = |data: &str| format!(r#"{{"type":"user.created","timestamp":1750000000000,"data":{data}}}"#);
    let later = (now_seconds() + 2 * 24 * 3600) * 1000;
    let cases: Vec<(String, &str, &str)> = vec![
        ("[]".to_owned(), "ignored", "not-an-object"),
        ("\"text\"".to_owned(), "ignored", "not-an-object"),
        ("17".to_owned(), "ignored", "not-an-object"),
        ("null".to_owned(), "ignored", "not-an-object"),
        ("{}".to_owned(), "ignored", "no-type"),
        (
            r#"{"type":7,"data":{"id":"user_1"}}"#.to_owned(),
            "ignored",
            "no-type",
        ),
        (r#"{"type":"user.created"}"#.to_owned(), "ignored", "no-data"),
        (
            r#"{"type":"user.created","data":"user_1"}"#.to_owned(),
            "ignored",
            "no-data",
        ),
        (user(r#"{"object":"user"}"#), "ignored", "no-id"),
        (user(r#"{"id":""}"#), "ignored", "no-id"),
        (
            r#"{"type":"user.created","instance_id":"ins_dashboard","data":{"id":"user_1"}}"#.to_owned(),
            "ignored",
            "foreign-instance",
        ),
        (
            format!(r#"{{"type":"user.created","timestamp":{later},"data":{{"id":"user_1"}}}}"#),
            "ignored",
            "event-from-the-future",
        ),
        (
            user(&format!(r#"{{"id":"user_1","updated_at":{later}}}"#)),
            "ignored",
            "event-from-the-future",
        ),
        (
            user(r#"{"id":"user_nul","first_name":"a\u0000b"}"#),
            "applied",
            "",
        ),
        (
            user(r#"{"id":"user_lone","first_name":"\udfff \ud800"}"#),
            "applied",
            "",
        ),
        (
            user(r#"{"id":"user_no","id":"user_twice","first_name":"a","first_name":"b"}"#),
            "applied",
            "",
        ),
        (
            user(r#"{"id":"user_number","public_metadata":{"n":1e400000,"m":-1e-400000}}"#),
            "applied",
            "",
        ),
        (
            user(&format!(
                r#"{{"id":"user_deep","public_metadata":{{"a":{}}}}}"#,
                deep(500)
            )),
            "applied",
            "",
        ),
        (
            user(
                r#"{"id":"user_null","public_metadata":null,"private_metadata":null,"unsafe_metadata":null}"#,
            ),
            "applied",
            "",
        ),
        (
            user(r#"{"id":"user_mailless","email_addresses":[],"primary_email_address_id":null}"#),
            "applied",
            "",
        ),
    ];
    let mut owner = scene.db.superuser();
    for mut way in Way::both(&scene) {
        for (body, status, reason) in &cases {
            let svix_id = unique_id();
            let answer = way.deliver(body, &scene.headers(&svix_id, body));
            // Who came the first way is known the second.
            let is_known = *status == "applied" && answer.1 == "stale";
            assert!(is_known || answer.1 == *status, "{body}: {answer:?}");
            assert_eq!((answer.0, answer.2.as_str()), (200, *reason), "{body}");
            let kept: String = owner.value_of(
                "SELECT state FROM clerk.webhook_events WHERE svix_id = $1",
                &[&svix_id],
            );
            assert_eq!(kept, answer.1, "{body}");
        }
        way.assert_alive(&scene);
    }
    let users: Vec<String> =
        owner.value("SELECT array_agg(id ORDER BY id) FROM clerk.existing_users WHERE id <> 'user_alive'");
    assert_eq!(
        users,
        [
            "user_deep",
            "user_lone",
            "user_mailless",
            "user_nul",
            "user_null",
            "user_number",
            "user_twice"
        ]
    );
}

/// What a client that is not PostgREST may have left in `request.headers`.
#[test]
fn headers_that_are_no_headers() {
    let scene = Scene::new();
    let mut anon = scene.db.connect("anon");
    for headers in ["", "no json", "[]", "null", "17", "{\"svix-id\":", "\u{1f600}"] {
        anon.execute("SELECT set_config('request.headers', $1, false)", &[&headers])
            .expect("it can be set");
        let Json(answer): Json<Value> = anon.value("SELECT public.clerk_webhook('{}')");
        assert_eq!(answer["status"], "rejected", "{headers}: {answer}");
        assert_eq!(answer["http_status"], 400, "{headers}: {answer}");
    }
    let Json(answer): Json<Value> = anon.value("SELECT public.clerk_webhook(NULL)");
    assert_eq!(answer["status"], "rejected", "{answer}");
}

/// Anybody can send refused deliveries, as many as they like, over as many connections.
#[test]
fn refusals_fill_no_table() {
    let scene = Scene::new();
    let body = user_created("user_ada");
    let minute = "SELECT date_trunc('minute', clock_timestamp())::text";
    let mut owner = scene.db.superuser();
    let began: String = owner.value(minute);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut pooled = scene.pooled();
                for _ in 0..50 {
                    let expired = scene.secret.headers("msg_1", now_seconds() - 400, &body);
                    let forged = with(&scene.headers("msg_1", &body), "svix-id", json!("msg_2"));
                    for headers in [&json!({}), &expired, &forged] {
                        assert_eq!(pooled.deliver(&body, headers).body["status"], "rejected");
                    }
                }
            });
        }
    });
    let ended: String = owner.value(minute);
    let minutes: i64 = owner.value_of(
        "SELECT 1 + (extract(epoch FROM $2::text::timestamptz - $1::text::timestamptz) / 60)::bigint",
        &[&began, &ended],
    );
    let (rows, most): (i64, i64) = {
        let row = owner
            .query_one(
                "SELECT count(*), max(n) FROM (SELECT reason, minute, count(*) AS n FROM clerk.webhook_rejections GROUP BY 1, 2) AS r",
                &[],
            )
            .expect("rejections can be counted");
        (row.get(0), row.get(1))
    };
    assert_eq!(most, 1);
    assert!(
        rows >= 3 && rows <= 3 * minutes,
        "{rows} rows in {minutes} minutes"
    );
    assert_eq!(counts(&mut owner), (0, 0));
}
