-- Who may do what.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

CREATE VIEW test.fault_of_call AS
SELECT call, fault.code, fault.message
FROM unnest(ARRAY[
    'SELECT clerk.configure()', $$SELECT clerk.import_jwks('i', '{}')$$, $$SELECT clerk.inspect_jwt('t')$$, 'SELECT clerk.refresh_jwks()',
    $$SELECT clerk.remove_instance('i')$$, $$SELECT clerk.set_identity_source('s')$$, $$SELECT clerk.verify_jwt('t')$$,
    'SELECT clerk.configure_mirror()', $$SELECT clerk.add_webhook_signing_secret('s')$$, $$SELECT clerk.drop_webhook_signing_secret('f')$$,
    'SELECT clerk.webhook_signing_secrets()', $$SELECT clerk.verify_webhook('{}', '{}')$$, $$SELECT clerk.replay_event('e')$$,
    'SELECT clerk.retry_failed()', 'SELECT clerk.prune_webhook_events()', 'SELECT clerk.maintain()',
    $$SELECT clerk.grant_admin('anon')$$, $$SELECT clerk.revoke_admin('anon')$$, $$SELECT clerk.change_admin('anon', true)$$,
    'SELECT FROM clerk.instances', 'SELECT FROM clerk.jwks', 'SELECT FROM clerk.jwks_fetches', 'SELECT FROM clerk.settings',
    'SELECT FROM clerk.webhook_events', 'SELECT FROM clerk.webhook_rejections', 'SELECT FROM clerk.secrets', 'SELECT FROM clerk.secret_uses',
    'SELECT clerk.start_backfill()', 'SELECT FROM clerk.doctor()', 'SELECT clerk.eject()', 'SELECT clerk.uninstall()',
    'SELECT clerk.connect_postgrest()', 'SELECT clerk.sync_realtime_keys()', $$SELECT clerk.write_realtime_keys('{}')$$,
    'SELECT FROM clerk.sync_runs', 'SELECT FROM clerk.maintenance_rounds', 'SELECT FROM clerk.status', 'SELECT FROM clerk.postgrest_keys',
    'SELECT FROM clerk.former_addresses',
    'SELECT FROM clerk.users',
    'DELETE FROM clerk.instances', $$UPDATE clerk.jwks SET n = ''$$, $$INSERT INTO clerk.settings VALUES (true, 'claims')$$,
    'DELETE FROM clerk.secrets', 'TRUNCATE clerk.jwks_fetches', 'CREATE TABLE clerk.mine ()',
    'CREATE FUNCTION clerk.mine() RETURNS trigger LANGUAGE c AS $f$clerk_sync$f$, $f$clerk_trust_changed$f$',
    'CREATE TRIGGER mine AFTER INSERT ON clerk.jwks EXECUTE FUNCTION clerk.trust_changed()'
]) WITH ORDINALITY AS calls (call, number), test.fault(call) AS fault
ORDER BY number;
ALTER VIEW test.fault_of_call SET (security_invoker = true);
GRANT SELECT ON test.fault_of_call TO PUBLIC;
\pset format unaligned

-- Everybody else.
SET LOCAL ROLE anon;
SELECT * FROM test.fault_of_call;

-- An administrator calls the functions and reads the tables, and passes nothing on.
RESET ROLE;
SET LOCAL ROLE administrator;
SELECT * FROM test.fault_of_call;

-- And is none any more.
RESET ROLE;
SELECT clerk.revoke_admin('administrator');
SET LOCAL ROLE administrator;
SELECT * FROM test.fault_of_call WHERE code IS DISTINCT FROM '42501';
RESET ROLE;
SELECT clerk.grant_admin(NULL), clerk.revoke_admin(NULL);
ROLLBACK;
