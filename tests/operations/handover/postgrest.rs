//! How a PostgREST reads its configuration and hears of changes (src/PostgREST: Config/Database.hs, AppState.hs, Listener.hs,
//! Config.hs; the same in 12 to 16), and what jose-jwt makes of a secret (Jose/Jwk.hs).

use std::collections::BTreeMap;
use std::time::Duration;

use clerk_tests::TestDb;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use postgres::{Client, Config, IsolationLevel, NoTls};
use serde_json::{Value, json};

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

/// What it verifies tokens with.
#[derive(Debug, Clone, PartialEq)]
pub enum Secret {
    /// Every request with a token is answered 500.
    None,
    Keys(Vec<Value>),
    /// A text that it could not read: everybody who knows it can sign.
    Password(String),
}

impl Secret {
    /// parseSecret. `Err` keeps the configuration as it was.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Ok(json) = serde_json::from_str::<Value>(text) {
            if let Some(keys) = json["keys"].as_array().filter(|keys| keys.iter().all(readable)) {
                return Ok(Self::Keys(keys.clone()));
            }
            if readable(&json) {
                return Ok(Self::Keys(vec![json]));
            }
        }
        if text.len() < 32 {
            return Err("The JWT secret must be at least 32 characters long.");
        }
        Ok(Self::Password(text.to_owned()))
    }

    /// The ids, or kinds where there is none, of its keys.
    pub fn names(&self) -> Vec<String> {
        let Self::Keys(keys) = self else {
            panic!("{self:?} is no key set")
        };
        keys.iter()
            .map(|key| {
                key["kid"]
                    .as_str()
                    .or(key["kty"].as_str())
                    .expect("a key has one")
                    .to_owned()
            })
            .collect()
    }
}

/// createJwk, for the kinds that matter here.
fn readable(key: &Value) -> bool {
    let encoded = |name: &str| {
        key[name].as_str().is_some_and(|text| {
            !text.is_empty()
                && text.len() % 4 != 1
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    };
    let members: &[&str] = match key["kty"].as_str() {
        Some("RSA") => &["n", "e"],
        Some("oct") => &["k"],
        Some("EC") => &["x", "y"],
        Some("OKP") => &["x"],
        _ => return false,
    };
    members.iter().all(|name| encoded(name))
        && [json!("sig"), json!("enc"), Value::Null].contains(&key["use"])
}

/// When loading the schema cache gives up the pool's connections, and with them what they logged in with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flush {
    /// Versions 12 to 14.
    Before,
    /// Version 16.
    After,
}

/// A running PostgREST: its one connection, its listener, and what it has read.
pub struct Postgrest {
    session: Client,
    login: Config,
    pub flush: Flush,
    listener: Client,
    /// PGRST_JWT_SECRET
    environment: Option<String>,
    pre_config: Option<String>,
    pub secret: Secret,
    pub settings: BTreeMap<String, String>,
}

impl Postgrest {
    /// Started with that secret in its environment.
    pub fn start(db: &TestDb, environment: Option<&str>) -> Self {
        let mut listener = db.connect("authenticator");
        listener
            .batch_execute("LISTEN pgrst")
            .expect("everybody may listen");
        let mut started = Self {
            session: db.connect("authenticator"),
            login: db.cluster().session(db.name(), "authenticator"),
            flush: Flush::Before,
            listener,
            environment: environment.map(str::to_owned),
            pre_config: None,
            secret: Secret::None,
            settings: BTreeMap::new(),
        };
        // Before the listener, and with the schema cache.
        started.read();
        started.read();
        started
    }

    /// readInDbConfig
    pub fn read(&mut self) {
        // ConfigReadErrorObs: logged, and as if there were no settings.
        let settings = self
            .query()
            .inspect_err(|error| eprintln!("{error:?}"))
            .unwrap_or_default();
        let text = settings.get("jwt_secret").or(self.environment.as_ref());
        let secret = match text
            .filter(|text| !text.is_empty())
            .map(|text| Secret::parse(text))
        {
            None => Secret::None,
            Some(Ok(secret)) => secret,
            Some(Err(_)) => return,
        };
        self.secret = secret;
        self.pre_config = settings
            .get("db_pre_config")
            .filter(|name| !name.is_empty())
            .cloned();
        self.settings = settings;
    }

    fn query(&mut self) -> Result<BTreeMap<String, String>, postgres::Error> {
        let mut transaction = self
            .session
            .build_transaction()
            .isolation_level(IsolationLevel::ReadCommitted)
            .read_only(true)
            .start()?;
        let names: Vec<&str> = NAMES.to_vec();
        let query = transaction.prepare_typed(&statement(self.pre_config.as_deref()), &[Type::TEXT_ARRAY])?;
        let rows = transaction.query(&query, &[&names])?;
        transaction.commit()?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Does as it is told by notifications until none comes any more; gives their payloads.
    pub fn hear(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(payload) = self.next(if heard.is_empty() { 10_000 } else { 300 }) {
            match payload.as_str() {
                "reload config" => self.read(),
                "" | "reload schema" => self.load_schema(),
                _ => {}
            }
            heard.push(payload);
        }
        heard
    }

    fn load_schema(&mut self) {
        if self.flush == Flush::Before {
            self.connect_anew();
        }
        self.read();
        if self.flush == Flush::After {
            self.connect_anew();
        }
    }

    fn connect_anew(&mut self) {
        self.session = self.login.connect(NoTls).expect("authenticator may log in");
    }

    /// # Panics
    /// If there is anything to hear.
    pub fn hears_nothing(&mut self) {
        assert_eq!(self.next(300), None);
    }

    fn next(&mut self, patience_ms: u64) -> Option<String> {
        let mut notifications = self.listener.notifications();
        let mut waiting = notifications.timeout_iter(Duration::from_millis(patience_ms));
        let next = waiting.next().expect("the listener is connected");
        next.map(|notification| notification.payload().to_owned())
    }

    /// The connection between two requests.
    pub fn session(&mut self) -> &mut Client {
        &mut self.session
    }
}
