//! What people and programs ask of a database after a change.

use postgres::Client;

use crate::changes::Change;
use crate::scene::{OWNER, Scene, user_created};
use crate::watch::is_ordinary;

/// Who asks, and what.
pub struct Part {
    pub role: &'static str,
    /// Statements that sign somebody in.
    before: Vec<String>,
    calls: Vec<String>,
}

/// How long one call may take; only a call that waits for a worker can.
const LIMIT: &str = "SET statement_timeout = '20s'";

/// What is asked after a change.
pub struct Calls {
    /// The superuser's, whose session is open before the change, and has its caches and plans from then.
    pub warm: Part,
    /// Everybody's who come afterwards.
    pub fresh: Vec<Part>,
    /// What people look at; it takes as long as all the rest, so not after every change.
    pub doctor: Part,
}

/// Calls of every function that is written in C, of every view, and of what people run most.
pub fn all(scene: &Scene) -> Calls {
    let mut catalog = scene.template();
    let in_c = functions_in_c(scene, &mut catalog);
    let (with_workers, mut alone): (Vec<_>, Vec<_>) = in_c.into_iter().partition(|call| {
        WITH_WORKERS
            .iter()
            .any(|name| call.contains(&format!("clerk.{name}(")))
    });
    alone.extend(usual(scene));
    let mut owners = alone.clone();
    owners.extend(with_workers);
    owners.extend(views(&mut catalog));
    owners.push("SELECT clerk.maintain()".to_owned());
    let mut peoples = helpers();
    peoples.extend(PEOPLES_VIEWS.map(|view| format!("SELECT * FROM clerk.{view}")));
    let by_claims = |role: &str| {
        vec![
            format!(
                "SELECT set_config('request.jwt.claims', '{}', false)",
                scene.claims(role)
            ),
            "SELECT set_config('request.headers', '{\"host\": \"x\"}', false)".to_owned(),
        ]
    };
    let by_token = || {
        vec![format!(
            "SELECT set_config('clerk.jwt', '{}', false)",
            scene.token()
        )]
    };
    let part = |role, before, calls| Part { role, before, calls };
    Calls {
        warm: part("postgres", by_claims("authenticated"), alone),
        fresh: vec![
            part(OWNER, by_token(), owners),
            part("anon", by_claims("anon"), helpers()),
            part("authenticated", by_token(), peoples),
            part("service_role", by_claims("service_role"), usual(scene)),
        ],
        doctor: part(
            "service_role",
            Vec::new(),
            [
                "SELECT * FROM clerk.doctor()",
                "SELECT * FROM clerk.status",
                "SELECT clerk.maintain()",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
    }
}

fn helpers() -> Vec<String> {
    [
        "current_user_id()",
        "current_org_id()",
        "current_org_permissions()",
        "current_claims()",
        "has_permission('org:posts:read')",
        "has_role('admin')",
        "has_reverification('strict')",
        "whoami()",
        "check_request()",
        "pre_request()",
        "ensure_current_user()",
    ]
    .map(|call| format!("SELECT * FROM clerk.{call}"))
    .to_vec()
}

const PEOPLES_VIEWS: [&str; 4] = ["me", "my_memberships", "my_organizations", "profiles"];

/// Functions that start a worker, or wait for one.
const WITH_WORKERS: [&str; 9] = [
    "ask_clerk",
    "configure",
    "maintain",
    "refresh_jwks",
    "start_backfill",
    "start_reconcile",
    "sync_organization",
    "sync_user",
    "webhook_portal_url",
];

/// Calls that would leave nothing to read for the others.
const TAKES_AWAY: [&str; 6] = [
    "drop_event_handler",
    "drop_secret_key",
    "drop_webhook_signing_secret",
    "remove_instance",
    "set_identity_source",
    "set_secret_key",
];

/// Each with the arguments that it must have.
fn functions_in_c(scene: &Scene, catalog: &mut Client) -> Vec<String> {
    let rows = catalog.query(
        "SELECT p.proname::text,
                ARRAY(SELECT COALESCE(p.proargnames[n], '') FROM generate_series(1, p.pronargs - p.pronargdefaults) AS n ORDER BY n),
                ARRAY(SELECT p.proargtypes[n - 1]::regtype::text FROM generate_series(1, p.pronargs - p.pronargdefaults) AS n ORDER BY n)
         FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
         WHERE p.pronamespace = 'clerk'::regnamespace AND l.lanname = 'c' AND p.prokind = 'f'
           AND p.prorettype <> 'trigger'::regtype AND p.proname <> 'follow_run' ORDER BY p.proname",
        &[],
    );
    let rows = rows.expect("the catalog can be read");
    let call = |row: &postgres::Row| {
        let (function, arguments): (String, Vec<String>) = (row.get(0), row.get(1));
        let types: Vec<String> = row.get(2);
        let arguments = arguments
            .iter()
            .zip(&types)
            .map(|(name, of)| argument(scene, &function, name, of));
        let call = format!(
            "SELECT * FROM clerk.{function}({})",
            arguments.collect::<Vec<_>>().join(", ")
        );
        if TAKES_AWAY.contains(&function.as_str()) {
            format!("BEGIN; {call}; ROLLBACK")
        } else {
            call
        }
    };
    rows.iter().map(call).collect()
}

/// A good value for an argument of this name and type.
fn argument(scene: &Scene, function: &str, name: &str, of: &str) -> String {
    match (name, of) {
        ("token", _) => format!("'{}'", scene.token()),
        ("issuer" | "instance", _) => format!("'{}'", scene.clerk.issuer()),
        ("resource", _) => "'users'".to_owned(),
        ("source", _) => "'auto'".to_owned(),
        ("svix_id", _) => "'msg_ada'".to_owned(),
        ("id", "text") if function == "sync_user" => "'user_ada'".to_owned(),
        ("id", "text") => "'org_b'".to_owned(),
        ("preset_or_level", _) => "'strict'".to_owned(),
        ("body", "text") => format!("$x${}$x$", scene.delivery("msg_call").0),
        ("headers", _) => format!("$x${}$x$", scene.delivery("msg_call").1),
        ("event", _) => format!("$x${}$x$", user_created()),
        ("objects" | "events", _) => "'[]'".to_owned(),
        ("jwks", _) => format!("$x${}$x$", scene.clerk.jwks()),
        ("pattern", _) => "'user.*'".to_owned(),
        ("secret", _) if function == "set_secret_key" => format!("'{}'", scene.clerk.secret_key()),
        ("secret", _) => format!("'{}'", scene.signing),
        (_, "regproc") => "'hooks.handle'".to_owned(),
        (_, "bigint" | "integer") => "1".to_owned(),
        (_, "boolean") => "false".to_owned(),
        (_, "text[]") => "'{a}'".to_owned(),
        (_, "timestamp with time zone") => "'2025-06-15'".to_owned(),
        _ => "'x'".to_owned(),
    }
}

fn views(catalog: &mut Client) -> Vec<String> {
    let rows = catalog.query(
        "SELECT format('SELECT * FROM %s', c.oid::regclass) FROM pg_class AS c
         WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind = 'v' ORDER BY c.relname",
        &[],
    );
    rows.expect("the catalog can be read")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// What people do.
fn usual(scene: &Scene) -> Vec<String> {
    let (body, headers) = scene.delivery("msg_usual");
    let at = 1_760_000_000_000_i64;
    let organization = format!(
        r#"{{"type": "organization.created", "object": "event", "timestamp": {at},
             "data": {{"id": "org_b", "object": "organization", "name": "B", "slug": "b", "created_at": {at}, "updated_at": {at}}}}}"#
    );
    let membership = format!(
        r#"{{"type": "organizationMembership.created", "object": "event", "timestamp": {at},
             "data": {{"id": "orgmem_b", "object": "organization_membership", "role": "org:admin", "created_at": {at}, "updated_at": {at},
                       "organization": {{"id": "org_b", "object": "organization", "name": "B", "created_at": {at}, "updated_at": {at}}},
                       "public_user_data": {{"user_id": "user_ada"}}}}}}"#
    );
    let deleted = format!(
        r#"{{"type": "user.deleted", "object": "event", "timestamp": {at}, "data": {{"id": "user_ada", "object": "user", "deleted": true}}}}"#
    );
    [
        "SELECT clerk.configure_mirror(max_attempts => 5)".to_owned(),
        "SELECT clerk.configure_requests(only_clerk => true)".to_owned(),
        format!("SELECT clerk.receive_webhook($x${body}$x$, $x${headers}$x$)"),
        format!("SELECT clerk.apply_event($x${organization}$x$, 'msg_organization')"),
        format!("SELECT clerk.apply_event($x${membership}$x$, 'msg_membership')"),
        format!("SELECT clerk.apply_event($x${deleted}$x$, 'msg_deleted')"),
        "SELECT clerk.replay_event('msg_ada')".to_owned(),
        "SELECT clerk.follow_run(1)".to_owned(),
        "SELECT clerk.postgrest_config()".to_owned(),
    ]
    .to_vec()
}

