//! How the mirror is set up: what each instance lets it store, which secrets sign deliveries, who handles events.
//!
//! Read from small tables and kept until one of them changes; see `token::trust`, whose count of changes this hangs on.

use std::rc::Rc;

use clerk_core::SigningSecret;
use clerk_core::mirror::{Policy, Resource};

use crate::catalog;
use crate::pg::backend_local::BackendLocal;
use crate::token::trust;

/// An instance as a source of events.
#[derive(Debug, Default)]
pub struct Source {
    pub issuer: String,
    /// Clerk's id of it, if known.
    pub instance_id: Option<String>,
    pub policy: Policy,
}

impl Source {
    /// The ids that its events may name; none means any.
    pub fn own_ids(&self) -> Vec<&str> {
        self.instance_id.as_deref().into_iter().collect()
    }
}

/// A signing secret of `clerk.secrets`, without what it keeps secret.
#[derive(Debug)]
pub struct KnownSecret {
    pub issuer: String,
    pub fingerprint: String,
    /// The name under which a vault keeps it; None if it is one of `Setup::keys`.
    pub vault_name: Option<String>,
}

/// A row of `clerk.event_handlers`, without what only the worker that calls it needs.
#[derive(Debug, Clone)]
pub struct Handler {
    pub id: i64,
    pub pattern: String,
    pub include_repairs: bool,
}

impl Handler {
    /// Whether it is called for events of this type: `user.created`, `user.*` or `*`.
    pub fn matches(&self, event_type: &str) -> bool {
        match self.pattern.strip_suffix('*') {
            Some(beginning) => event_type.starts_with(beginning),
            None => self.pattern == event_type,
        }
    }
}

/// What stays of a person whom Clerk deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeletedUsers {
    Keep,
    #[default]
    Scrub,
    Remove,
}

impl DeletedUsers {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "keep" => Some(Self::Keep),
            "scrub" => Some(Self::Scrub),
            "remove" => Some(Self::Remove),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Scrub => "scrub",
            Self::Remove => "remove",
        }
    }
}

/// A consistent reading of all of it.
#[derive(Debug)]
pub struct Setup {
    pub sources: Vec<Source>,
    /// The signing secrets that are kept here come first, in the order of `keys`.
    pub secrets: Vec<KnownSecret>,
    pub keys: Vec<SigningSecret>,
    pub handlers: Vec<Handler>,
    pub deleted_users: DeletedUsers,
    pub max_attempts: i32,
    pub notify: bool,
    /// The greatest share of an instance's rows that a full reconcile takes for gone without being told that they are.
    pub missing_threshold: f64,
    /// For events while no instance is configured.
    unconfigured: Source,
}

impl Setup {
    /// The instance with that issuer.
    pub fn source(&self, issuer: &str) -> &Source {
        let found = self.sources.iter().find(|source| source.issuer == issuer);
        found.unwrap_or(&self.unconfigured)
    }

    /// The instance that an event without a signature belongs to: the one it names, or the first.
    pub fn source_of_event(&self, instance_id: Option<&str>) -> &Source {
        let named = self
            .sources
            .iter()
            .find(|source| instance_id.is_some() && source.instance_id.as_deref() == instance_id);
        named.or(self.sources.first()).unwrap_or(&self.unconfigured)
    }
}

struct Reading {
    changes: u64,
    setup: Option<Rc<Setup>>,
}

static READING: BackendLocal<Reading> = BackendLocal::new(Reading {
    changes: 0,
    setup: None,
});

/// The current reading, from the cache if nothing has changed.
pub fn current() -> Rc<Setup> {
    // Reading trust makes it watch our tables, and it must be taken before our own reading begins.
    trust::current();
    let before = trust::changes();
    let cached = READING.with(|reading| reading.setup.clone().filter(|_| reading.changes == before));
    if let Some(setup) = cached {
        return setup;
    }
    let setup = Rc::new(read());
    READING.with(|reading| {
        *reading = Reading {
            changes: before,
            setup: Some(setup.clone()),
        }
    });
    setup
}

fn read() -> Setup {
    let (secrets, keys) = read_secrets();
    let mut setup = Setup {
        sources: read_sources(),
        secrets,
        keys,
        handlers: read_handlers(),
        deleted_users: DeletedUsers::default(),
        max_attempts: 12,
        notify: false,
        missing_threshold: 0.2,
        unconfigured: Source::default(),
    };
    let columns = [c"deleted_users", c"max_attempts", c"notify", c"missing_threshold"];
    catalog::scan(catalog::table_oid(c"settings"), &columns, |row| {
        let mode: Option<String> = row.get(0);
        setup.deleted_users = mode
            .and_then(|mode| DeletedUsers::parse(&mode))
            .unwrap_or_default();
        setup.max_attempts = row.get(1).unwrap_or(setup.max_attempts);
        setup.notify = row.get(2).unwrap_or(setup.notify);
        setup.missing_threshold = row.get(3).unwrap_or(setup.missing_threshold);
    });
    setup
}

fn read_sources() -> Vec<Source> {
    let columns = [
        c"issuer",
        c"instance_id",
        c"mirror",
        c"exclude_fields",
        c"keep_private_metadata",
        c"keep_event_attributes",
    ];
    let mut sources = Vec::new();
    catalog::scan(catalog::table_oid(c"instances"), &columns, |row| {
        let mirror: Vec<String> = row.get(2).unwrap_or_default();
        let policy = Policy {
            mirror: mirror
                .iter()
                .filter_map(|table| Resource::from_table(table))
                .collect(),
            exclude_fields: row.get(3).unwrap_or_default(),
            keep_private_metadata: row.get(4).unwrap_or(false),
            keep_event_attributes: row.get(5).unwrap_or(false),
        };
        sources.push(Source {
            issuer: row.get(0).unwrap_or_default(),
            instance_id: row.get(1),
            policy,
        });
    });
    sources
}

fn read_secrets() -> (Vec<KnownSecret>, Vec<SigningSecret>) {
    let columns = [c"issuer", c"fingerprint", c"secret", c"vault_name", c"kind"];
    let (mut here, mut elsewhere, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    catalog::scan(catalog::table_oid(c"secrets"), &columns, |row| {
        if row.get::<String>(4).as_deref() != Some("webhook_signing") {
            return;
        }
        let known = KnownSecret {
            issuer: row.get(0).unwrap_or_default(),
            fingerprint: row.get(1).unwrap_or_default(),
            vault_name: row.get(3),
        };
        // Only add_webhook_signing_secret writes the table, and it has parsed what it stores.
        match row
            .get::<String>(2)
            .and_then(|text| SigningSecret::parse(&text).ok())
        {
            Some(key) => {
                here.push(known);
                keys.push(key);
            }
            None => elsewhere.push(known),
        }
    });
    here.append(&mut elsewhere);
    (here, keys)
}

fn read_handlers() -> Vec<Handler> {
    let columns = [c"id", c"pattern", c"include_repairs"];
    let mut handlers = Vec::new();
    catalog::scan(catalog::table_oid(c"event_handlers"), &columns, |row| {
        handlers.push(Handler {
            id: row.get(0).unwrap_or_default(),
            pattern: row.get(1).unwrap_or_default(),
            include_repairs: row.get(2).unwrap_or(false),
        });
    });
    handlers
}
