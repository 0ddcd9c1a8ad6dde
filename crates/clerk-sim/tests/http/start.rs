//! Starting and stopping, in a test's process and as a program.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use clerk_sim::{Options, Simulator};
use serde_json::{Value, json};

use crate::client::{call, token_part};

#[test]
fn issuer_and_kid_are_free() {
    let options = Options {
        issuer: "https://clerk.other.test".to_owned(),
        kid: "ins_b".to_owned(),
        ..Options::default()
    };
    let clerk = Simulator::start_with(options).unwrap();
    assert_eq!(
        (clerk.issuer(), clerk.keys().kid()),
        ("https://clerk.other.test", "ins_b")
    );
}

#[test]
fn a_port_can_be_taken_over_from_a_stopped_simulator() {
    let first = Simulator::start();
    let port: u16 = first.url().rsplit(':').next().unwrap().parse().unwrap();
    assert!(Simulator::start_on(port).is_err(), "taken");
    drop(first);
    let second = Simulator::start_on(port).expect("free again");
    assert_eq!(
        call(&second.url(), "GET", "/.well-known/jwks.json", "").status,
        200
    );
}

#[test]
fn the_program_says_where_it_listens() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_clerk-sim"))
        .args([
            "--port",
            "0",
            "--issuer",
            "https://clerk.demo.example",
            "--kid",
            "ins_demo",
            "--secret-key",
            "sk_live_demo",
            "--users",
            "8",
            "--organizations",
            "2",
            "--memberships",
            "5",
            "--wall-clock",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let place: Value = serde_json::from_str(&line).unwrap();
    let url = place["url"].as_str().unwrap();
    let keys = call(url, "GET", "/.well-known/jwks.json", "").json();
    let token = call(url, "POST", "/sim/tokens", "{}");
    let memberships = call(url, "GET", "/sim/world/api/organization_memberships", "").json();
    let settings = call(url, "GET", "/sim/api", "").json();
    program.kill().unwrap();
    program.wait().unwrap();

    assert_eq!(place["issuer"], "https://clerk.demo.example");
    assert_eq!(place["jwks_url"], format!("{url}/.well-known/jwks.json"));
    assert_eq!(keys["keys"][0]["kid"], "ins_demo");
    assert_eq!(place["api_url"], format!("{url}/v1"));
    assert_eq!(place["secret_key"], "sk_live_demo");
    assert_eq!(settings["clock"], json!({ "wall": { "ahead_ms": 0 } }));
    assert_eq!(memberships["objects"].as_array().unwrap().len(), 5);
    let observed_at_s = memberships["observed_at_ms"].as_i64().unwrap() / 1_000;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    assert!(
        observed_at_s > now_s - 3_600,
        "the world's time is this machine's"
    );
    assert_eq!(token_part(&token, 1)["iss"], "https://clerk.demo.example");
}

#[test]
fn the_program_refuses_what_it_does_not_know() {
    for arguments in [
        &["--bogus"][..],
        &["--port"],
        &["--port", "x"],
        &["--users", "many"],
        &["--users", "2", "--organizations", "1", "--memberships", "3"],
        &["--organizations", "1"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_clerk-sim"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(
            String::from_utf8(output.stderr)
                .unwrap()
                .contains("usage: clerk-sim")
        );
    }
}
