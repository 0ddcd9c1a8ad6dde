//! A Backend API with a crowd behind it, and a database that may read it.

use std::time::Duration;

use clerk_sim::{Crowd, CrowdOptions, Simulator, WorldClock};
use postgres::Client;
use ureq::Agent;

use crate::server::Server;

/// Clerk's pages hold no more.
pub const PAGE: usize = 500;

/// So many people at the stand-in. Their objects are rendered when they are asked for.
pub fn start(users: u64) -> Simulator {
    let clerk = Simulator::start();
    // As at Clerk, a production instance may be asked a hundred times a second.
    clerk.change_api(|api| {
        api.secret_key = api.secret_key.replace("sk_test_", "sk_live_");
        api.clock = WorldClock::Wall { ahead_ms: 0 };
    });
    clerk.limit_rate(None);
    clerk.set_crowd(Some(Crowd::new(CrowdOptions {
        users,
        organizations: 0,
        memberships: 0,
        ..CrowdOptions::default()
    })));
    clerk
}

/// A database of this name that reads from it.
pub fn prepare(server: &Server, database: &str, clerk: &Simulator) -> Client {
    server
        .connect("postgres")
        .batch_execute(&format!("CREATE DATABASE {database}"))
        .expect("the name is free");
    let mut client = server.connect_to(database, "postgres");
    client
        .batch_execute("CREATE EXTENSION clerk_sync")
        .expect("it is installed");
    client
        .execute(
            "SELECT clerk.configure(issuer => $1, jwks_url => '', instance_id => 'ins_sim', api_url => $2)",
            &[&clerk.issuer(), &clerk.api_url()],
        )
        .expect("the instance can be configured");
    client
        .batch_execute("UPDATE clerk.instances SET environment = 'production'")
        .expect("the owner may");
    client
        .execute("SELECT clerk.set_secret_key($1)", &[&clerk.secret_key()])
        .expect("the key is the instance's");
    client
}

/// Reads the list of users page by page, as any client would.
pub struct Pages<'c> {
    clerk: &'c Simulator,
    agent: Agent,
    after: Option<String>,
}

impl<'c> Pages<'c> {
    pub fn of(clerk: &'c Simulator) -> Self {
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(10)));
        Self {
            clerk,
            agent: config.build().into(),
            after: None,
        }
    }

    /// The text of the next page.
    pub fn next(&mut self) -> String {
        let after = self.after.take();
        let after = after.map_or_else(String::new, |id| format!("&starting_after={id}"));
        let url = format!(
            "{}/users?limit={PAGE}&order_by=%2Bcreated_at{after}",
            self.clerk.api_url()
        );
        let mut answer = self
            .agent
            .get(&url)
            .header("authorization", format!("Bearer {}", self.clerk.secret_key()))
            .header("clerk-api-version", "2026-05-12")
            .call()
            .expect("the stand-in answers");
        answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .expect("the answer is text")
    }

    /// Goes on after the last of these.
    pub fn go_on_after(&mut self, ids: &[String]) {
        self.after = ids.last().cloned();
    }
}

/// The ids of the objects on a page.
pub fn ids(page: &str) -> Vec<String> {
    let objects: Vec<serde_json::Value> = serde_json::from_str(page).expect("a page is a list");
    let id = |object: &serde_json::Value| object["id"].as_str().expect("every user has an id").to_owned();
    objects.iter().map(id).collect()
}
