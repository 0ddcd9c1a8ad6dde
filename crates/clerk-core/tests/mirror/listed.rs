//! Events that an administrator hands over.

use clerk_core::mirror::{content_id, instance_of, list_events};
use serde_json::json;

use crate::samples::{event, user};

#[test]
fn an_event_without_id_gets_that_of_its_content() {
    // echo -n '{}' | sha256sum
    assert_eq!(
        content_id("{}"),
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
    assert_ne!(content_id("{\"a\":1}"), content_id("{\"a\":2}"));
}

#[test]
fn events_come_bare_or_with_their_ids() {
    let bare = event("user.created", user("user_1")).to_string();
    let with_id = json!({"svix_id": "msg_1", "event": event("user.updated", user("user_1"))}).to_string();
    let without_id = json!({"event": {"type": "user.deleted"}}).to_string();
    let events = format!("[{bare}, {with_id},{without_id} ]");
    let listed = list_events(&events).unwrap();
    assert_eq!(listed[0], (None, bare.as_str()));
    assert_eq!(listed[1].0.as_deref(), Some("msg_1"));
    assert_eq!(listed[1].1, event("user.updated", user("user_1")).to_string());
    assert_eq!(listed[2], (None, "{\"type\":\"user.deleted\"}"));
    assert_eq!(list_events("[]"), Some(Vec::new()));
}

#[test]
fn an_event_may_have_a_member_called_event() {
    let events = "[{\"type\": \"user.created\", \"event\": {\"a\": 1}}]";
    assert_eq!(
        list_events(events),
        Some(vec![(None, &events[1..events.len() - 1])])
    );
}

#[test]
fn what_is_no_list_of_events_is_refused() {
    for events in ["", "{}", "7", "null", "[7]", "[[]]", "[{}, null]", "[{}", "[{}]]"] {
        assert_eq!(list_events(events), None, "{events}");
    }
}

#[test]
fn an_event_names_its_instance() {
    assert_eq!(
        instance_of(&event("user.created", user("user_1")).to_string()).as_deref(),
        Some("ins_1")
    );
    for event in [
        "{}",
        "[]",
        "",
        "{\"instance_id\": 7}",
        "{\"instance_id\": \"\"}",
        "{\"instance_id\": \"ins_1\"",
    ] {
        assert_eq!(instance_of(event), None, "{event}");
    }
}
