//! What is strange, broken or hostile gets a clear answer and touches nothing.

use clerk_core::mirror::{Event, Ignored, Policy};
use serde_json::{Value, json};

use crate::reading::{columns, data, every_resource, micros, observe, payload};
use crate::samples::{AT, event, membership, session, user, with, without};

const DAY: i64 = 24 * 3600 * 1000;

/// Why a body is not applied, if so.
fn ignored(body: &str) -> Option<Ignored> {
    match Event::parse(body, micros(AT)) {
        Ok(event) => event.ignored(&every_resource(), &["ins_1"], micros(AT)),
        Err(ignored) => Some(ignored),
    }
}

fn ignored_event(body: &Value) -> Option<Ignored> {
    ignored(&body.to_string())
}

#[test]
fn what_is_no_json() {
    let cut = event("user.created", user("user_1")).to_string();
    let long = "x".repeat(2 * 1024 * 1024);
    let cases = [
        "",
        " ",
        "nul",
        "user",
        "{",
        "{}{}",
        "[1,]",
        "{\"a\":1,}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":1e}",
        "\u{feff}{}",
        "{\"a\":\"\u{0}\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "NaN",
        "{\"a\":1e99999.5}",
        &cut[..cut.len() - 1],
        &long,
    ];
    for body in cases {
        assert_eq!(ignored(body), Some(Ignored::NotJson), "{:.40}", body);
    }
}

#[test]
fn what_is_no_object() {
    let long = format!("\"{}\"", "x".repeat(2 * 1024 * 1024));
    for body in [
        "[]",
        "[{\"type\":\"user.created\"}]",
        "null",
        "true",
        "7",
        "\"user.created\"",
        "1e400000",
        &long,
    ] {
        assert_eq!(ignored(body), Some(Ignored::NotAnObject), "{body:.40}");
    }
}

#[test]
fn no_type() {
    for event_type in [
        json!(null),
        json!(7),
        json!(["user.created"]),
        json!(""),
        json!("t".repeat(256)),
    ] {
        let body = with(event("", user("user_1")), json!({ "type": event_type }));
        assert_eq!(ignored_event(&body), Some(Ignored::NoType), "{event_type:.20}");
    }
    assert_eq!(
        ignored_event(&without(event("", user("user_1")), "type")),
        Some(Ignored::NoType)
    );
    assert_eq!(ignored("{}"), Some(Ignored::NoType));
}

#[test]
fn no_data() {
    for data in [
        json!(null),
        json!([]),
        json!("user_1"),
        json!(7),
        json!([user("user_1")]),
    ] {
        assert_eq!(ignored_event(&event("user.created", data)), Some(Ignored::NoData));
    }
    let body = without(event("user.created", user("user_1")), "data");
    assert_eq!(ignored_event(&body), Some(Ignored::NoData));
}

#[test]
fn no_id() {
    for id in [
        json!(null),
        json!(""),
        json!(7),
        json!({"id": "user_1"}),
        json!("i".repeat(256)),
    ] {
        let body = event("user.created", with(user("user_1"), json!({ "id": id })));
        assert_eq!(ignored_event(&body), Some(Ignored::NoId), "{id:.20}");
        let text = body.to_string();
        assert_eq!(
            Event::parse(&text, 0).unwrap().observations(&every_resource()),
            []
        );
    }
    let body = event(
        "user.created",
        with(user("user_1"), json!({"id": "i".repeat(255)})),
    );
    assert_eq!(ignored_event(&body), None);
}

#[test]
fn another_instance() {
    let body = with(
        event("user.created", user("user_1")),
        json!({"instance_id": "ins_2"}),
    )
    .to_string();
    let ignored = |own: &[&str]| {
        Event::parse(&body, 0)
            .unwrap()
            .ignored(&Policy::default(), own, micros(AT))
    };
    assert_eq!(ignored(&["ins_1"]), Some(Ignored::ForeignInstance));
    assert_eq!(ignored(&["ins_1", "ins_2"]), None);
    assert_eq!(ignored(&[]), None, "not configured: any");
    for own in [json!(null), json!("")] {
        let body = with(
            event("user.created", user("user_1")),
            json!({ "instance_id": own }),
        );
        assert_eq!(ignored_event(&body), None, "old events name none");
    }
}

#[test]
fn times_in_the_future() {
    let at = |timestamp: i64| {
        with(
            event("user.created", user("user_1")),
            json!({ "timestamp": timestamp }),
        )
    };
    assert_eq!(ignored_event(&at(AT + DAY)), None, "a clock may be wrong");
    assert_eq!(ignored_event(&at(AT + DAY + 1)), Some(Ignored::FromTheFuture));
    assert_eq!(
        ignored_event(&at((AT + 2 * DAY) / 1000)),
        Some(Ignored::FromTheFuture),
        "in seconds"
    );

    let updated = |updated_at: i64| json!({ "updated_at": updated_at });
    let own = |updated_at: i64| event("user.updated", with(user("user_1"), updated(updated_at)));
    assert_eq!(ignored_event(&own(AT + DAY)), None);
    assert_eq!(ignored_event(&own(AT + DAY + 1)), Some(Ignored::FromTheFuture));
}

