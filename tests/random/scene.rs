//! A server, a stand-in for Clerk, and databases in which the extension belongs to a role that is no superuser.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clerk_sim::{
    ApiFault, Event, Fault, Resource, Rotation, SigningSecret, Simulator, Token, World, WorldOptions,
    new_signing_secret,
};
use clerk_tests::{Cluster, Dice, Sql};
use postgres::{Client, Error, NoTls};
use serde_json::Value;

use crate::texts::BAIT;

/// Others than those of every test server.
const ROLES: &str = "
    CREATE ROLE installer LOGIN; CREATE ROLE administrator LOGIN; CREATE ROLE bystander LOGIN;
    CREATE ROLE authenticator LOGIN NOINHERIT; GRANT anon, authenticated, service_role TO authenticator";

/// Short, so that a call that waits for another session or for Clerk does not hold up the rest.
const TIMEOUTS: &str = "-c statement_timeout=300ms -c lock_timeout=200ms";

const TEMPLATE: &str = "template";
/// A database whose extension nobody changes, and one where its owner does.
pub const CALM: &str = "calm";
pub const HOSTILE: &str = "hostile";

/// The most that recovery may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Scene {
    pub cluster: Cluster,
    clerk: Simulator,
    signing_secret: String,
    events: Vec<Event>,
}

impl Scene {
    pub fn start(seed: u64) -> Self {
        let settings = [
            ("shared_preload_libraries", "clerk_sync"),
            ("clerk.maintain_interval", "2s"),
            ("clerk.http_timeout", "1s"),
            ("max_prepared_transactions", "20"),
            ("deadlock_timeout", "100ms"),
            // What LLVM takes stays taken, and is none of ours.
            ("jit", "off"),
            // So that the log can be searched, and what fails is not in it.
            ("log_line_prefix", "%e %b %p "),
            ("log_min_error_statement", "panic"),
        ];
        // What a backend has freed is given back to the system, so that what it has is what it uses.
        let returning = [
            ("MALLOC_MMAP_THRESHOLD_", "65536"),
            ("MALLOC_TRIM_THRESHOLD_", "65536"),
        ];
        let cluster = Cluster::start_in_environment(&settings, &returning);
        cluster.superuser().run(ROLES);
        cluster
            .superuser()
            .run("CREATE DATABASE template OWNER installer");
        let clerk = Simulator::start();
        clerk.limit_rate(None);
        let mut world = World::new(WorldOptions {
            seed,
            start_ms: now().as_millis() as i64 - 3_600_000,
            ..WorldOptions::default()
        });
        let events = world.run(200);
        clerk.set_world(world);
        let scene = Self {
            cluster,
            clerk,
            signing_secret: new_signing_secret(),
            events,
        };
        scene.make_template();
        scene
    }

    fn make_template(&self) {
        let mut installer = self.cluster.connect_to(TEMPLATE, "installer");
        installer
            .run("CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO PUBLIC; CREATE EXTENSION clerk_sync; SELECT clerk.grant_admin('administrator')");
        self.cluster
            .connect_to(TEMPLATE, "postgres")
            .run(include_str!("bait.sql"));
        self.arm(TEMPLATE);
        installer.run(
            "SELECT clerk.expose_api('api');
             SELECT clerk.apply_event(body::jsonb) FROM (SELECT bait.body(n) AS body FROM generate_series(0, 23) AS n) AS e",
        );
        drop(installer);
        // Nobody connects to it any more, rounds of maintenance neither: it is to be copied.
        self.cluster
            .superuser()
            .run("ALTER DATABASE template ALLOW_CONNECTIONS false");
    }

    /// Sets up again what calls may have taken away, and what is good for some minutes only. What the owner cannot set up because
    /// others are at it stays as it is until the next time.
    pub fn arm(&self, database: &str) {
        retried(|| self.try_arm(database));
    }

