-- What administrators call that is not declared in Rust.

CREATE FUNCTION clerk.import_jwks(issuer text, keys text, kid text DEFAULT NULL) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_import_jwks';
COMMENT ON FUNCTION clerk.import_jwks(text, text, text) IS
    'Makes keys the instance''s whole set without fetching; returns how many there are. keys is a key set ({"keys": […]}, RFC 7517), or a public key as PEM, which needs kid, the instance''s id (ins_…), and is for RS256. Refuses (22023) private and symmetric keys, RSA keys under 2048 bits, repeated key ids, sets without a usable key, a PEM without kid and a set with one; other kinds of public keys are left out. NULL for NULL as issuer or keys. Raises 42704 for an unknown issuer. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

-- Handing the administrator's functions to another role.

CREATE FUNCTION clerk.change_grants(grantee regrole, give boolean, functions regproc[], relations regclass[]) RETURNS void
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    verb CONSTANT text := CASE WHEN give THEN 'GRANT' ELSE 'REVOKE' END;
    preposition CONSTANT text := CASE WHEN give THEN 'TO' ELSE 'FROM' END;
    one_function regproc;
    one_relation regclass;
BEGIN
    FOREACH one_function IN ARRAY functions LOOP
        EXECUTE format('%s EXECUTE ON ROUTINE %s %s %s', verb, one_function::regprocedure, preposition, grantee);
    END LOOP;
    FOREACH one_relation IN ARRAY relations LOOP
        EXECUTE format('%s SELECT ON TABLE %s %s %s', verb, one_relation, preposition, grantee);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION clerk.change_grants(regrole, boolean, regproc[], regclass[]) IS
    'Lets a role call these functions and read these tables and views, or no longer. Callable by the owner.';

CREATE FUNCTION clerk.change_admin(grantee regrole, give boolean) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT clerk.change_grants(grantee, give, ARRAY[
        'clerk.add_webhook_signing_secret', 'clerk.configure', 'clerk.configure_mirror', 'clerk.drop_event_handler',
        'clerk.drop_secret_key', 'clerk.drop_webhook_signing_secret', 'clerk.import_jwks', 'clerk.inspect_jwt', 'clerk.maintain', 'clerk.on_event',
        'clerk.configure_requests', 'clerk.postgrest_connection', 'clerk.service_env',
        'clerk.prune_webhook_events', 'clerk.refresh_jwks', 'clerk.remove_instance', 'clerk.replay_event',
        'clerk.retry_failed', 'clerk.secret_keys', 'clerk.set_identity_source', 'clerk.set_secret_key', 'clerk.verify_jwt', 'clerk.verify_webhook',
        'clerk.webhook_signing_secrets',
        'clerk.backfill', 'clerk.cancel_run', 'clerk.follow_run', 'clerk.reconcile', 'clerk.require_no_transaction', 'clerk.start_backfill', 'clerk.start_reconcile',
        'clerk.sync_organization', 'clerk.sync_user',
        'clerk.doctor', 'clerk.library_version', 'clerk.webhook_portal_url'
    ]::regproc[], ARRAY[
        'clerk.api_budgets', 'clerk.event_handlers', 'clerk.handler_runs', 'clerk.instances', 'clerk.jwks', 'clerk.jwks_fetches', 'clerk.settings',
        'clerk.webhook_events', 'clerk.webhook_rejections',
        'clerk.sync_progress', 'clerk.sync_runs', 'clerk.sync_steps', 'clerk.sync_watermarks',
        'clerk.token_problems', 'clerk.status',
        'clerk.maintenance_rounds'
    ]::regclass[])
$body$;
COMMENT ON FUNCTION clerk.change_admin(regrole, boolean) IS
    'What clerk.grant_admin() and clerk.revoke_admin() have in common. Callable by the owner.';

CREATE FUNCTION clerk.grant_admin(grantee regrole) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT clerk.change_admin(grantee, true)';
COMMENT ON FUNCTION clerk.grant_admin(regrole) IS
    'Lets a role configure instances and the mirror, bring keys and signing secrets, verify and inspect, keep the mirror going, register handlers, and read the tables behind that, the ledger with its payloads too; no secret. Such a role decides whom the database believes. Does nothing for NULL. Callable by the owner.';

CREATE FUNCTION clerk.revoke_admin(grantee regrole) RETURNS void
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT clerk.change_admin(grantee, false)';
COMMENT ON FUNCTION clerk.revoke_admin(regrole) IS
    'Takes back what clerk.grant_admin() gave. Does nothing for NULL. Callable by the owner.';
