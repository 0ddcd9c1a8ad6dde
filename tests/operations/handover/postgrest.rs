//! How a PostgREST reads its configuration and hears of changes (src/PostgREST: Config/Database.hs, AppState.hs, Listener.hs,
//! Config.hs; the same in 12 to 16).

mod listener;
mod pool;
mod program;
pub mod running;
mod secret;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clerk_tests::TestDb;
use postgres::types::Type;
use postgres::{Client, Config, IsolationLevel};
use serde_json::Value;

use self::listener::Listener;
use self::pool::Pool;
pub use self::secret::Secret;

const NAMES: [&str; 8] = [
    "pgrst.db_anon_role",
    "pgrst.db_pre_config",
    "pgrst.db_pre_request",
    "pgrst.db_schemas",
    "pgrst.jwt_aud",
    "pgrst.jwt_role_claim_key",
    "pgrst.jwt_secret",
    "pgrst.jwt_secret_is_base64",
];

/// queryDbSettings; the part in the middle only with a pre-config function.
fn statement(pre_config: Option<&str>) -> String {
    let of_function = pre_config.map_or_else(String::new, |name| {
        let function = format!("\"{}\"", name.replacen('.', "\".\"", 1));
        format!(
            "UNION
             SELECT null as database, x as k, current_setting(x, true) as v
             FROM unnest($1) x JOIN {function}() _ ON TRUE"
        )
    });
    format!(
        "WITH
         role_setting AS (
           SELECT setdatabase as database, unnest(setconfig) as setting
           FROM pg_catalog.pg_db_role_setting
           WHERE setrole = quote_ident(CURRENT_USER)::regrole::oid
             AND setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = CURRENT_CATALOG))
         ),
         kv_settings AS (
           SELECT database,
                  substr(setting, 1, strpos(setting, '=') - 1) as k,
                  substr(setting, strpos(setting, '=') + 1) as v
           FROM role_setting
           {of_function}
         )
         SELECT DISTINCT ON (key) replace(k, 'pgrst.', '') AS key, v AS value
         FROM kv_settings
         WHERE k = ANY($1) AND v IS NOT NULL
         ORDER BY key, database DESC NULLS LAST"
    )
}

/// When loading the schema cache gives up the pool's connections, and with them what they logged in with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flush {
    /// Versions up to 14.8.
    Before,
    /// Later ones, once the cache has been loaded.
    After,
}

/// What it was started with.
#[derive(Clone)]
struct Environment {
    login: Config,
    /// PGRST_JWT_SECRET
    secret: Option<String>,
    /// PGRST_DB_PRE_CONFIG
    pre_config: Option<String>,
}

/// The schema cache is to be loaded, which reads the configuration too.
struct Load {
    at: Instant,
    /// How long to wait should it fail.
    rest: Duration,
    /// Asked for once more since it began: then it is loaded once more.
    again: bool,
}

impl Load {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            rest: Duration::from_secs(1),
            again: false,
        }
    }
}

/// A running PostgREST: its pool, its listener, and what it has read. It does what is due when it is told to [`tick`](Self::tick) or
/// to [`hear`](Self::hear), and nothing in between.
pub struct Postgrest {
    environment: Environment,
    pool: Pool,
    listener: Listener,
    load: Option<Load>,
    pub flush: Flush,
    pre_config: Option<String>,
    pub secret: Secret,
    pub settings: BTreeMap<String, String>,
}

impl Postgrest {
    /// Started with that secret in its environment, and nothing that says where else keys are.
    pub fn start(db: &TestDb, secret: Option<&str>) -> Self {
        Self::start_in(Environment {
            login: db.cluster().session(db.name(), "authenticator"),
            secret: secret.map(str::to_owned),
            pre_config: None,
        })
    }

    /// Also with `PGRST_DB_PRE_CONFIG`, as the manual recommends.
    pub fn start_with_pre_config(db: &TestDb, secret: Option<&str>) -> Self {
        Self::start_in(Environment {
            login: db.cluster().session(db.name(), "authenticator"),
            secret: secret.map(str::to_owned),
            pre_config: Some("clerk.postgrest_config".to_owned()),
        })
    }

    fn start_in(environment: Environment) -> Self {
        let login = environment.login.clone();
        let mut started = Self {
            pool: Pool::new(login.clone()),
            listener: Listener::new(login),
            load: None,
            flush: Flush::After,
            pre_config: environment.pre_config.clone(),
            secret: Secret::None,
            settings: BTreeMap::new(),
            environment,
        };
        started.tick_from_start();
        started
    }

    /// `App.run`: the configuration is read once, with the schema cache, and the pre-config function that is called is the one of the
    /// environment.
    fn tick_from_start(&mut self) {
        self.load_soon();
        self.tick();
    }

    /// Ends, and is started again in the same environment. The database may be away.
    pub fn restart(&mut self) {
        let flush = self.flush;
        *self = Self::start_in(self.environment.clone());
        self.flush = flush;
    }

