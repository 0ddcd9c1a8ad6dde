//! What holds of every event, sensible or not.

use clerk_core::mirror::{Event, Observation, Policy, Resource, Value, observe_objects};
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::fit::is_fit;
use crate::random::{event, json};
use crate::reading::{every_resource, everything};

/// When an event happened that does not say.
const FALLBACK: i64 = 1_744_276_393_000_000;

fn policies() -> impl Strategy<Value = Policy> {
    let fields = prop::sample::subsequence(
        vec![
            "first_name",
            "organization_memberships",
            "users.scim",
            "subscriptions.items",
            "organizations.slug",
            "user",
            "url",
        ],
        0..4,
    );
    let fields = fields.prop_map(|fields| fields.into_iter().map(str::to_owned).collect::<Vec<String>>());
    let policy = prop_oneof![
        Just(every_resource()),
        Just(everything()),
        Just(Policy::default())
    ];
    (policy, fields).prop_map(|(policy, exclude_fields)| Policy {
        exclude_fields,
        ..policy
    })
}

/// Reads the text in every way there is; nothing may panic.
fn read(text: &str, policy: &Policy) {
    if let Ok(event) = Event::parse(text, FALLBACK) {
        let _ = event.ignored(policy, &["ins_1"], FALLBACK);
        let _ = (
            event.user_id(),
            event.skeleton(),
            event.payload(policy),
            event.observations(policy),
        );
    }
    for resource in Resource::ALL {
        let _ = observe_objects(*resource, text, FALLBACK, None, policy, FALLBACK);
    }
    let _ = clerk_core::mirror::instance_of(text);
    let _ = clerk_core::mirror::list_events(text);
}

fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// Whether Postgres takes it, and every observation has what its table has.
fn assert_storable(observation: &Observation) {
    let id = &observation.id;
    assert!(!id.is_empty() && id.len() <= 255 && is_storable(id), "{id}");
    let Some(live) = &observation.live else { return };
    assert!(is_fit(&live.data), "{}", live.data);
    assert_eq!(live.values.len(), observation.resource.columns().len());
    for value in &live.values {
        let is_storable = match value {
            Value::Text(text) => text.as_deref().is_none_or(is_storable),
            Value::Texts(texts) => texts.iter().flatten().all(|text| is_storable(text)),
            Value::Json(json) => json.as_deref().is_none_or(is_fit),
            Value::Time(_) | Value::Boolean(_) | Value::Integer(_) => true,
        };
        assert!(is_storable, "{value:?}");
    }
}

