//! How the mirror is set up: what each instance lets it store, which secrets sign deliveries, who handles events.
//!
//! Read from small tables and kept until one of them changes; see `token::trust`, whose count of changes this hangs on.

use std::rc::Rc;

use clerk_core::mirror::{DeletedUsers, Policy, Resource};
use clerk_core::{SigningSecret, quote};

use crate::catalog;
use crate::error::Fault;
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
    type Row = (String, i32, bool, f64);
    let columns = [c"deleted_users", c"max_attempts", c"notify", c"missing_threshold"];
    let (mode, max_attempts, notify, missing_threshold): Row =
        catalog::only_row(&catalog::table(c"settings"), columns);
    let (secrets, keys) = read_secrets();
    Setup {
        sources: read_sources(),
        secrets,
        keys,
        handlers: read_handlers(),
        deleted_users: DeletedUsers::parse(&mode)
            .unwrap_or_else(|| unknown("clerk.settings", "deleted_users", &mode).raise()),
        max_attempts,
        notify,
        missing_threshold,
        unconfigured: Source::default(),
    }
}

/// A value that no CHECK of ours lets in.
fn unknown(table: &str, column: &str, value: &str) -> Fault {
    Fault::prerequisite(
        format!("{table} holds the unknown {column} {}", quote(value)),
        "Only the functions of clerk_sync write that table: configure it again, or ALTER EXTENSION clerk_sync UPDATE if the library is older.",
    )
}

fn read_sources() -> Vec<Source> {
    type Row = (String, Option<String>, Vec<String>, Vec<String>, bool, bool);
    let columns = [
        c"issuer",
        c"instance_id",
        c"mirror",
        c"exclude_fields",
        c"keep_private_metadata",
        c"keep_event_attributes",
    ];
    let resource = |table: &String| {
        Resource::from_table(table)
            .unwrap_or_else(|| unknown("clerk.instances", "table in mirror", table).raise())
    };
    let source =
        |(issuer, instance_id, mirror, exclude_fields, keep_private_metadata, keep_event_attributes): Row| {
            Source {
                issuer,
                instance_id,
                policy: Policy {
                    mirror: mirror.iter().map(resource).collect(),
                    exclude_fields,
                    keep_private_metadata,
                    keep_event_attributes,
                },
            }
        };
    let rows: Vec<Row> = catalog::rows(&catalog::table(c"instances"), columns);
    rows.into_iter().map(source).collect()
}

fn read_secrets() -> (Vec<KnownSecret>, Vec<SigningSecret>) {
    type Row = (String, String, Option<String>, Option<String>, String);
    let columns = [c"issuer", c"fingerprint", c"secret", c"vault_name", c"kind"];
    let (mut here, mut elsewhere, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let rows: Vec<Row> = catalog::rows(&catalog::table(c"secrets"), columns);
    for (issuer, fingerprint, secret, vault_name, kind) in rows {
        if kind != "webhook_signing" {
            continue;
        }
        let known = KnownSecret {
            issuer,
            fingerprint,
            vault_name,
        };
        let key = secret.map(|text| SigningSecret::parse(&text).ok());
        match (key, &known.vault_name) {
            (Some(Some(key)), None) => {
                here.push(known);
                keys.push(key);
            }
            (None, Some(_)) => elsewhere.push(known),
            // Only add_webhook_signing_secret writes the table, and it has parsed what it stores.
            _ => unusable(&known.fingerprint).raise(),
        }
    }
    here.append(&mut elsewhere);
    (here, keys)
}

fn unusable(fingerprint: &str) -> Fault {
    Fault::prerequisite(
        format!(
            "the webhook signing secret {} in clerk.secrets cannot be used",
            quote(fingerprint)
        ),
        "Run SELECT clerk.drop_webhook_signing_secret('…') with that fingerprint, then clerk.add_webhook_signing_secret() with the \
         secret from Clerk's dashboard.",
    )
}

fn read_handlers() -> Vec<Handler> {
    type Row = (i64, String, bool);
    let rows: Vec<Row> = catalog::rows(
        &catalog::table(c"event_handlers"),
        [c"id", c"pattern", c"include_repairs"],
    );
    let handler = |(id, pattern, include_repairs): Row| Handler {
        id,
        pattern,
        include_repairs,
    };
    rows.into_iter().map(handler).collect()
}
