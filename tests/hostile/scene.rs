//! A server with two databases whose owners are no superusers: one is restored from a template as often as the test likes, the
//! other is the neighbour who must not notice.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clerk_sim::{SigningSecret, Simulator, Token, World, WorldOptions, new_signing_secret};
use clerk_tests::{Cluster, Sql};
use postgres::types::Json;
use postgres::{Client, NoTls};
use serde_json::{Value, json};

/// The role that owns the extension in the template and in what is made from it.
pub const OWNER: &str = "tenant";
const TEMPLATE: &str = "estate";
const NEIGHBOUR: &str = "neighbour";
/// A person of the simulated world, in every database.
pub const USER: &str = "user_ada";

/// How long the server may take to recover from a crash.
const RECOVERY: Duration = Duration::from_secs(60);

pub struct Scene {
    pub cluster: Cluster,
    pub clerk: Simulator,
    /// A signing secret that every database knows.
    pub signing: String,
}

impl Scene {
    /// Errors in the server's log begin with their SQLSTATE.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        let usual = [
            ("log_line_prefix", "%e %d "),
            ("log_statement", "none"),
            ("autovacuum", "off"),
            ("max_worker_processes", "32"),
        ];
        let scene = Self {
            cluster: Cluster::start(&[&usual, settings].concat()),
            clerk: Simulator::start(),
            signing: new_signing_secret(),
        };
        scene.clerk.limit_rate(None);
        // A production instance may be asked ten times as much.
        scene
            .clerk
            .change_api(|api| api.secret_key = api.secret_key.replace("sk_test_", "sk_live_"));
        let mut superuser = scene.cluster.superuser();
        superuser.run("ALTER ROLE postgres PASSWORD 'verifier'");
        for (database, owner) in [(TEMPLATE, OWNER), (NEIGHBOUR, "neighbourly")] {
            superuser.run(&format!("CREATE DATABASE {database}"));
            superuser.run(&format!(
                "CREATE ROLE {owner} LOGIN; GRANT CREATE ON DATABASE {database} TO {owner}"
            ));
        }
        scene.fill(TEMPLATE, OWNER);
        scene.fill(NEIGHBOUR, "neighbourly");
        scene.cluster.connect_to(TEMPLATE, "postgres").run(
            "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
             GRANT USAGE ON FOREIGN SERVER nowhere TO tenant; GRANT CREATE ON SCHEMA public TO tenant",
        );
        let mut owner = scene.cluster.connect_to(TEMPLATE, OWNER);
        owner.run(include_str!("tools.sql"));
        owner.run(
            r#"DO $x$ BEGIN
                 CREATE COLLATION public.backwards (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
             EXCEPTION WHEN feature_not_supported THEN
                 -- A server that was built without ICU.
                 CREATE COLLATION public.backwards FROM "POSIX";
             END $x$;
             CREATE DOMAIN public.lookalike AS text; CREATE TYPE public.pair AS (a bigint, b text)"#,
        );
        drop(owner);
        // So that the launcher leaves it alone: nobody may be connected to a template that is copied.
        scene
            .cluster
            .superuser()
            .run(&format!("ALTER DATABASE {TEMPLATE} IS_TEMPLATE true"));
        scene
    }

    /// Installs the extension, trusts the instance, and puts something into every table.
    fn fill(&self, database: &str, owner: &str) {
        let mut session = self.cluster.connect_to(database, owner);
        session.run("CREATE EXTENSION clerk_sync");
        let (issuer, jwks) = (self.clerk.issuer().to_owned(), self.clerk.jwks_url());
        // Clerk's clock must not be far from the server's.
        let mut world = World::new(WorldOptions {
            start_ms: now().as_millis() as i64,
            ..WorldOptions::default()
        });
        let history = world.run(60);
        self.clerk.set_world(world);
        session
            .execute(
                "SELECT clerk.configure(issuer => $1, jwks_url => $2, api_url => $3, authorized_parties => '{https://app.example}',
                                        keep_private_metadata => true)",
                &[&issuer, &jwks, &self.clerk.api_url()],
            )
            .expect("the instance can be configured");
        session
            .execute(
                "SELECT clerk.add_webhook_signing_secret($1, $2)",
                &[&self.signing, &issuer],
            )
            .expect("a signing secret can be added");
        session
            .execute("SELECT clerk.set_secret_key($1)", &[&self.clerk.secret_key()])
            .expect("a secret key can be set");
        session.run(
            "CREATE SCHEMA hooks; CREATE FUNCTION hooks.handle(event jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN NULL; END';
             SELECT clerk.on_event('user.*', 'hooks.handle', true);
             SELECT clerk.set_identity_source('auto');
             SELECT clerk.configure_mirror(reconcile_every => '0', full_reconcile_every => '0');
             SELECT clerk.grant_admin('service_role'); SELECT clerk.grant_reader('authenticated')",
        );
        let events: Vec<Value> = history
            .iter()
            .map(|event| json!({ "svix_id": event.svix_id, "event": event.envelope() }))
            .chain([json!({ "svix_id": "msg_ada", "event": user_created() })])
            .collect();
        session
            .execute("SELECT clerk.apply_events($1)", &[&Json(events)])
            .expect("the events can be applied");
        session.run(
            "UPDATE clerk.webhook_events SET state = 'failed', next_attempt_at = now() WHERE svix_id = 'msg_ada';
             INSERT INTO clerk.webhook_rejections VALUES ('webhook-signature-invalid', now());
             INSERT INTO clerk.former_addresses VALUES ('user_ada', 1);
             INSERT INTO clerk.secret_uses VALUES ('secret_key', 'x', now());
             INSERT INTO clerk.token_problems SELECT issuer, 'role-claim-missing', 1, now() - interval '1 hour' FROM clerk.instances;
             SELECT clerk.start_backfill()",
        );
        // Calls of handlers are made by a worker, a few at a time; one stays, given up.
        let deadline = Instant::now() + RECOVERY;
        while session.value::<bool>("SELECT EXISTS (SELECT FROM clerk.handler_runs)") {
            assert!(Instant::now() < deadline, "the handlers are never done");
            session.run("SELECT clerk.maintain()");
        }
        session.run(
            "INSERT INTO clerk.handler_runs (handler_id, svix_id, quarantined_at) SELECT h.id, 'msg_ada', now() FROM clerk.event_handlers AS h",
        );
    }

    /// A database like the template, in which nothing has happened yet.
    pub fn restore(&self, name: &str) {
        let mut superuser = self.connect("postgres", "postgres");
        superuser.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        superuser.run(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
        superuser.run(&format!("GRANT CREATE ON DATABASE {name} TO {OWNER}"));
    }

    /// Ends the sessions and workers of a database, and waits for none of them. So it can be dropped at once later on.
    pub fn vacate(&self, name: &str) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        let ended = self.connect("postgres", "postgres").execute(end, &[&name]);
        ended.expect("a superuser may end sessions");
    }

    /// A session; after a crash once the server is back.
    ///
    /// # Panics
    /// If it does not come back.
    pub fn connect(&self, database: &str, role: &str) -> Client {
        let deadline = Instant::now() + RECOVERY;
        loop {
            match self.cluster.session(database, role).connect(NoTls) {
                Ok(session) => return session,
                Err(error) => assert!(
                    Instant::now() < deadline,
                    "the server does not come back: {error:?}"
                ),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A session in the neighbouring database.
    pub fn neighbour(&self) -> Client {
        self.connect(NEIGHBOUR, "postgres")
    }

    /// A session in the template.
    pub fn template(&self) -> Client {
        self.connect(TEMPLATE, OWNER)
    }

    /// A genuine session token, good for as long as the test may run.
    pub fn token(&self) -> String {
        let token = Token::session(self.clerk.issuer(), USER).claim("azp", json!("https://app.example"));
        self.clerk.mint(token.expires_in(36_000))
    }

    /// What PostgREST puts into `request.jwt.claims`; `role` is what it runs the request as.
    pub fn claims(&self, role: &str) -> String {
        json!({
            "role": role, "iss": self.clerk.issuer(), "sub": USER, "sid": "sess_1", "azp": "https://app.example",
            "sts": "active", "v": 2, "fva": [0, -1], "iat": 1_700_000_000, "nbf": 1_699_999_990, "exp": 4_000_000_000_u64,
        })
        .to_string()
    }

    /// A delivery that is genuine now: its body and headers.
    pub fn delivery(&self, svix_id: &str) -> (String, String) {
        let body = user_created().to_string();
        let key = SigningSecret::parse(&self.signing).expect("it is one");
        let mut headers = json!({});
        for (name, value) in key.sign(svix_id, now().as_secs() as i64, &body).pairs() {
            headers[name] = value.into();
        }
        (body, headers.to_string())
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is right")
}

/// A person's first event.
pub fn user_created() -> Value {
    let at = 1_750_000_000_000_i64;
    json!({
        "type": "user.created", "object": "event", "timestamp": at,
        "data": { "id": USER, "object": "user", "first_name": "Ada", "created_at": at, "updated_at": at,
                  "email_addresses": [{"id": "idn_1", "email_address": "ada@example.com"}], "primary_email_address_id": "idn_1" },
    })
}
