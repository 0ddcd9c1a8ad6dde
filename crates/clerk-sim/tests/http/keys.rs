//! The key endpoint, good and bad.

use std::io::{BufRead, ErrorKind, Read};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clerk_sim::{Fault, Simulator};
use serde_json::{Value, json};

use crate::client::{Answer, call, read_head, send};

/// One request for the keys while `fault` is on.
fn jwks_under(clerk: &Simulator, fault: Fault) -> Answer {
    clerk.fault(fault);
    call(&clerk.url(), "GET", "/.well-known/jwks.json", "")
}

#[test]
fn keys_are_published_and_requests_counted() {
    let clerk = Simulator::start();
    assert_eq!(clerk.jwks_url(), format!("{}/.well-known/jwks.json", clerk.url()));
    for fault in [Fault::Ok, Fault::Slow { ms: 1 }] {
        let answer = jwks_under(&clerk, fault);
        assert_eq!((answer.status, answer.json()), (200, clerk.jwks()));
        assert!(answer.head.contains("content-type: application/json"));
    }
    assert_eq!(clerk.jwks_requests(), 2);
    assert_eq!(call(&clerk.url(), "GET", "/.well-known/jwks", "").status, 404);
    assert_eq!(clerk.jwks_requests(), 2);
}

#[test]
fn wrong_statuses() {
    let clerk = Simulator::start();
    assert_eq!(jwks_under(&clerk, Fault::Down).status, 503);

    let retry_after = "7".to_owned();
    let answer = jwks_under(&clerk, Fault::Busy { retry_after });
    assert_eq!(answer.status, 429);
    assert!(answer.head.contains("retry-after: 7\r\n"), "{}", answer.head);

    let answer = jwks_under(&clerk, Fault::Status { code: 404 });
    assert_eq!((answer.status, answer.json()), (404, clerk.jwks()));

    let location = "https://elsewhere.test/keys".to_owned();
    let answer = jwks_under(&clerk, Fault::Redirect { location });
    assert_eq!(answer.status, 302);
    assert!(answer.head.contains("location: https://elsewhere.test/keys\r\n"));
}

#[test]
fn faults_to_come_are_each_of_one_request() {
    let clerk = Simulator::start();
    clerk.faults_to_come([Fault::Down, Fault::Status { code: 500 }]);
    let statuses: Vec<u16> = (0..4)
        .map(|_| call(&clerk.url(), "GET", "/.well-known/jwks.json", "").status)
        .collect();
    assert_eq!(statuses, [503, 500, 200, 200]);
}

#[test]
fn wrong_bodies() {
    let clerk = Simulator::start();

    let answer = jwks_under(&clerk, Fault::Html);
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/html") && answer.body.starts_with("<!doctype html>"));

    let answer = jwks_under(&clerk, Fault::Wrong);
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"));
    assert!(serde_json::from_str::<Value>(&answer.body).is_err());

    let answer = jwks_under(&clerk, Fault::Huge);
    assert_eq!(
        (answer.status, &answer.json()["keys"]),
        (200, &clerk.jwks()["keys"])
    );
    assert!(answer.body.len() > 1024 * 1024);
}

#[test]
fn wrong_keys() {
    let clerk = Simulator::start();
    let good = &clerk.jwks()["keys"][0];

    let answer = jwks_under(&clerk, Fault::PrivateKeys).json();
    assert_eq!(answer["keys"][0]["n"], good["n"]);
    assert!(
        ["d", "p", "q", "dp", "dq", "qi"]
            .iter()
            .all(|member| answer["keys"][0][member].is_string())
    );

    let answer = jwks_under(&clerk, Fault::SymmetricKey).json();
    assert_eq!(
        (&answer["keys"][0], &answer["keys"][1]["kty"]),
        (good, &json!("oct"))
    );
    assert!(answer["keys"][1]["k"].is_string());

    let answer = jwks_under(&clerk, Fault::ShortRsa).json();
    assert_eq!(
        (&answer["keys"][0], &answer["keys"][1]["kty"]),
        (good, &json!("RSA"))
    );
    let modulus = URL_SAFE_NO_PAD
        .decode(answer["keys"][1]["n"].as_str().unwrap())
        .unwrap();
    assert!(modulus.len() == 128 && modulus[0] >= 0x80, "1024 bits");

    assert_eq!(jwks_under(&clerk, Fault::Empty).json(), json!({"keys": []}));
}

