//! A project as Supabase sets one up: its owner is no superuser, PostgREST logs in as authenticator.

use std::thread::sleep;
use std::time::Duration;

use clerk_sim::{SigningSecret, Simulator, WorldClock, new_signing_secret};
use clerk_tests::{Cluster, Sql};
use postgres::Client;
use postgres::types::Json;
use serde_json::{Map, Value, json};

/// Owner of the database and of the extension, and a role whose administrator they made.
pub const OWNER: &str = "project";
pub const ADMINISTRATOR: &str = "helper";

const DATABASE: &str = "project";

/// What signs the anon and service keys of a Supabase project.
pub const SHARED_SECRET: &str = "OpenSesame-jwt-secret-with-at-least-32-characters";

/// A row of `clerk.doctor()`.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub area: String,
    pub check: String,
    pub status: String,
    pub found: String,
    pub expected: String,
    pub mend: Option<String>,
    pub mend_as: Option<String>,
}

impl Finding {
    /// Whether there is anything to mend.
    pub fn is_bad(&self) -> bool {
        !["ok", "note"].contains(&self.status.as_str())
    }

    /// Runs the mend, literally, as the role that it names.
    ///
    /// # Panics
    /// If it is not SQL or fails.
    pub fn mend(&self, project: &Project) {
        let role = self.mend_as.as_deref().and_then(|to| to.strip_prefix("SQL as "));
        let role = role.unwrap_or_else(|| panic!("no SQL: {self:?}"));
        project
            .connect(role)
            .run(self.mend.as_deref().expect("it has a mend"));
    }
}

/// A configured database behind PostgREST, with a webhook that came.
pub struct Project {
    pub cluster: Cluster,
    pub clerk: Simulator,
    secret: String,
    /// PostgREST's listener.
    listener: Option<Client>,
}