/// No event may bar the row of something else either.
#[test]
fn versions_in_the_future_inside_an_object() {
    let future = json!({"updated_at": AT + 2 * DAY});
    let organization = with(crate::samples::organization("org_1"), future.clone());
    let member = with(
        membership("orgmem_1", "org_1", "user_1"),
        json!({ "organization": organization }),
    );
    assert_eq!(
        ignored_event(&event("organizationMembership.deleted", member.clone())),
        Some(Ignored::FromTheFuture)
    );
    let user = with(user("user_1"), json!({"organization_memberships": [member]}));
    assert_eq!(
        ignored_event(&event("user.updated", user)),
        Some(Ignored::FromTheFuture)
    );
    let session = with(
        session(),
        json!({"user": with(crate::samples::user("user_1"), future)}),
    );
    assert_eq!(
        ignored_event(&event("session.created", session)),
        Some(Ignored::FromTheFuture)
    );
}

#[test]
fn times_that_are_none() {
    for time in ["1e400000", "-1", "\"2025-04-10\"", "null", "[]", "1e300", "true"] {
        let body = event("user.created", user("user_1")).to_string();
        let body = body.replace(&AT.to_string(), time);
        let event = Event::parse(&body, 42).unwrap();
        assert_eq!(event.event_at, 42, "{time}");
    }
}

#[test]
fn of_repeated_members_the_last_counts_and_the_others_are_gone() {
    let twice = |json: &str, first: &str, second: &str| json.replacen(first, &format!("{first}{second}"), 1);
    let body = event(
        "user.created",
        with(user("user_1"), json!({"first_name": "planted"})),
    )
    .to_string();
    // A name can be written in many ways.
    let body = twice(
        &body,
        "\"first_name\":\"planted\"",
        ",\"first\\u005fname\":\"last\"",
    );
    let body = format!("{}\"typ\\u0065\":\"user.updated\",{}", &body[..1], &body[1..]);
    let event = Event::parse(&body, 0).unwrap();
    assert_eq!(event.event_type, "user.created");
    let observations = event.observations(&every_resource());
    assert_eq!(columns(&observations[0])["first_name"], "last");
    let everything = format!("{observations:?} {}", event.payload(&every_resource()));
    assert!(!everything.contains("planted"));
    assert_eq!(
        event.payload(&every_resource()).matches("first_name\":").count(),
        2,
        "the user's and the external account's"
    );
}

#[test]
fn repeated_members_of_embedded_objects() {
    let user = with(user("user_1"), json!({"username": "planted"})).to_string();
    let user = user.replace(
        "\"username\":\"planted\"",
        "\"username\":\"planted\",\"username\":\"last\"",
    );
    let body = event("session.created", with(session(), json!({"user": "USER"}))).to_string();
    let body = body.replace("\"USER\"", &user);
    let event = Event::parse(&body, 0).unwrap();
    let everything = format!(
        "{:?} {}",
        event.observations(&every_resource()),
        event.payload(&every_resource())
    );
    assert!(everything.contains("last") && !everything.contains("planted"));
}

#[test]
fn data_that_comes_twice() {
    let body = event("user.created", user("user_2")).to_string();
    let body = format!("{{\"data\":{},{}", user("planted"), &body[1..]);
    let event = Event::parse(&body, 0).unwrap();
    assert_eq!(event.subject_id.as_deref(), Some("user_2"));
    assert!(!event.payload(&every_resource()).contains("planted"));
}

#[test]
fn a_million_repetitions_take_no_time_to_speak_of() {
    let body = format!(
        "{{{}\"data\":{{\"id\":\"user_1\"}}}}",
        "\"a\":1,".repeat(1_000_000)
    );
    assert_eq!(ignored(&body), Some(Ignored::NoType));
}

#[test]
fn text_that_postgres_cannot_hold() {
    let body = event(
        "user.created",
        with(user("user_1"), json!({"first_name": "NAME", "id": "IDENT"})),
    );
    let body = body.to_string().replace("\"IDENT\"", "\"user\\u0000\\ud83d\"");
    let body = body.replace("\"NAME\"", "\"a\\u0000b\\ud83dc\\ude00\\ud83d\\ude00\"");
    let body = body.replace("\"theme\":", "\"the\\u0000\\udc00me\":");
    let body = body.replace("\"external_id\":", "\"odd\\u0000\\ud800\":");
    let event = Event::parse(&body, 0).unwrap();
    assert_eq!(event.ignored(&every_resource(), &["ins_1"], micros(AT)), None);
    assert_eq!(event.subject_id.as_deref(), Some("user\u{fffd}\u{fffd}"));
    let observations = event.observations(&every_resource());
    assert_eq!(
        columns(&observations[0])["first_name"],
        "a\u{fffd}b\u{fffd}c\u{fffd}😀"
    );
    let data = data(&observations[0]);
    assert_eq!(data["unsafe_metadata"], json!({"the\u{fffd}\u{fffd}me": "dark"}));
    assert_eq!(data["odd\u{fffd}\u{fffd}"], "ext-7");
    let payload: Value = serde_json::from_str(&event.payload(&every_resource())).unwrap();
    assert_eq!(payload["data"]["odd\u{fffd}\u{fffd}"], "ext-7");
    assert_eq!(payload["data"]["first_name"], "a\u{fffd}b\u{fffd}c\u{fffd}😀");
}