impl Part {
    /// Opens a session and signs somebody in; nothing of the extension has been asked yet.
    pub fn open(&self, scene: &Scene, database: &str) -> Session {
        let mut session = Session::new(scene.connect(database, self.role), self.role);
        session.ask(LIMIT);
        self.before.iter().for_each(|statement| session.ask(statement));
        session
    }

    /// Asks what fills caches and makes plans.
    pub fn warm_up(&self, session: &mut Session) {
        let calls = self.calls.iter();
        let fills = |call: &&String| {
            ["current_user_id(", "verify_jwt(", "apply_", "retry_failed("]
                .iter()
                .any(|name| call.contains(name))
        };
        calls.filter(fills).for_each(|call| session.ask(call));
    }

    /// Asks everything, and the functions that are changed themselves.
    pub fn ask(&self, session: &mut Session, change: Option<&Change>) {
        self.calls.iter().for_each(|call| session.ask(call));
        if let Some((name, arguments)) = change.and_then(|change| change.function.as_ref()) {
            let nulls = vec!["NULL"; *arguments].join(", ");
            session.ask(&format!("SELECT {name}({nulls})"));
            // In a parallel worker too, if that is what it says it can.
            session.ask(&in_parallel("on"));
            session.ask(&format!("SELECT {name}({nulls})"));
            let own = |call: &&String| call.contains(&format!("{name}("));
            self.calls.iter().filter(own).for_each(|call| session.ask(call));
            session.ask(&in_parallel("off"));
        }
    }
}