    fn try_arm(&self, database: &str) -> Result<(), Error> {
        let mut superuser = self.connect(database, "postgres")?;
        let mut transaction = superuser.transaction()?;
        transaction.batch_execute("TRUNCATE bait.tokens, bait.deliveries, bait.secrets")?;
        let signing = SigningSecret::parse(&self.signing_secret).expect("a new secret is one");
        for n in 0..BAIT {
            let (token, claims) = self.token(n);
            let event = &self.events[n * self.events.len() / BAIT];
            let headers = signing.sign(&event.svix_id, now().as_secs() as i64, &event.body);
            let n = n as i32;
            transaction.execute(
                "INSERT INTO bait.tokens VALUES ($1, $2, $3)",
                &[&n, &token, &claims],
            )?;
            transaction.execute(
                "INSERT INTO bait.deliveries VALUES ($1, $2, $3)",
                &[&n, &event.body, &headers.to_json()],
            )?;
        }
        let secrets = [
            self.signing_secret.clone(),
            self.clerk.secret_key(),
            new_signing_secret(),
            format!("sk_test_{}", "x1".repeat(21)),
        ];
        for (n, secret) in secrets.iter().enumerate() {
            transaction.execute("INSERT INTO bait.secrets VALUES ($1, $2)", &[&(n as i32), secret])?;
        }
        transaction.commit()?;

        let mut installer = self.connect(database, "installer")?;
        let mirror = Resource::ALL.map(|resource| resource.as_str()).to_vec();
        let configured = installer.execute(
            "SELECT clerk.configure(issuer => $1, jwks_url => $2, instance_id => 'ins_sim', mirror => $3, api_url => $4, additional => true)",
            &[&self.clerk.issuer(), &self.clerk.jwks_url(), &mirror, &self.clerk.api_url()],
        );
        assert!(database != TEMPLATE || configured.is_ok(), "{configured:?}");
        for statement in [
            "SELECT clerk.set_secret_key(bait.secret(1), bait.known('issuer', 0))",
            "SELECT clerk.add_webhook_signing_secret(bait.secret(0), bait.known('issuer', 0))",
            "SELECT clerk.set_identity_source('auto')",
        ] {
            // See above.
            let _ = installer.batch_execute(statement);
        }
        Ok(())
    }

    /// Clerk's keys change, or its key endpoint or its Backend API have a bad moment.
    pub fn disturb(&self, dice: &mut Dice) {
        match dice.below(4) {
            0 => {
                let rotations = [Rotation::Same, Rotation::New, Rotation::Overlap];
                self.clerk.rotate(rotations[dice.below(3)]);
            }
            1 => {
                let faults = [
                    Fault::Slow { ms: 100 },
                    Fault::Stall,
                    Fault::Down,
                    Fault::Half,
                    Fault::Wrong,
                ];
                self.clerk.fault(faults[dice.below(5)].clone());
            }
            2 => {
                let faults = ApiFault::transient();
                self.clerk.api_fault(faults[dice.below(faults.len())].clone());
            }
            _ => {
                self.clerk.fault(Fault::Ok);
                self.clerk.clear_api_faults();
            }
        }
    }

    /// Of each class some, expired ones, forged ones, and ones that are nearly right; with the claims of the same user.
    fn token(&self, n: usize) -> (String, String) {
        let issuer = self.clerk.issuer();
        let user = format!("user_{n}");
        let session = || Token::session(issuer, &user).expires_in(3_600);
        let token = match n % 12 {
            0..3 => session().organization("org_1", "one", "admin", &[("posts", &["read", "manage"])]),
            3 => session().expires_in(-3_600),
            4 => Token::session_v1(issuer, &user).expires_in(3_600),
            5 => Token::template(issuer, &user).expires_in(3_600),
            6 => Token::m2m(issuer, "mch_1"),
            7 => Token::oauth(issuer, &user),
            8 => session().claim("sts", "pending".into()),
            9 => session()
                .claim("o", Value::from(vec![1, 2]))
                .claim("sub", Value::Null),
            10 => session().claim("metadata", "x".repeat(50_000).into()),
            _ => session().expires_in(1),
        };
        let text = if n % 12 == 1 {
            self.clerk.forge(token)
        } else {
            self.clerk.mint(token)
        };
        let claims = format!(
            r#"{{"iss":"{issuer}","sub":"{user}","sid":"sess_{n}","v":2,"role":"authenticated","exp":4000000000,"fva":[1,2],"o":{{"id":"org_1","rol":"admin"}}}}"#
        );
        (text, claims)
    }

    /// A database like the template, in the place of the one of this name if there is one.
    pub fn make_database(&self, name: &str) {
        retried(|| self.try_make_database(name));
        self.arm(name);
    }

    fn try_make_database(&self, name: &str) -> Result<(), Error> {
        let mut superuser = self.connect("postgres", "postgres")?;
        // A prepared transaction keeps it from being dropped.
        for row in superuser.query("SELECT gid FROM pg_prepared_xacts WHERE database = $1", &[&name])? {
            let rollback = format!("ROLLBACK PREPARED '{}'", row.get::<_, &str>(0));
            self.connect(name, "postgres")?.batch_execute(&rollback)?;
        }
        superuser.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        superuser.batch_execute(&format!(
            "CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER installer"
        ))
    }

    /// Waits while the server recovers from a crash.
    pub fn session(&self, database: &str, role: &str) -> Client {
        retried(|| {
            self.cluster
                .session(database, role)
                .options(TIMEOUTS)
                .connect(NoTls)
        })
    }

    fn connect(&self, database: &str, role: &str) -> Result<Client, Error> {
        self.cluster.session(database, role).connect(NoTls)
    }
}

/// Tries again while the server recovers from a crash, which is reported in the end.
fn retried<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> T {
    let begin = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(
                begin.elapsed() < PATIENCE,
                "the server does not come back: {error:?}"
            ),
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is right")
}