impl Project {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// On a server with these settings.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let mut project = Self {
            cluster: Cluster::start(settings),
            clerk: Simulator::start(),
            secret: new_signing_secret(),
            listener: None,
        };
        project.cluster.superuser().run(&format!(
            "CREATE ROLE {OWNER} LOGIN CREATEROLE;
             GRANT pg_monitor TO {OWNER};
             CREATE ROLE {ADMINISTRATOR} LOGIN;
             CREATE ROLE authenticator LOGIN NOINHERIT;
             GRANT anon, authenticated, service_role TO authenticator, {OWNER};
             ALTER ROLE anon SET synchronous_commit = on;
             ALTER ROLE service_role SET synchronous_commit = on;
             ALTER ROLE authenticator SET session_preload_libraries = clerk_sync"
        ));
        project
            .cluster
            .superuser()
            .run(&format!("CREATE DATABASE {DATABASE} OWNER {OWNER}"));
        project.owner().run("CREATE EXTENSION clerk_sync");
        project.listen();
        project.configure();
        project
    }

    /// PostgREST begins to listen, in a new session.
    pub fn listen(&mut self) {
        let mut listener = self.connect("authenticator");
        listener.run("LISTEN \"pgrst\"");
        self.listener = Some(listener);
    }

    /// Restarts the server; PostgREST listens again and was told to read its configuration.
    pub fn restart(&mut self) {
        self.cluster.restart();
        self.listen();
        self.owner().run("SELECT clerk.connect_postgrest()");
    }

    /// PostgREST's listener ends.
    pub fn stop_listening(&mut self) {
        self.listener = None;
        let mut superuser = self.superuser();
        while superuser.value::<bool>("SELECT clerk.postgrest_listener() IS NOT NULL") {
            sleep(Duration::from_millis(20));
        }
    }

    fn configure(&self) {
        let mut owner = self.owner();
        // As a superuser, who may create in public on every version.
        self.superuser()
            .run(&format!("GRANT CREATE ON SCHEMA public TO {OWNER}"));
        owner
            .execute(
                "SELECT clerk.configure(issuer => $1, jwks_url => $2, authorized_parties => ARRAY['https://app.example'])",
                &[&self.clerk.issuer(), &self.clerk.jwks_url()],
            )
            .expect("the instance can be configured");
        self.add_secret();
        owner.run(&format!(
            "SELECT clerk.expose_api(); SELECT clerk.grant_admin('{ADMINISTRATOR}')"
        ));
        owner
            .execute("SELECT clerk.connect_postgrest($1)", &[&SHARED_SECRET])
            .expect("PostgREST can be connected");
        self.deliver("msg_first");
        self.read_history(&mut owner);
    }

    /// What a secret key is for.
    fn read_history(&self, owner: &mut Client) {
        self.clerk.limit_rate(None);
        self.clerk.change_api(|api| {
            // That of a production instance, which this one is by its issuer.
            api.secret_key = api.secret_key.replace("sk_test_", "sk_live_");
            api.clock = WorldClock::Wall { ahead_ms: 0 };
        });
        owner
            .execute(
                "SELECT clerk.configure(issuer => $1, api_url => $2)",
                &[&self.clerk.issuer(), &self.clerk.api_url()],
            )
            .expect("the API's URL can be changed");
        owner
            .execute("SELECT clerk.set_secret_key($1)", &[&self.clerk.secret_key()])
            .expect("the secret key can be set");
        owner.run("SELECT clerk.start_backfill()");
        self.settle();
        owner.run("SELECT clerk.start_reconcile(); SELECT clerk.maintain()");
        self.settle();
    }

    /// Waits until no run waits or is under way.
    pub fn settle(&self) {
        let mut owner = self.owner();
        for _ in 0..6000 {
            let is_busy: bool = owner.value(
                "SELECT EXISTS (SELECT FROM clerk.sync_runs WHERE state IN ('queued', 'running') AND heartbeat_at > now() - interval '10 minutes'
                                OR state = 'queued')",
            );
            if !is_busy {
                return;
            }
            sleep(Duration::from_millis(20));
        }
        panic!("a run does not end");
    }

    pub fn connect(&self, role: &str) -> Client {
        self.cluster.connect_to(DATABASE, role)
    }

    pub fn superuser(&self) -> Client {
        self.connect("postgres")
    }

    pub fn owner(&self) -> Client {
        self.connect(OWNER)
    }

    /// The endpoint's signing secret, as Clerk's dashboard shows it.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    pub fn add_secret(&self) {
        self.owner()
            .execute("SELECT clerk.add_webhook_signing_secret($1)", &[&self.secret])
            .expect("the secret can be added");
    }

    /// Delivers an event about a person whose id is made of the delivery's.
    pub fn deliver(&self, svix_id: &str) -> Value {
        let mut service = self.connect("service_role");
        let now_ms: i64 = service.value("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        let user = format!("user_{}", svix_id.trim_start_matches("msg_"));
        let body = json!({
            "type": "user.created", "object": "event", "timestamp": now_ms,
            "data": {"id": user, "object": "user", "first_name": "Ada", "created_at": now_ms, "updated_at": now_ms},
        })
        .to_string();
        let key = SigningSecret::parse(&self.secret).expect("a new secret is one");
        let headers: Map<String, Value> = key
            .sign(svix_id, now_ms / 1000, &body)
            .pairs()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let answer: Json<Value> =
            service.value_of("SELECT clerk.receive_webhook($1, $2)", &[&body, &Json(headers)]);
        answer.0
    }

    /// What the doctor says to the owner.
    pub fn doctor(&self) -> Vec<Finding> {
        findings(&mut self.owner(), false)
    }

    /// The findings that need mending.
    pub fn complaints(&self) -> Vec<Finding> {
        self.doctor().into_iter().filter(Finding::is_bad).collect()
    }
}

/// What the doctor says in this session.
pub fn findings(session: &mut Client, online: bool) -> Vec<Finding> {
    let rows = session
        .query("SELECT * FROM clerk.doctor($1)", &[&online])
        .unwrap_or_else(|error| panic!("{error:?}"));
    rows.iter()
        .map(|row| Finding {
            area: row.get(0),
            check: row.get(1),
            status: row.get(2),
            found: row.get(3),
            expected: row.get(4),
            mend: row.get(5),
            mend_as: row.get(6),
        })
        .collect()
}

/// The first finding of this check that needs mending.
pub fn complaint(project: &Project, area: &str, check: &str) -> Finding {
    let complaints = project.complaints();
    let found = complaints
        .iter()
        .find(|finding| (finding.area.as_str(), finding.check.as_str()) == (area, check));
    found
        .cloned()
        .unwrap_or_else(|| panic!("no complaint of {area}: {check} in {complaints:#?}"))
}

/// # Panics
/// If the doctor complains of anything.
pub fn assert_healthy(project: &Project) {
    assert_eq!(project.complaints(), []);
}
