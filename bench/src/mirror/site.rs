//! A database that receives webhooks.

use clerk_sim::new_signing_secret;
use postgres::Client;

use super::stream::Stream;
use crate::server::Server;

/// What the simulated instance calls itself.
const INSTANCE: &str = "ins_sim";

/// A database of its own, with the extension and a signing secret.
pub struct Site<'s> {
    server: &'s Server,
    database: &'static str,
    secret: String,
}

impl<'s> Site<'s> {
    pub fn prepare(server: &'s Server, database: &'static str) -> Self {
        Self::prepare_with(server, database, &new_signing_secret())
    }

    /// With a secret that another one has as well.
    pub fn prepare_with(server: &'s Server, database: &'static str, secret: &str) -> Self {
        server
            .connect("postgres")
            .batch_execute(&format!("CREATE DATABASE {database}"))
            .expect("the name is free");
        let site = Self {
            server,
            database,
            secret: secret.to_owned(),
        };
        let mut client = site.connect();
        client
            .batch_execute("CREATE EXTENSION clerk_sync")
            .expect("it is installed");
        client
            .execute(
                "SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '', instance_id => $1)",
                &[&INSTANCE],
            )
            .expect("the instance can be configured");
        client
            .execute("SELECT clerk.add_webhook_signing_secret($1)", &[&site.secret])
            .expect("the secret is one");
        site
    }

    /// A new connection as its owner.
    pub fn connect(&self) -> Client {
        self.server.connect_to(self.database, "postgres")
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// Signed webhooks of a population of its own.
    pub fn stream(&self, seed: u64, people: usize, is_wanted: fn(&str) -> bool) -> Stream {
        Stream::new(seed, people, INSTANCE, &self.secret, is_wanted)
    }
}