#[test]
fn a_stalled_request_gets_no_byte_until_the_simulator_stops() {
    let clerk = Simulator::start();
    clerk.fault(Fault::Stall);
    let mut reader = send(&clerk.url(), "GET", "/.well-known/jwks.json", "");
    while clerk.jwks_requests() == 0 {
        thread::yield_now();
    }
    reader
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let error = reader.read(&mut [0]).expect_err("nothing to read");
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );

    reader.get_ref().set_read_timeout(None).unwrap();
    drop(clerk);
    let rest = reader.read(&mut [0]);
    assert!(matches!(rest, Ok(0) | Err(_)), "the connection is closed");
}

#[test]
fn an_endless_body_goes_on_after_a_good_beginning() {
    let clerk = Simulator::start();
    clerk.fault(Fault::Endless);
    let mut reader = send(&clerk.url(), "GET", "/.well-known/jwks.json", "");
    let head = read_head(&mut reader);
    assert!(head.starts_with("http/1.1 200") && head.contains("transfer-encoding: chunked"));

    let mut chunks = Vec::new();
    while chunks.len() < 5 {
        let (mut size, mut chunk) = (String::new(), String::new());
        reader.read_line(&mut size).unwrap();
        reader.read_line(&mut chunk).unwrap();
        chunks.push(chunk.trim_end_matches("\r\n").to_owned());
    }
    assert_eq!(chunks, ["{\"keys\": [", " ", " ", " ", " "]);
}

#[test]
fn half_a_body_is_less_than_was_promised() {
    let clerk = Simulator::start();
    let whole = clerk.jwks().to_string();
    clerk.fault(Fault::Half);
    let mut reader = send(&clerk.url(), "GET", "/.well-known/jwks.json", "");
    let head = read_head(&mut reader);
    assert!(
        head.contains(&format!("content-length: {}\r\n", whole.len())),
        "{head}"
    );
    let mut body = Vec::new();
    // Whether the cut shows as an end or as a reset is the system's business.
    reader.read_to_end(&mut body).ok();
    assert_eq!(body, whole.as_bytes()[..whole.len() / 2]);
}

#[test]
fn every_fault_has_a_name_in_json() {
    let named = |json: Value| serde_json::from_value::<Fault>(json).unwrap();
    assert_eq!(named(json!({"kind": "slow", "ms": 5})), Fault::Slow { ms: 5 });
    assert_eq!(
        named(json!({"kind": "status", "code": 404})),
        Fault::Status { code: 404 }
    );
    let retry_after = "7".to_owned();
    assert_eq!(
        named(json!({"kind": "busy", "retry_after": "7"})),
        Fault::Busy { retry_after }
    );
    let location = "https://elsewhere.test".to_owned();
    assert_eq!(
        named(json!({"kind": "redirect", "location": location})),
        Fault::Redirect { location }
    );
    for (name, fault) in [
        ("ok", Fault::Ok),
        ("stall", Fault::Stall),
        ("down", Fault::Down),
        ("html", Fault::Html),
        ("huge", Fault::Huge),
        ("endless", Fault::Endless),
        ("half", Fault::Half),
        ("wrong", Fault::Wrong),
        ("private_keys", Fault::PrivateKeys),
        ("symmetric_key", Fault::SymmetricKey),
        ("short_rsa", Fault::ShortRsa),
        ("empty", Fault::Empty),
    ] {
        assert_eq!(named(json!({ "kind": name })), fault);
    }
}
