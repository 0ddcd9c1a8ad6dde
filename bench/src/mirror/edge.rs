//! The Edge Function of `bench/node`, running in Deno.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use postgres::Client;
use ureq::Agent;

use super::cpu;
use super::stream::Delivery;
use crate::server::Server;

const HOME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node");
const PASSWORD: &str = "bench";

/// Tables as such projects have them: no ledger, no index but the key.
const TABLES: &str = "
    CREATE ROLE edge LOGIN PASSWORD 'bench';
    CREATE SCHEMA edge AUTHORIZATION edge;
    SET ROLE edge;
    CREATE TABLE edge.users (
        id text PRIMARY KEY, email_address text, username text, first_name text, last_name text, image_url text,
        public_metadata jsonb, created_at timestamptz, updated_at timestamptz);
    CREATE TABLE edge.organizations (
        id text PRIMARY KEY, name text, slug text, image_url text, created_at timestamptz, updated_at timestamptz);
    CREATE TABLE edge.organization_memberships (
        id text PRIMARY KEY, organization_id text, user_id text, role text, created_at timestamptz, updated_at timestamptz);
    RESET ROLE;";

/// How long self-hosted Supabase lets the isolate of a function live: `workerTimeoutMs` in its main function.
pub const LIFE: Duration = Duration::from_secs(60);

/// Deno, running.
pub struct Edge {
    child: Child,
    url: String,
    pub version: String,
}

impl Edge {
    /// Makes the tables and starts Deno.
    pub fn start(server: &Server, database: &str, client: &mut Client, secret: &str) -> Self {
        client.batch_execute(TABLES).expect("tables can be made");
        let deno = deno();
        let output = Command::new(&deno).arg("--version").output();
        let version = String::from_utf8(output.expect("Deno runs").stdout).expect("a version is text");
        let version = version
            .split_whitespace()
            .nth(1)
            .expect("it says deno, and which");
        let mut child = Command::new(&deno)
            .args([
                "run",
                "--allow-net",
                "--allow-env",
                "--allow-read",
                "edge_runtime.ts",
            ])
            .current_dir(HOME)
            .env("DENO_NO_UPDATE_CHECK", "1")
            .env("SIGNING_SECRET", secret)
            .env("DATABASE_URL", server.url("edge", PASSWORD, database))
            .stdout(Stdio::piped())
            .spawn()
            .expect("Deno runs");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut port)
            .expect("it prints its port");
        Self {
            url: format!("http://127.0.0.1:{}/", port.trim()),
            version: format!("Deno {version}"),
            child,
        }
    }

    /// A sender that keeps its connection.
    pub fn sender(&self) -> Agent {
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(15)));
        config.build().into()
    }

    /// Sends a delivery as Svix does and waits for the answer.
    pub fn deliver(&self, sender: &Agent, delivery: &Delivery) {
        let mut request = sender.post(&self.url).header("content-type", "application/json");
        for (name, value) in delivery.headers.pairs() {
            request = request.header(name, value);
        }
        let mut answer = request
            .send(delivery.event.body.as_str())
            .expect("the function answers 200; its error is above");
        // Only a connection whose answer was read can be used again.
        answer.body_mut().read_to_string().expect("the answer is text");
    }

    /// Ends the function's isolate; the next delivery starts another.
    pub fn end_life(&self, sender: &Agent) {
        sender.delete(&self.url).call().expect("the runtime answers");
    }

    /// Processor time of Deno alone, ended isolates included.
    pub fn cpu_of_runtime(&self) -> Duration {
        cpu::used_in_all(self.child.id())
    }

    /// Processor time of Deno and of its connections to Postgres.
    pub fn cpu(&self, client: &mut Client) -> Duration {
        let backends = client
            .query("SELECT pid FROM pg_stat_activity WHERE usename = 'edge'", &[])
            .expect("statistics can be read");
        let backends = backends
            .into_iter()
            .map(|row| row.get::<_, i32>(0).unsigned_abs());
        backends.chain([self.child.id()]).map(cpu::used).sum()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // It may have ended already, with its error on the screen.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program itself: the command that npm installs is a script which would hide its processor time.
fn deno() -> String {
    let installed = Command::new("node")
        .args(["--print", "require('deno/install_api.cjs').runInstall()"])
        .current_dir(Path::new(HOME))
        .output()
        .expect("node is in the path");
    let path = String::from_utf8(installed.stdout).expect("a path is text");
    path.lines().last().expect("it prints the path").to_owned()
}
