//! The peers in Node: a process that verifies all tokens whenever it is told to.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use clerk_sim::Simulator;
use serde_json::{Value, json};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node/peers.js");

/// `bench/node/peers.js`, running.
pub struct Peers {
    child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    /// Of Node and the two libraries.
    pub versions: String,
}

impl Peers {
    /// Starts Node and hands it the tokens and the keys.
    pub fn start(clerk: &Simulator, tokens: &[String]) -> Self {
        let mut child = Command::new("node")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is in the path");
        let mut peers = Self {
            requests: child.stdin.take().expect("it is piped"),
            replies: BufReader::new(child.stdout.take().expect("it is piped")),
            child,
            versions: String::new(),
        };
        let task = json!({
            "tokens": tokens,
            "issuer": clerk.issuer(),
            "jwk": clerk.jwks()["keys"][0],
            "pem": clerk.keys().public_key_pem(),
        });
        let ready = peers.ask(&task);
        peers.versions = ready["versions"]
            .as_str()
            .expect("its first reply has versions")
            .to_owned();
        peers
    }

    /// Lets one of the libraries verify all tokens; how long it took.
    pub fn verify_all(&mut self, library: &str) -> Duration {
        let reply = self.ask(&json!(library));
        Duration::from_secs_f64(reply["seconds"].as_f64().expect("it replies with seconds"))
    }

    /// One line of JSON there, one back.
    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("node is running");
        let mut reply = String::new();
        self.replies.read_line(&mut reply).expect("node is running");
        serde_json::from_str(&reply).expect("node replies; its error is above")
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It may have ended already, with its error on the screen.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
