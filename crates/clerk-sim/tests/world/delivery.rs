//! Deliveries over HTTP, to an endpoint that checks them itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use clerk_sim::{Event, Simulator, sign};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as the endpoint got it.
struct Request {
    head: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .unwrap()
            .1
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return None;
        }
    }
    let mut request = Request {
        head,
        body: String::new(),
    };
    let length = request.header("content-length").parse().unwrap();
    reader.take(length).read_to_string(&mut request.body).unwrap();
    Some(request)
}

/// An endpoint that answers with these statuses one after another, and then 200.
fn endpoint(statuses: &'static [u16]) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut statuses = statuses.iter().copied();
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = read(&mut reader) {
                let status = statuses.next().unwrap_or(200);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\ncontent-length: 2\r\n\r\n{{}}"
                );
                if sender.send(request).is_err() {
                    return;
                }
            }
        }
    });
    (url, receiver)
}

fn post(clerk: &Simulator, path: &str, body: &Value) -> (u16, Value) {
    let mut answer = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent()
        .post(format!("{}{path}", clerk.url()))
        .send(body.to_string())
        .unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (answer.status().as_u16(), body)
}

fn get(clerk: &Simulator, path: &str) -> Value {
    let mut answer = ureq::get(format!("{}{path}", clerk.url())).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

#[test]
fn failed_deliveries_come_again_under_the_same_id() {
    let clerk = Simulator::start();
    let (url, requests) = endpoint(&[500, 302]);
    let (_, events) = post(&clerk, "/sim/world/step", &json!({"n": 3}));
    let events: Vec<Event> = serde_json::from_value(events).unwrap();
    let request = json!({"url": url, "secret": SECRET, "events": events, "pause_ms": 1100});
    let (status, report) = post(&clerk, "/sim/world/deliver", &request);
    let count = events.len();
    let expected = json!({"deliveries": count, "delivered": count, "failed": 0, "retries": 2,
        "statuses": {"200": count, "302": 1, "500": 1}});
    assert_eq!((status, report), (200, expected));

    let requests: Vec<Request> = requests.try_iter().collect();
    assert_eq!(requests.len(), count + 2);
    for (index, request) in requests.iter().enumerate() {
        let event = &events[index.saturating_sub(2)];
        assert_eq!(request.body, event.body);
        assert!(request.head.starts_with("POST /hook HTTP/1.1"));
        assert_eq!(request.header("content-type"), "application/json");
        assert!(request.header("user-agent").starts_with("Svix-Webhooks/"));
        let timestamp = request.header("svix-timestamp").parse().unwrap();
        let headers = sign(SECRET, &event.svix_id, timestamp, &event.body);
        for (name, value) in headers.pairs() {
            assert_eq!(request.header(name), value);
        }
    }
    assert_ne!(
        requests[0].header("svix-timestamp"),
        requests[2].header("svix-timestamp")
    );
}

#[test]
fn whoever_never_takes_it_has_failed() {
    let clerk = Simulator::start();
    let (url, _requests) = endpoint(&[400; 2]);
    let (_, report) = post(
        &clerk,
        "/sim/world/deliver",
        &json!({"url": url, "secret": SECRET, "tries": 2, "pause_ms": 0}),
    );
    assert_eq!(
        (&report["failed"], &report["statuses"]),
        (&json!(1), &json!({"400": 2}))
    );

    let nobody = json!({"url": "http://127.0.0.1:1/", "secret": SECRET, "tries": 1});
    let (_, report) = post(&clerk, "/sim/world/deliver", &nobody);
    assert_eq!(report["statuses"], json!({"none": 1}));
}

#[test]
fn a_network_can_lie_between() {
    let clerk = Simulator::start();
    let (url, requests) = endpoint(&[]);
    let network = json!({"seed": 1, "duplicate": 0.5, "reorder": 0.5});
    let request = json!({"url": url, "secret": SECRET, "n": 30, "network": network});
    let (_, report) = post(&clerk, "/sim/world/deliver", &request);
    let ids: Vec<String> = requests
        .try_iter()
        .map(|request| request.header("svix-id").to_owned())
        .collect();
    let different: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(report["delivered"], json!(ids.len()));
    assert!(different.len() >= 30 && different.len() < ids.len());
}

#[test]
fn a_world_is_driven_over_http() {
    let clerk = Simulator::start();
    let options = json!({"seed": 4, "users": {"start": 1, "end": 3}, "activities": ["people"],
        "start_ms": 1_760_000_000_000_i64});
    let (_, answer) = post(&clerk, "/sim/world", &options);
    assert_eq!(answer, json!({"now_ms": 1_760_000_000_000_i64}));
    let (_, events) = post(&clerk, "/sim/world/step", &json!({}));
    assert_eq!(
        (events.as_array().unwrap().len(), &events[0]["type"]),
        (1, &json!("user.created"))
    );
    let truth = get(&clerk, "/sim/world/truth");
    let (user_id, fact) = truth["users"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(
        (&fact["exists"], truth.as_object().unwrap().len()),
        (&json!(true), 13)
    );
    assert_eq!(get(&clerk, "/sim/world/api/users")["objects"][0]["id"], **user_id);

    let (_, events) = post(
        &clerk,
        "/sim/world/marker",
        &json!({"user_id": user_id, "marker": "HERE"}),
    );
    assert!(events[0]["body"].as_str().unwrap().contains("HERE"));
    let request = json!({"secret": SECRET, "event": events[0], "timestamp": 1_760_000_000});
    let (_, headers) = post(&clerk, "/sim/world/sign", &request);
    let (id, body) = (
        events[0]["svix_id"].as_str().unwrap(),
        events[0]["body"].as_str().unwrap(),
    );
    assert_eq!(
        headers,
        serde_json::to_value(sign(SECRET, id, 1_760_000_000, body)).unwrap()
    );

    // The same options make the same beginning.
    post(&clerk, "/sim/world", &options);
    let again = post(&clerk, "/sim/world/step", &json!({})).1;
    assert_eq!(
        again[0]["body"],
        serde_json::to_value(beginning(&options)).unwrap()
    );
}

fn beginning(options: &Value) -> String {
    let options = serde_json::from_value(options.clone()).unwrap();
    clerk_sim::World::new(options).step().remove(0).body
}

#[test]
fn nonsense_about_a_world_is_refused_with_the_reason() {
    let clerk = Simulator::start();
    for (path, body, reason) in [
        ("/sim/world", json!({"sead": 1}), "sead"),
        ("/sim/world", json!({"adversity": {"luck": 1}}), "luck"),
        ("/sim/world/step", json!({"n": "many"}), "many"),
        (
            "/sim/world/marker",
            json!({"user_id": "user_nobody", "marker": "M"}),
            "user_nobody",
        ),
        (
            "/sim/world/deliver",
            json!({"url": "http://x", "secret": "whsec_"}),
            "empty",
        ),
        ("/sim/world/sign", json!({"secret": SECRET}), "event"),
    ] {
        let (status, answer) = post(&clerk, path, &body);
        assert_eq!(status, 400, "{path} {body}");
        assert!(answer.as_str().unwrap().contains(reason), "{answer}");
    }
}
