//! A database that may read the Backend API of a simulated instance.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clerk_sim::{Event, Resource, Simulator, World, WorldOptions};
use clerk_tests::expected::assert_truth_of;
use clerk_tests::{Cluster, Sql, TestDb};
use postgres::types::Json;
use postgres::{Client, GenericClient};
use serde_json::{Value, json};

/// A server whose launcher starts a round every second.
pub fn preloaded(settings: &[(&str, &str)]) -> Cluster {
    let usual = [
        ("shared_preload_libraries", "clerk_sync"),
        ("clerk.maintain_interval", "1s"),
        ("log_min_messages", "debug1"),
    ];
    Cluster::start(&[&usual, settings].concat())
}

/// What Clerk lists whole.
pub const LISTED: [Resource; 9] = [
    Resource::Permissions,
    Resource::Roles,
    Resource::Users,
    Resource::Organizations,
    Resource::OrganizationMemberships,
    Resource::OrganizationInvitations,
    Resource::Invitations,
    Resource::OrganizationDomains,
    Resource::WaitlistEntries,
];

/// The most that a busy machine may take for what takes a moment.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Scene<'c> {
    pub db: TestDb<'c>,
    pub clerk: Simulator,
}

impl<'c> Scene<'c> {
    /// A database whose clock is ten minutes behind or ahead of the world's, and a world in which so many events happened.
    pub fn on(cluster: &'c Cluster, options: WorldOptions, events: usize) -> (Self, Vec<Event>) {
        let clerk = Simulator::start();
        clerk.limit_rate(None);
        // A production instance may be asked ten times as much.
        clerk.change_api(|api| api.secret_key = api.secret_key.replace("sk_test_", "sk_live_"));
        let mut world = World::new(options);
        let history = world.run(events);
        clerk.set_world(world);
        let db = cluster.create_database();
        let scene = Self { db, clerk };
        scene.configure();
        (scene, history)
    }

    /// Trusts the instance, with everything that it has, and lets its Backend API be read.
    ///
    /// # Panics
    /// If the extension is not there.
    pub fn configure(&self) {
        let mut owner = self.owner();
        owner
            .execute(
                "SELECT clerk.configure(issuer => $1, jwks_url => '', instance_id => 'ins_sim', mirror => $2, api_url => $3)",
                &[
                    &self.clerk.issuer(),
                    &Resource::ALL.map(|resource| resource.as_str()).to_vec(),
                    &self.clerk.api_url(),
                ],
            )
            .expect("the instance can be configured");
        owner.run("UPDATE clerk.instances SET environment = 'production'");
        owner
            .execute("SELECT clerk.set_secret_key($1)", &[&self.clerk.secret_key()])
            .expect("the secret key can be set");
    }

    /// On the server that tests share.
    pub fn shared(options: WorldOptions, events: usize) -> (Scene<'static>, Vec<Event>) {
        Scene::on(Cluster::shared(), options, events)
    }

    pub fn owner(&self) -> Client {
        self.db.superuser()
    }

    /// # Panics
    /// If what Clerk lists is not what the tables show.
    pub fn assert_truth(&self, what: &str) {
        assert_truth_of(&mut self.owner(), &self.clerk.world(), &LISTED, what);
    }

    /// Lets time go by, so that what Clerk says next is later than everything before: its `Date` has seconds.
    pub fn later(&self) {
        self.clerk.world().pass(2_000);
    }

    /// Turns reconciles off that nobody asks for, and waits for what they have begun.
    pub fn quiet(&self) {
        let mut owner = self.owner();
        owner.run("SELECT clerk.configure_mirror(reconcile_every => '0', full_reconcile_every => '0')");
        wait_until("no run is open", || {
            owner
                .value::<bool>(
                    "SELECT NOT EXISTS (SELECT FROM clerk.sync_runs WHERE state IN ('queued', 'running'))",
                )
                .then_some(())
        });
        owner.run("DELETE FROM clerk.sync_runs WHERE true");
    }

    /// How many pages of the list of users were asked for. Placeholders are asked for singly when a run ends.
    pub fn pages_of_users(&self) -> usize {
        let requests = self.clerk.api_requests();
        let pages = requests
            .iter()
            .filter(|request| request.path == "/users" && !request.query.contains("user_id"));
        pages.count()
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> u64 {
        self.clerk.api_counts().get(path).copied().unwrap_or(0)
    }
}

/// A world whose clock is off by ten minutes; by the seed, fast or slow.
pub fn world(seed: u64) -> WorldOptions {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is right");
    let off = if seed.is_multiple_of(2) { 600_000 } else { -600_000 };
    WorldOptions {
        seed,
        start_ms: now.as_millis() as i64 + off,
        ..WorldOptions::default()
    }
}

/// Starts a run and waits for its end; gives its number and state.
pub fn run(client: &mut Client, start: &str) -> (i64, String) {
    let id: i64 = client.value(start);
    (id, wait(client, id))
}

/// Waits until a run is over; gives its state.
pub fn wait(client: &mut Client, id: i64) -> String {
    wait_until("the run is over", || {
        let state = state(client, id);
        (!matches!(state.as_str(), "queued" | "running")).then_some(state)
    })
}

pub fn state(client: &mut impl GenericClient, id: i64) -> String {
    client.value_of("SELECT state FROM clerk.sync_runs WHERE id = $1", &[&id])
}

/// What a run says of itself: state and errors.
pub fn told(client: &mut impl GenericClient, id: i64) -> Value {
    let Json(row): Json<Value> = client.value_of(
        "SELECT to_jsonb(r) || jsonb_build_object('steps', (SELECT jsonb_object_agg(s.resource, to_jsonb(s)) FROM clerk.sync_steps AS s
         WHERE s.run_id = r.id)) FROM clerk.sync_runs AS r WHERE r.id = $1",
        &[&id],
    );
    row
}

/// # Panics
/// If the run does not end well.
pub fn done(client: &mut Client, start: &str) -> Value {
    let (id, state) = run(client, start);
    let told = told(client, id);
    assert_eq!(state, "done", "{told:#}");
    told
}

/// # Panics
/// If it does not come true.
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "it never came true that {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Applies events as webhooks are.
pub fn deliver<'e>(client: &mut Client, events: impl IntoIterator<Item = &'e Event>) {
    let list: Vec<Value> = events
        .into_iter()
        .map(|event| json!({ "svix_id": event.svix_id, "event": event.envelope() }))
        .collect();
    let Json(counts): Json<Value> = client.value_of("SELECT clerk.apply_events($1)", &[&Json(list)]);
    assert_eq!(counts["failed"], 0, "{counts}");
}

/// The sum of a column over all steps of a run, if it has begun.
pub fn sum(told: &Value, column: &str) -> i64 {
    let steps = told["steps"]
        .as_object()
        .into_iter()
        .flat_map(|steps| steps.values());
    steps.map(|step| step[column].as_i64().unwrap_or(0)).sum()
}
