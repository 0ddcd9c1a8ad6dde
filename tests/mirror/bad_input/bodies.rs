//! Bodies.

use clerk_tests::Sql;
use serde_json::Value;

use super::{Way, counts};
use crate::scene::{Scene, now_seconds, unique_id, user_created};

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