    /// readInDbConfig
    pub fn read(&mut self) {
        self.read_by(self.pre_config.clone());
    }

    fn read_by(&mut self, pre_config: Option<String>) {
        // ConfigReadErrorObs: logged, and as if there were no settings.
        let settings = self
            .pool
            .run(|session| query(session, pre_config.as_deref()))
            .inspect_err(|error| eprintln!("{error:?}"))
            .unwrap_or_default();
        // queryRoleSettings; nothing of it matters here but that it may meet a session that has ended.
        let _ = self
            .pool
            .run(|session| session.simple_query("SELECT FROM pg_auth_members"));
        let environment = &self.environment;
        let text = settings.get("jwt_secret").or(environment.secret.as_ref());
        let secret = match text
            .filter(|text| !text.is_empty())
            .map(|text| Secret::parse(text))
        {
            None => Secret::None,
            Some(Ok(secret)) => secret,
            Some(Err(_)) => return,
        };
        self.secret = secret;
        let pre_config = settings.get("db_pre_config").or(environment.pre_config.as_ref());
        self.pre_config = pre_config.filter(|name| !name.is_empty()).cloned();
        self.settings = settings;
    }

    /// Does as it is told by notifications until none comes any more; gives their payloads.
    pub fn hear(&mut self) -> Vec<String> {
        self.heed(Duration::from_secs(10))
    }

    /// Does what is due; gives the payloads of what it was told.
    pub fn tick(&mut self) -> Vec<String> {
        if self.listener.reconnect() {
            self.load_soon();
        }
        self.heed(Duration::from_millis(20))
    }

    /// Whether it waits for nothing but notifications and requests.
    pub fn is_at_rest(&self) -> bool {
        self.listener.is_on() && self.load.is_none()
    }

    fn heed(&mut self, patience: Duration) -> Vec<String> {
        let mut heard = Vec::new();
        let mut patience = patience;
        // The schema cache is loaded by a thread of its own, which at once looks which function is to be called, and then runs
        // beside the listener: what the listener reads meanwhile is news to the next load only.
        let mut known = self.pre_config.clone();
        while let Some(payload) = self.listener.next(patience) {
            match payload.as_str() {
                "reload config" => {
                    self.read();
                    if !self.is_loading() {
                        known = self.pre_config.clone();
                    }
                }
                "" | "reload schema" => self.load_soon(),
                _ => {}
            }
            heard.push(payload);
            patience = TOGETHER;
        }
        while self.is_loading() {
            self.load_schema(known.clone());
            known.clone_from(&self.pre_config);
        }
        heard
    }

    fn is_loading(&self) -> bool {
        self.load.as_ref().is_some_and(|load| load.at <= Instant::now())
    }

    /// schemaCacheLoader, which is debounced at the leading edge. One that is under way or rests after a failure goes on, and another
    /// one follows.
    fn load_soon(&mut self) {
        match &mut self.load {
            Some(load) => load.again = true,
            None => self.load = Some(Load::now()),
        }
    }

    /// One iteration of retryingSchemaCacheLoad.
    fn load_schema(&mut self, pre_config: Option<String>) {
        if self.flush == Flush::Before {
            self.pool.flush();
        }
        let simple = |pool: &mut Pool| {
            pool.run(|session| session.simple_query("SELECT version()"))
                .is_ok()
        };
        let knows_version = simple(&mut self.pool);
        self.read_by(pre_config);
        let has_cache = simple(&mut self.pool);
        if self.flush == Flush::After && has_cache {
            self.pool.flush();
        }
        let load = self.load.take().expect("it was due");
        if !(knows_version && has_cache) {
            self.load = Some(Load {
                at: Instant::now() + load.rest,
                rest: Duration::from_secs(32).min(load.rest * 2),
                again: load.again,
            });
        } else if load.again {
            self.load = Some(Load::now());
        }
    }

    /// # Panics
    /// If there is anything to hear.
    pub fn hears_nothing(&mut self) {
        assert_eq!(self.listener.next(TOGETHER), None);
    }

    /// Its connections between two requests.
    pub fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    /// Whether a token is accepted that was signed with this key, as Clerk publishes it.
    pub fn accepts(&self, published: &Value) -> bool {
        matches!(&self.secret, Secret::Keys(keys) if keys.iter().any(|key| key["n"] == published["n"]))
    }
}

/// Notifications of one transaction arrive within this time.
const TOGETHER: Duration = Duration::from_millis(300);

/// queryDbSettings
fn query(
    session: &mut Client,
    pre_config: Option<&str>,
) -> Result<BTreeMap<String, String>, postgres::Error> {
    let mut transaction = session
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .read_only(true)
        .start()?;
    let names: Vec<&str> = NAMES.to_vec();
    let query = transaction.prepare_typed(&statement(pre_config), &[Type::TEXT_ARRAY])?;
    let rows = transaction.query(&query, &[&names])?;
    transaction.commit()?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
