//! The breakages of our own state that SQL can make and mend; those of what is around us are in `surroundings`.

/// One way to break a healthy project.
pub struct Breakage {
    /// Run by a superuser.
    pub break_it: &'static str,
    pub area: &'static str,
    pub check: &'static str,
    pub status: &'static str,
    /// What the finding must name.
    pub names: &'static str,
    /// Other checks that may complain of the same breakage.
    pub also: &'static [(&'static str, &'static str)],
    /// Whether all is well only once a delivery has come.
    pub needs_delivery: bool,
    /// Run by a superuser afterwards, so that the next breakage meets the project as it was.
    pub tidy: &'static str,
}

pub const PLAIN: Breakage = Breakage {
    break_it: "",
    area: "",
    check: "",
    status: "failed",
    names: "",
    also: &[],
    needs_delivery: false,
    tidy: "",
};

pub const BREAKAGES: &[Breakage] = &[
    Breakage {
        break_it: "ALTER ROLE authenticator SET session_preload_libraries = ''",
        area: "library",
        check: "preloaded",
        status: "warning",
        names: "authenticator",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER TABLE clerk.jwks ENABLE TRIGGER trust_changed; DROP TRIGGER trust_changed ON clerk.secrets",
        area: "library",
        check: "cache triggers",
        names: "clerk.jwks, clerk.secrets",
        ..PLAIN
    },
    Breakage {
        break_it: "INSERT INTO clerk.instances (issuer, environment, instance_id) VALUES ('https://dev.example', 'development', 'ins_dev')",
        area: "instances",
        check: "one environment",
        status: "warning",
        names: "development and production",
        also: &[("keys", "present"), ("webhooks", "signing secret")],
        ..PLAIN
    },
    Breakage {
        break_it: "INSERT INTO clerk.settings (identity_source) VALUES ('token')",
        area: "instances",
        check: "identity source",
        status: "warning",
        names: "token",
        ..PLAIN
    },
    Breakage {
        break_it: "DELETE FROM clerk.jwks WHERE true",
        area: "keys",
        check: "present",
        names: "no key",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.jwks_fetches SET succeeded_at = now() - interval '3 days' WHERE true",
        area: "keys",
        check: "age",
        status: "warning",
        names: "3 days ago",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.jwks_fetches SET last_error = 'the answer was HTTP 404', last_error_at = now() WHERE true",
        area: "keys",
        check: "last fetch",
        names: "HTTP 404",
        ..PLAIN
    },
    Breakage {
        break_it: "DELETE FROM clerk.secrets WHERE kind = 'webhook_signing'",
        area: "webhooks",
        check: "signing secret",
        names: "no signing secret",
        needs_delivery: true,
        ..PLAIN
    },
    Breakage {
        break_it: "INSERT INTO clerk.secrets (kind, fingerprint, issuer, vault_name)
                   SELECT 'webhook_signing', 'vault:gone', issuer, 'gone' FROM clerk.instances",
        area: "webhooks",
        check: "usable",
        names: "the vault has no secret named \"gone\"",
        tidy: "DELETE FROM clerk.secrets WHERE vault_name = 'gone'; DELETE FROM vault.secrets WHERE name = 'gone'",
        ..PLAIN
    },
    Breakage {
        break_it: "INSERT INTO clerk.webhook_rejections VALUES ('webhook-signature-mismatch', date_trunc('minute', now()));
                   UPDATE clerk.secret_uses SET last_used_at = now() - interval '1 hour' WHERE true",
        area: "webhooks",
        check: "last rejection",
        status: "warning",
        names: "webhook-signature-mismatch",
        needs_delivery: true,
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.webhook_events SET state = 'failed', last_error = '55P03: locked', next_attempt_at = now() + interval '1 hour' WHERE true",
        area: "webhooks",
        check: "failed events",
        status: "warning",
        names: "55P03",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.webhook_events SET state = 'failed', next_attempt_at = now() - interval '1 hour' WHERE true",
        area: "webhooks",
        check: "failed events",
        names: "is due",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.webhook_events SET state = 'quarantined', last_error = 'P0001: no' WHERE true",
        area: "webhooks",
        check: "quarantined events",
        names: "P0001",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE FUNCTION public.handler(event jsonb) RETURNS void LANGUAGE sql AS '';
                   SET ROLE project; SELECT clerk.on_event('*', 'public.handler'); RESET ROLE;
                   INSERT INTO clerk.handler_runs (handler_id, svix_id, next_attempt_at)
                   SELECT h.id, 'msg_first', now() - interval '1 hour' FROM clerk.event_handlers AS h",
        area: "webhooks",
        check: "handler calls",
        names: "1 overdue",
        tidy: "DELETE FROM clerk.event_handlers WHERE true; DROP FUNCTION public.handler",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE anon SET synchronous_commit = off",
        area: "webhooks",
        check: "synchronous_commit",
        status: "warning",
        names: "off for anon",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE service_role IN DATABASE project SET synchronous_commit = off",
        area: "webhooks",
        check: "synchronous_commit",
        status: "warning",
        names: "off for service_role",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.secrets SET secret = NULL, vault_name = 'gone' WHERE kind = 'secret_key'",
        area: "sync",
        check: "secret key",
        names: "the vault has no secret named \"gone\"",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.sync_watermarks SET read_whole_at = NULL WHERE resource = 'users'",
        area: "sync",
        check: "history",
        status: "warning",
        names: "never read whole: users",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.sync_runs SET finished_at = now() - interval '4 hours' WHERE true",
        area: "sync",
        check: "last reconcile",
        status: "warning",
        names: "4 h ago",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.sync_runs SET state = 'failed', last_error = 'HTTP 401: no', last_hint = 'another key'
                   WHERE id = (SELECT max(id) FROM clerk.sync_runs WHERE kind = 'backfill')",
        area: "sync",
        check: "runs",
        names: "HTTP 401: no",
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.sync_runs SET state = 'running', finished_at = NULL, heartbeat_at = now() - interval '1 hour'
                   WHERE id = (SELECT max(id) FROM clerk.sync_runs WHERE kind = 'reconcile')",
        area: "sync",
        check: "runs",
        names: "is stuck since",
        also: &[("sync", "last reconcile")],
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.maintenance_rounds SET error = 'keys: no route' WHERE true",
        area: "maintenance",
        check: "last round",
        status: "warning",
        names: "keys: no route",
        ..PLAIN
    },
    Breakage {
        break_it: "INSERT INTO clerk.maintenance_rounds (caller, started_at) VALUES ('launcher', now() - interval '11 minutes')",
        area: "maintenance",
        check: "last round",
        status: "warning",
        names: "has not ended",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator IN DATABASE project RESET pgrst.db_pre_config",
        area: "postgrest",
        check: "connected",
        names: "not connected",
        ..PLAIN
    },
    Breakage {
        break_it: "REVOKE EXECUTE ON FUNCTION clerk.postgrest_config FROM authenticator",
        area: "postgrest",
        check: "connected",
        names: "authenticator may not call it",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER EVENT TRIGGER clerk_sync_guard_postgrest DISABLE",
        area: "postgrest",
        check: "guarded",
        names: "the extension can be dropped",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator SET pgrst.db_pre_config = 'clerk.postgrest_config'",
        area: "postgrest",
        check: "not masked",
        names: "for all databases",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator SET pgrst.db_pre_request = 'clerk.pre_request'",
        area: "postgrest",
        check: "requests",
        names: "for all databases",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator IN DATABASE project SET pgrst.db_pre_config = 'public.other'",
        area: "postgrest",
        check: "not masked",
        names: "public.other",
        also: &[("postgrest", "connected")],
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator IN DATABASE project SET pgrst.jwt_secret = '[{\"kty\": \"RSA\", \"n\": \"OpenSesame\"}]'",
        area: "postgrest",
        check: "no password",
        names: "it is no shared secret but a JSON array",
        also: &[("postgrest", "not masked"), ("secrets", "none in settings")],
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator SET pgrst.jwt_secret = '{\"keys\": [{\"kty\": \"oct\", \"k\": \"T3BlblNlc2FtZQ\"}]}'",
        area: "postgrest",
        check: "not masked",
        names: "pgrst.jwt_secret",
        also: &[("postgrest", "no password"), ("secrets", "none in settings")],
        ..PLAIN
    },
    Breakage {
        break_it: "UPDATE clerk.postgrest_keys SET last_set = '{\"keys\": []}' WHERE true",
        area: "postgrest",
        check: "key set",
        names: "is not the one that there is now",
        ..PLAIN
    },
];
