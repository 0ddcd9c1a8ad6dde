//! The script that people write: `bench/node/seed.js`.

use std::process::Command;
use std::time::Duration;

use clerk_sim::Simulator;

use crate::server::Server;

const HOME: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node");
const PASSWORD: &str = "bench";

const TABLES: &str = "
    CREATE ROLE seed LOGIN PASSWORD 'bench';
    CREATE TABLE users (id text PRIMARY KEY, email_address text, first_name text, last_name text, data jsonb, updated_at timestamptz);
    ALTER TABLE users OWNER TO seed;";

/// How long the script takes for everybody at the stand-in, without starting up.
pub fn run(server: &Server, clerk: &Simulator) -> Duration {
    server
        .connect("postgres")
        .batch_execute("CREATE DATABASE seed")
        .expect("the name is free");
    server
        .connect_to("seed", "postgres")
        .batch_execute(TABLES)
        .expect("the table can be made");
    let output = Command::new("node")
        .arg("seed.js")
        .current_dir(HOME)
        .env("CLERK_API_URL", clerk.api_url())
        .env("CLERK_SECRET_KEY", clerk.secret_key())
        .env("DATABASE_URL", server.url("seed", PASSWORD, "seed"))
        .output()
        .expect("node is in the path");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let seconds = String::from_utf8_lossy(&output.stdout);
    Duration::from_secs_f64(seconds.trim().parse().expect("it prints seconds"))
}
