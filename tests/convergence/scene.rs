//! A database that mirrors the simulator's instance, and ways to hand events to it.

use std::time::{SystemTime, UNIX_EPOCH};

use clerk_sim::{Event, SigningSecret, new_signing_secret};
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use postgres::types::Json;
use serde_json::Value;

/// A database with the extension, an instance and its signing secret.
pub struct Scene<'c> {
    pub db: TestDb<'c>,
    secret: SigningSecret,
    secret_text: String,
}

impl<'c> Scene<'c> {
    /// Mirrors everything there is.
    pub fn on(cluster: &'c Cluster) -> Self {
        let db = cluster.create_database();
        let text = new_signing_secret();
        let mut owner = db.superuser();
        owner
            .execute(
                "SELECT clerk.configure(issuer => 'https://clerk.sim.test', jwks_url => '', instance_id => 'ins_sim', mirror => $1)",
                &[&clerk_sim::Resource::ALL.map(|resource| resource.as_str()).to_vec()],
            )
            .expect("the instance can be configured");
        let scene = Self {
            db,
            secret: SigningSecret::parse(&text).expect("a new secret is one"),
            secret_text: text,
        };
        scene.add_secret(&mut owner);
        scene
    }

    /// Makes a database know the signing secret.
    pub fn add_secret(&self, owner: &mut Client) {
        owner
            .execute(
                "SELECT clerk.add_webhook_signing_secret($1)",
                &[&self.secret_text],
            )
            .expect("the secret can be added");
    }

    /// Whether a text gives the secret away.
    pub fn secret_is_in(&self, text: &str) -> bool {
        text.contains(self.secret_text.trim_start_matches("whsec_"))
    }

    /// Headers and body of a delivery signed now, as PostgREST passes them.
    pub fn headers(&self, event: &Event) -> Value {
        self.headers_at(event, now_seconds())
    }

    fn headers_at(&self, event: &Event, seconds: i64) -> Value {
        let headers = self.secret.sign(&event.svix_id, seconds, &event.body);
        serde_json::from_str(&headers.to_json()).expect("headers are JSON")
    }

    /// Delivers an event as Svix does; gives the answer.
    pub fn deliver(&self, client: &mut Client, event: &Event) -> Value {
        self.deliver_at(client, event, now_seconds())
    }

    /// As [`Self::deliver`], signed at that second.
    pub fn deliver_at(&self, client: &mut Client, event: &Event, seconds: i64) -> Value {
        let Json(answer) = client.value_of(
            "SELECT clerk.receive_webhook($1, $2)",
            &[&event.body, &Json(self.headers_at(event, seconds))],
        );
        answer
    }
}

/// Seconds since 1970.
pub fn now_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is right").as_secs() as i64
}

/// How many histories are tried: 300, or as many as `CLERK_SYNC_CASES` says. The mirror is trusted after 10,000, which `make test-all`
/// tries.
pub fn cases() -> u64 {
    let wanted = std::env::var("CLERK_SYNC_CASES").ok();
    wanted.map_or(300, |wanted| {
        wanted.parse().expect("CLERK_SYNC_CASES is a number")
    })
}
