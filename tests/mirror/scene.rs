//! A database behind PostgREST that mirrors one Clerk instance.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use clerk_sim::{SigningSecret, new_signing_secret};
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::Client;
use serde_json::{Value, json};

use crate::pooled::Pooled;

/// The instance's issuer and Clerk's id of it.
pub const ISSUER: &str = "https://clerk.sim.test";
pub const INSTANCE: &str = "ins_sim";

/// A database with the extension, an instance and its signing secret, and the API exposed in `public`.
pub struct Scene {
    pub db: TestDb<'static>,
    pub secret: Secret,
}

impl Scene {
    pub fn new() -> Self {
        let db = TestDb::shared();
        let secret = Secret::new();
        // As in a Supabase project, where the API's roles get everything that is made in public; and its API's sessions refuse
        // UPDATE and DELETE without WHERE.
        db.superuser().run(&format!(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
             ALTER ROLE app IN DATABASE {} SET session_preload_libraries = '{}'",
            db.name(),
            require_where().display()
        ));
        set_up(&mut db.superuser(), &secret);
        Self { db, secret }
    }

    /// A connection of PostgREST's pool.
    pub fn pooled(&self) -> Pooled {
        Pooled::new(self.db.connect("app"))
    }

    /// What Svix sends for an event now.
    pub fn headers(&self, svix_id: &str, body: &str) -> Value {
        self.secret.headers(svix_id, now_seconds(), body)
    }

    /// Delivers events, which must be taken in.
    pub fn deliver(&self, events: &[Value]) {
        let mut pooled = self.pooled();
        for event in events {
            let (body, svix_id) = (event.to_string(), unique_id());
            let answer = pooled.deliver(&body, &self.headers(&svix_id, &body));
            assert_eq!(answer.body["status"], "applied", "{event}: {answer:?}");
        }
    }
}

/// Configures the instance, private metadata included, and exposes the API.
pub fn set_up(owner: &mut Client, secret: &Secret) {
    owner
        .execute(
            "SELECT clerk.configure(issuer => $1, jwks_url => '', instance_id => $2, keep_private_metadata => true)",
            &[&ISSUER, &INSTANCE],
        )
        .expect("the instance can be configured");
    secret.add(owner);
    owner.run("SELECT clerk.expose_api()");
}

/// A signing secret of the instance.
pub struct Secret {
    text: String,
    key: SigningSecret,
}

impl Secret {
    pub fn new() -> Self {
        let text = new_signing_secret();
        let key = SigningSecret::parse(&text).expect("a new secret is one");
        Self { text, key }
    }

    /// Makes the database accept it.
    pub fn add(&self, owner: &mut Client) {
        self.add_to(owner, ISSUER);
    }

    /// Makes the database accept it as another instance's.
    pub fn add_to(&self, owner: &mut Client, issuer: &str) {
        owner
            .execute(
                "SELECT clerk.add_webhook_signing_secret($1, $2)",
                &[&self.text, &issuer],
            )
            .expect("the secret can be added");
    }

    /// Whether a text gives it away.
    pub fn is_in(&self, text: &str) -> bool {
        text.contains(self.text.trim_start_matches("whsec_"))
    }

    /// The request's headers as PostgREST passes them: lower case, with all that a proxy and Svix add.
    pub fn headers(&self, svix_id: &str, timestamp_s: i64, body: &str) -> Value {
        let mut headers = json!({
            "host": "project.example", "user-agent": "Svix-Webhooks/1.86.0 (sender-8d3k2)", "accept": "*/*",
            "content-type": "application/json", "content-length": body.len().to_string(), "apikey": "anon.key.here",
            "authorization": "Bearer anon.key.here", "x-forwarded-for": "203.0.113.7",
        });
        for (name, value) in self.key.sign(svix_id, timestamp_s, body).pairs() {
            headers[name] = value.into();
        }
        headers
    }
}

/// An event as Clerk sends it.
pub fn event(event_type: &str, at_ms: i64, data: Value) -> Value {
    json!({
        "type": event_type, "object": "event", "timestamp": at_ms, "instance_id": INSTANCE, "data": data,
        "event_attributes": {"http_request": {"client_ip": "198.51.100.1", "user_agent": "curl/8"}},
    })
}

/// A person's first event, as text.
pub fn user_created(id: &str) -> String {
    event(
        "user.created",
        1_750_000_000_000,
        json!({"id": id, "object": "user", "first_name": "Ada", "created_at": 1_750_000_000_000_i64, "updated_at": 1_750_000_000_000_i64}),
    )
    .to_string()
}

/// Seconds since 1970.
pub fn now_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is right").as_secs() as i64
}

/// An id that no other delivery has.
pub fn unique_id() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("msg_test{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The library that refuses UPDATE and DELETE without WHERE, compiled for this server.
pub fn require_where() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let cluster = Cluster::shared();
        let library = cluster.directory().join("require_where.so");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-I"])
            .arg(cluster.installation().directory("--includedir-server"))
            .arg("-o")
            .arg(&library)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/mirror/require_where.c"))
            .output()
            .expect("there is a C compiler");
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        library
    })
}
