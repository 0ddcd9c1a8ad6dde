//! Bodies that Clerk signed and that are strange all the same: each is kept, answered, and harms nothing.

use clerk_sim::{Event, Resource};
use clerk_tests::{Cluster, Sql};
use postgres::Client;
use serde_json::{Value, json};

use crate::scene::{Scene, now_seconds};

fn event(svix_id: &str, body: String) -> Event {
    Event {
        svix_id: svix_id.to_owned(),
        event_type: String::new(),
        timestamp_ms: 0,
        body,
    }
}

fn user_event(data: &str) -> String {
    format!(
        r#"{{"type":"user.updated","object":"event","timestamp":{},"data":{data}}}"#,
        now_seconds() * 1000
    )
}

fn rows(client: &mut Client) -> i64 {
    Resource::ALL
        .iter()
        .map(|resource| client.value::<i64>(&format!("SELECT count(*) FROM clerk.{resource}")))
        .sum()
}

#[test]
fn what_is_no_event_of_ours_is_kept_and_ignored() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let ahead = (now_seconds() + 366 * 24 * 3600) * 1000;
    let cases = [
        ("empty", String::new(), "not-json"),
        ("not-json", "type=user.created".to_owned(), "not-json"),
        (
            "cut-short",
            r#"{"type":"user.created","data":{"id":"#.to_owned(),
            "not-json",
        ),
        ("array", "[]".to_owned(), "not-an-object"),
        ("scalar", "true".to_owned(), "not-an-object"),
        ("no-type", r#"{"data":{"id":"user_1"}}"#.to_owned(), "no-type"),
        ("no-data", r#"{"type":"user.created"}"#.to_owned(), "no-data"),
        (
            "null-data",
            r#"{"type":"user.created","data":null}"#.to_owned(),
            "no-data",
        ),
        ("no-id", user_event(r#"{"object":"user"}"#), "no-id"),
        (
            "stub-without-id",
            r#"{"type":"user.deleted","timestamp":1750000000000,"data":{"deleted":true}}"#.to_owned(),
            "no-id",
        ),
        ("number-as-id", user_event(r#"{"id":7}"#), "no-id"),
        (
            "unknown-type",
            r#"{"type":"user.teleported","data":{"id":"user_1"}}"#.to_owned(),
            "unknown-type",
        ),
        (
            "email",
            r#"{"type":"email.created","data":{"id":"ema_1","body":"your code is 424242"}}"#.to_owned(),
            "not-mirrored",
        ),
        (
            "foreign",
            r#"{"type":"user.created","instance_id":"ins_other","data":{"id":"user_1"}}"#.to_owned(),
            "foreign-instance",
        ),
        (
            "future",
            format!(r#"{{"type":"user.created","timestamp":{ahead},"data":{{"id":"user_1"}}}}"#),
            "event-from-the-future",
        ),
    ];
    for (svix_id, body, reason) in &cases {
        let answer = scene.deliver(&mut client, &event(svix_id, body.clone()));
        assert_eq!(
            (&answer["status"], &answer["reason"], &answer["http_status"]),
            (&json!("ignored"), &json!(reason), &json!(200)),
            "{svix_id}: {answer}"
        );
        let kept: String = client.value_of(
            "SELECT state FROM clerk.webhook_events WHERE svix_id = $1",
            &[svix_id],
        );
        assert_eq!(kept, "ignored", "{svix_id}");
    }
    assert_eq!(rows(&mut client), 0, "none of them made a row");
    let codes: i64 = client.value("SELECT count(*) FROM clerk.webhook_events WHERE payload LIKE '%424242%'");
    assert_eq!(codes, 0, "one-time codes are not kept");
}

#[test]
fn what_is_an_event_of_ours_is_applied_however_it_is_written() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let cases: Vec<(&str, String, Value)> = vec![
        (
            "nul",
            user_event(r#"{"id":"user_nul","first_name":"A\u0000B"}"#),
            json!("A\u{fffd}B"),
        ),
        (
            "surrogate",
            user_event(r#"{"id":"user_surrogate","first_name":"\ud800x"}"#),
            json!("\u{fffd}x"),
        ),
        (
            "emoji",
            user_event(r#"{"id":"user_emoji","first_name":"\ud83d\ude00"}"#),
            json!("😀"),
        ),
        (
            "doubled",
            user_event(r#"{"id":"user_doubled","first_name":"first","first_name":"last"}"#),
            json!("last"),
        ),
        (
            "huge-number",
            user_event(r#"{"id":"user_huge","first_name":"n","unsafe_metadata":{"n":1e400000}}"#),
            json!("n"),
        ),
        (
            "null-metadata",
            user_event(r#"{"id":"user_null","first_name":"n","public_metadata":null}"#),
            json!("n"),
        ),
        (
            "no-email",
            user_event(
                r#"{"id":"user_mailless","first_name":"n","email_addresses":[],"primary_email_address_id":null}"#,
            ),
            json!("n"),
        ),
        (
            "wrong-types",
            user_event(
                r#"{"id":"user_wrong","first_name":7,"banned":"no","created_at":"then","email_addresses":{}}"#,
            ),
            Value::Null,
        ),
        (
            "deep",
            user_event(&format!(
                r#"{{"id":"user_deep","first_name":"n","unsafe_metadata":{{"a":{}}}}}"#,
                deep(500)
            )),
            json!("n"),
        ),
        (
            "seconds",
            r#"{"type":"user.updated","timestamp":1716883200,"data":{"id":"user_seconds","first_name":"n"}}"#
                .to_owned(),
            json!("n"),
        ),
        (
            "spaced",
            format!(
                "\r\n\t {} ",
                user_event(r#"{ "id" : "user_spaced" , "first_name" : "n" }"#)
            ),
            json!("n"),
        ),
    ];
    for (svix_id, body, first_name) in &cases {
        let answer = scene.deliver(&mut client, &event(svix_id, body.clone()));
        assert_eq!(answer["status"], "applied", "{svix_id}: {answer}");
        let subject = answer["subject_id"].as_str().expect("it has an id").to_owned();
        let stored: Option<String> =
            client.value_of("SELECT first_name FROM clerk.users WHERE id = $1", &[&subject]);
        assert_eq!(json!(stored), *first_name, "{svix_id}");
    }
    let number: String =
        client.value("SELECT data #>> '{unsafe_metadata,n}' FROM clerk.users WHERE id = 'user_huge'");
    assert_eq!(number, "1e400000", "kept as it was written");
}

#[test]
fn nesting_that_postgres_cannot_hold_is_kept_for_later() {
    let scene = Scene::on(Cluster::shared());
    let mut client = scene.db.superuser();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = user_event(&format!(r#"{{"id":"user_deep","unsafe_metadata":{deep}}}"#));
    let answer = scene.deliver(&mut client, &event("deep", body));
    assert_eq!(
        (&answer["status"], &answer["reason"]),
        (&json!("failed"), &json!("54001")),
        "{answer}"
    );
    assert_eq!(rows(&mut client), 0, "nothing is half applied");
    let alive: i32 = client.value("SELECT 1");
    assert_eq!(alive, 1);
}
