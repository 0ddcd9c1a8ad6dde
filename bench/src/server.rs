//! The server under test: connections, roles and what the peers need.

use std::env;

use clerk_sim::Simulator;
use postgres::{Client, Config, NoTls};

/// Roles and functions as a self-hosted Supabase has them. `auth.jwt()` is Supabase's own definition.
const SUPABASE: &str = "
    CREATE ROLE authenticated NOLOGIN;
    CREATE ROLE authenticator LOGIN NOINHERIT;
    GRANT authenticated TO authenticator;
    CREATE SCHEMA auth;
    GRANT USAGE ON SCHEMA auth TO PUBLIC;
    CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
        SELECT coalesce(
            nullif(current_setting('request.jwt.claim', true), ''),
            nullif(current_setting('request.jwt.claims', true), '')
        )::jsonb
    $$;";

/// A role for which the library is loaded when the session starts, as the manual recommends.
const PRELOADING: &str = "
    CREATE ROLE preloading LOGIN;
    GRANT authenticated TO preloading;
    ALTER ROLE preloading SET session_preload_libraries = clerk_sync;";

/// A throw-away server.
pub struct Server {
    host: String,
    port: u16,
}

impl Server {
    /// Makes the server of `PGHOST` and `PGPORT` know `clerk`.
    pub fn prepare(clerk: &Simulator) -> Self {
        let variable = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set; use make bench"));
        let port = variable("PGPORT").parse().expect("PGPORT is a number");
        let server = Self {
            host: variable("PGHOST"),
            port,
        };
        let mut superuser = server.connect("postgres");
        superuser
            .batch_execute(&format!("CREATE EXTENSION clerk_sync; {SUPABASE} {PRELOADING}"))
            .expect("an empty server");
        superuser
            .execute(
                "SELECT clerk.configure(issuer => $1, jwks_url => $2)",
                &[&clerk.issuer(), &clerk.jwks_url()],
            )
            .expect("the stand-in can be configured");
        server
    }

    /// A new connection.
    pub fn connect(&self, role: &str) -> Client {
        self.connect_to("postgres", role)
    }

    /// A new connection to one of its databases.
    pub fn connect_to(&self, database: &str, role: &str) -> Client {
        Config::new()
            .host(&self.host)
            .port(self.port)
            .user(role)
            .dbname(database)
            .connect(NoTls)
            .unwrap_or_else(|error| panic!("cannot connect as {role}: {error}"))
    }

    /// Where clients of other kinds find it, over TCP.
    pub fn url(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// PostgreSQL and the extension, with the day of the run in front.
    pub fn versions(&self) -> String {
        self.connect("postgres")
            .query_one(
                "SELECT format('%s, PostgreSQL %s, clerk_sync %s', current_date, current_setting('server_version'), extversion)
                 FROM pg_extension WHERE extname = 'clerk_sync'",
                &[],
            )
            .expect("the extension is there")
            .get(0)
    }
}