/// Has whatever is parallel safe run in a parallel worker, or no longer.
fn in_parallel(switch: &str) -> String {
    format!(
        "SELECT set_config(name, '{switch}', false) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')"
    )
}

/// A session and what it has seen that it must not see.
pub struct Session {
    client: Client,
    role: &'static str,
    pub faults: Vec<String>,
    pub calls: usize,
}

impl Session {
    fn new(client: Client, role: &'static str) -> Self {
        Self {
            client,
            role,
            faults: Vec::new(),
            calls: 0,
        }
    }

    fn ask(&mut self, statement: &str) {
        if self.client.is_closed() {
            return;
        }
        self.calls += 1;
        let Err(error) = self.client.batch_execute(statement) else {
            return;
        };
        let _ = self.client.batch_execute("ROLLBACK");
        let told = match error.as_db_error() {
            Some(told) if is_ordinary(told.code().code(), told.message()) => return,
            Some(told) => format!("{} {}", told.code().code(), told.message()),
            None => "the connection was lost".to_owned(),
        };
        // The same is told once.
        if !self.faults.iter().any(|fault| fault.starts_with(&told)) {
            let statement: String = statement.chars().take(120).collect();
            self.faults
                .push(format!("{told}\n    {} asked {statement}", self.role));
        }
    }
}