/// Columns follow from `data` alone. Were it otherwise, two versions could be equal where the table compares them and differ in
/// their columns, and the outcome would depend on which came first.
fn assert_columns_follow_from_data(observation: &Observation) {
    let Some(live) = &observation.live else { return };
    let objects = format!("[{}]", live.data);
    let again = observe_objects(
        observation.resource,
        &objects,
        live.observed_at,
        None,
        &every_resource(),
        i64::MAX,
    );
    let again = again.expect("data has an id");
    assert_eq!(
        again[0].live.as_ref().expect("a live version").values,
        live.values,
        "{}",
        live.data
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_causes_a_panic(text in prop_oneof![any::<String>(), "[\\[\\]{}\":,0-9eé\\\\u a-z]{0,40}"], policy in policies()) {
        read(&text, &policy);
    }

    #[test]
    fn no_json_causes_a_panic(json in json(), policy in policies()) {
        read(&json, &policy);
        read(&format!("[{json},{json}]"), &policy);
    }

    #[test]
    fn no_cut_event_causes_a_panic(event in event(), at in any::<prop::sample::Index>(), policy in policies()) {
        let mut at = at.index(event.len());
        while !event.is_char_boundary(at) {
            at -= 1;
        }
        read(&event[..at], &policy);
    }

    #[test]
    fn everything_that_is_stored_can_be(event in event(), policy in policies()) {
        let event = Event::parse(&event, FALLBACK).unwrap();
        for observation in event.observations(&policy) {
            assert_storable(&observation);
            prop_assert!(policy.mirrors(observation.resource));
        }
        prop_assert!(is_fit(&event.payload(&policy)));
        prop_assert!(is_fit(&event.skeleton()));
        for text in [Some(&event.event_type), event.subject_id.as_ref(), event.instance_id.as_ref(), event.user_id().as_ref()] {
            prop_assert!(text.is_none_or(|text| is_storable(text) && text.len() <= 255));
        }
    }

    /// Neither way in freezes a row: what counts claims no version more than a day ahead, in itself or in what it embeds.
    #[test]
    fn no_version_of_the_future_is_observed(event in event(), resource in prop::sample::select(Resource::ALL), policy in policies(), now in 0i64..2_000_000_000_000_000) {
        const DAY: i64 = 24 * 3600 * 1_000_000;
        let no_later = |observations: &[Observation]| {
            observations.iter().all(|observation| {
                let versions = observation.live.iter().flat_map(|live| [live.updated_at, live.observed_at]);
                versions.chain([observation.last_seen_at]).all(|version| version <= now + DAY)
            })
        };
        let object = serde_json::from_str::<std::collections::BTreeMap<&str, &RawValue>>(&event).unwrap()["data"].get();
        if let Ok(observations) = observe_objects(resource, &format!("[{object}]"), now, None, &policy, now) {
            prop_assert!(no_later(&observations), "{observations:?}");
        }
        let event = Event::parse(&event, FALLBACK).unwrap();
        if event.ignored(&policy, &[], now).is_none() {
            prop_assert!(no_later(&event.observations(&policy)), "{event:?}");
        }
    }

    /// Retries apply what the ledger has kept.
    #[test]
    fn the_payload_says_what_the_event_said(event in event(), policy in policies()) {
        let first = Event::parse(&event, FALLBACK).unwrap();
        let payload = first.payload(&policy);
        let again = Event::parse(&payload, FALLBACK).unwrap();
        prop_assert_eq!(again.observations(&policy), first.observations(&policy));
        prop_assert_eq!(again.payload(&policy), payload.clone());
        let envelope = |event: &Event| {
            let ignored = event.ignored(&policy, &["ins_1"], FALLBACK);
            (event.event_type.clone(), event.subject_id.clone(), event.instance_id.clone(), event.event_at, ignored)
        };
        prop_assert_eq!(envelope(&again), envelope(&first));
        if !policy.exclude_fields.iter().any(|field| field == "user") {
            prop_assert_eq!(again.user_id(), first.user_id());
        }
        let skeleton = again.skeleton();
        prop_assert_eq!(Event::parse(&skeleton, FALLBACK).unwrap().skeleton(), skeleton);
    }

    #[test]
    fn columns_follow_from_data(event in event()) {
        let event = Event::parse(&event, FALLBACK).unwrap();
        for observation in event.observations(&every_resource()) {
            assert_columns_follow_from_data(&observation);
        }
    }

    /// The ledger also comes back as jsonb, with other white space, order and escapes.
    #[test]
    fn jsonb_says_what_its_text_said(event in event(), policy in policies()) {
        let event = Event::parse(&event, FALLBACK).unwrap();
        let payload = event.payload(&policy);
        let normal = normal(&payload);
        let again = Event::parse(&normal, FALLBACK).unwrap();
        let values = |event: &Event| -> Vec<_> {
            let observations = event.observations(&policy);
            let mut rows: Vec<_> = observations.into_iter().map(|o| (o.resource, o.id, o.deleted_at, o.live.map(|live| live.updated_at))).collect();
            rows.sort();
            rows
        };
        prop_assert_eq!(values(&again), values(&event));
    }
}

/// The text with sorted members and no white space, as jsonb would give it in its own way.
fn normal(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let text = value.to_string();
    assert!(serde_json::from_str::<&RawValue>(&text).is_ok());
    text
}
