//! Headers, and times in them.

use std::thread;

use clerk_tests::Sql;
use postgres::types::Json;
use serde_json::{Value, json};

use super::{Way, counts, with, without};
use crate::scene::{Scene, now_seconds, user_created};

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