#[test]
fn numbers_that_no_double_can_hold() {
    let body = event(
        "user.created",
        with(
            user("user_1"),
            json!({"unsafe_metadata": 99, "username": 98, "locked": 97}),
        ),
    );
    let body = body
        .to_string()
        .replace(":99,", ":{\"n\":1e400000},")
        .replace(":98,", ":-1e400000,");
    let body = body.replace(":97,", ":1e400000,");
    let event = Event::parse(&body, 0).unwrap();
    let observations = event.observations(&every_resource());
    assert_eq!(
        data(&observations[0])["unsafe_metadata"],
        json!({"n": "1e400000"})
    );
    assert_eq!(
        columns(&observations[0])["username"],
        "-1e400000",
        "the string that it is stored as"
    );
    assert_eq!(columns(&observations[0])["locked"], Value::Null);
    let payload: Value = serde_json::from_str(&event.payload(&every_resource())).unwrap();
    assert_eq!(payload["data"]["unsafe_metadata"], json!({"n": "1e400000"}));
}

/// On a small stack, so that anything that calls itself for each level would not survive.
#[test]
fn deep_nesting() {
    for depth in [500, 100_000] {
        let deep = format!("{}{}{}", "[{\"a\":".repeat(depth / 2), 1, "}]".repeat(depth / 2));
        let test = move || {
            for (event_type, object, is_kept) in [
                (
                    "user.created",
                    with(user("user_1"), json!({"unsafe_metadata": "DEEP"})),
                    true,
                ),
                (
                    "user.created",
                    with(user("user_1"), json!({"email_addresses": "DEEP"})),
                    true,
                ),
                (
                    "user.created",
                    with(user("user_1"), json!({"phone_numbers": "DEEP"})),
                    true,
                ),
                ("session.created", with(session(), json!({"user": "DEEP"})), false),
                (
                    "thing.created",
                    with(user("user_1"), json!({"web3_wallets": "DEEP"})),
                    false,
                ),
            ] {
                let body = event(event_type, object).to_string().replace("\"DEEP\"", &deep);
                let event = Event::parse(&body, 0).unwrap();
                let policy = every_resource();
                event.ignored(&policy, &[], micros(AT));
                let payload = event.payload(&policy);
                assert_eq!(payload.contains(&deep), is_kept, "{event_type} {depth}");
                assert!(Event::parse(&payload, 0).is_ok());
                if event_type == "user.created" {
                    let observations = event.observations(&policy);
                    assert!(
                        observations[0].live.as_ref().unwrap().data.contains(&deep),
                        "{depth}"
                    );
                }
                event.skeleton();
            }
            assert_eq!(ignored(&deep), Some(Ignored::NotAnObject));
            assert_eq!(ignored(&format!("{{\"type\":{deep}}}")), Some(Ignored::NoType));
            assert_eq!(ignored(&deep[..deep.len() - 1]), Some(Ignored::NotJson));
        };
        std::thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(test)
            .unwrap()
            .join()
            .unwrap();
    }
}

#[test]
fn two_mebibytes() {
    let long = "x".repeat(2 * 1024 * 1024);
    let body = event(
        "user.created",
        with(
            user("user_1"),
            json!({"unsafe_metadata": {"a": long}, "first_name": long}),
        ),
    );
    let observations = observe(&body);
    assert_eq!(columns(&observations[0])["first_name"], json!(long));
    assert_eq!(payload(&body)["data"]["unsafe_metadata"]["a"], json!(long));
}

#[test]
fn reason_codes_are_those_of_the_ledger() {
    let codes = [
        (Ignored::NotJson, "not-json"),
        (Ignored::NotAnObject, "not-an-object"),
        (Ignored::NoType, "no-type"),
        (Ignored::NoData, "no-data"),
        (Ignored::NoId, "no-id"),
        (Ignored::UnknownType, "unknown-type"),
        (Ignored::NotMirrored, "not-mirrored"),
        (Ignored::ForeignInstance, "foreign-instance"),
        (Ignored::FromTheFuture, "event-from-the-future"),
    ];
    for (ignored, code) in codes {
        assert_eq!(ignored.as_str(), code);
    }
}
