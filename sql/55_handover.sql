-- Handing Clerk's keys to PostgREST: a function that it calls whenever it reads its configuration (pgrst.db_pre_config).
--
-- What PostgREST runs is SQL and PL/pgSQL over tables, so that it works also when our library's file is gone.

-- Never dumped: it may hold a shared secret. A restored database is connected anew.
CREATE TABLE clerk.postgrest_keys (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    own_keys jsonb NOT NULL CHECK (pg_catalog.jsonb_typeof(own_keys) OPERATOR(pg_catalog.=) 'array'),
    fingerprint text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    last_set text,
    realtime_since timestamptz,
    told_at timestamptz,
    repeat_due boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE clerk.postgrest_keys IS 'At most one row: the keys that PostgREST trusts besides Clerk''s. Nobody but the owner can read it, and no dump holds it. Changed by clerk.connect_postgrest(), described by clerk.postgrest_connection().';
COMMENT ON COLUMN clerk.postgrest_keys.only_row IS 'Always true: keeps the table to one row.';
COMMENT ON COLUMN clerk.postgrest_keys.own_keys IS 'The operator''s own keys, as JWKs. Secret. Empty if the operator said that there are none.';
COMMENT ON COLUMN clerk.postgrest_keys.fingerprint IS 'Beginning of the SHA-256 of the operator''s own keys.';
COMMENT ON COLUMN clerk.postgrest_keys.stored_at IS 'When the operator''s own keys were last given.';
COMMENT ON COLUMN clerk.postgrest_keys.last_set IS 'The whole set as it last was, for when it cannot be put together anew. Secret.';
COMMENT ON COLUMN clerk.postgrest_keys.realtime_since IS 'Since when clerk.maintain() keeps Realtime''s keys up to date. NULL: it does not.';
COMMENT ON COLUMN clerk.postgrest_keys.told_at IS 'When PostgREST was last told to read its configuration. NULL: never.';
COMMENT ON COLUMN clerk.postgrest_keys.repeat_due IS 'Whether the next round of maintenance tells it again.';

-- Ed25519 with a digest for its public key: of a key that nobody has, because nobody can work it out. Something has to stand where
-- there is no key, and PostgREST makes a password of a set that it cannot read.
CREATE FUNCTION clerk.nobodys_key(kid text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT jsonb_build_object(
        'kty', 'OKP', 'crv', 'Ed25519', 'use', 'sig', 'kid', kid,
        'x', translate(rtrim(encode(sha256('clerk_sync: nobody has this key'), 'base64'), '='), '+/', '-_')
    )
$body$;
COMMENT ON FUNCTION clerk.nobodys_key(text) IS
    'A public key, as JWK with that key id, to which nobody has the private one. Callable by the owner.';

-- A row that somebody wrote by hand must not make the whole set unreadable, so only what PostgREST can read takes part.
CREATE FUNCTION clerk.clerks_keys() RETURNS SETOF jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT jsonb_build_object(
        'kty', 'RSA', 'use', 'sig', 'kid', k.kid, 'alg', COALESCE(k.alg, 'RS256'),
        'n', rtrim(k.n, '='), 'e', rtrim(k.e, '=')
    )
    FROM clerk.jwks AS k
    WHERE rtrim(k.n, '=') !~ '[^A-Za-z0-9_-]' AND length(rtrim(k.n, '=')) BETWEEN 342 AND 1366 AND length(rtrim(k.n, '=')) % 4 <> 1
      AND rtrim(k.e, '=') !~ '[^A-Za-z0-9_-]' AND length(rtrim(k.e, '=')) BETWEEN 2 AND 6 AND length(rtrim(k.e, '=')) % 4 <> 1
      AND COALESCE(k.alg, 'RS256') IN ('RS256', 'RS384', 'RS512')
    ORDER BY k.issuer COLLATE "C", k.kid COLLATE "C"
$body$;
COMMENT ON FUNCTION clerk.clerks_keys() IS
    'The instances'' keys as JWKs, in a lasting order. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.postgrest_key_set() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT jsonb_build_object('keys', CASE k.keys WHEN '[]' THEN jsonb_build_array(clerk.nobodys_key('nobody')) ELSE k.keys END)::text
    FROM (SELECT p.own_keys || COALESCE((SELECT jsonb_agg(c) FROM clerk.clerks_keys() AS c), '[]') FROM clerk.postgrest_keys AS p) AS k (keys)
$body$;
COMMENT ON FUNCTION clerk.postgrest_key_set() IS
    'The key set for PostgREST as it should be now: the operator''s own keys, then the instances''. Secret. NULL if the operator''s are not known, because without them their tokens would be refused. STABLE. Callable by the owner.';

-- SECURITY DEFINER: authenticator, which calls it, must not read the tables.
CREATE FUNCTION clerk.postgrest_config() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    key_set text;
    installed CONSTANT boolean NOT NULL := EXISTS (
        SELECT FROM pg_db_role_setting AS s JOIN pg_roles AS r ON r.oid = s.setrole AND r.rolname = 'authenticator'
        WHERE 'pgrst.db_pre_config=clerk.postgrest_config' = ANY (s.setconfig)
          AND (s.setdatabase = 0 OR s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
    );
BEGIN
    IF NOT installed AND current_setting('pgrst.db_pre_config', true) = 'clerk.postgrest_config' THEN
        -- Taken out since this session logged in with the setting. It would keep PostgREST calling us.
        PERFORM set_config('pgrst.db_pre_config', '', true);
    END IF;
    -- Shorter than statement_timeout, so that somebody else's lock is an error that can be caught.
    PERFORM set_config('lock_timeout', '2s', true);
    BEGIN
        key_set := clerk.postgrest_key_set();
    EXCEPTION WHEN OTHERS THEN
        BEGIN
            SELECT p.last_set INTO key_set FROM clerk.postgrest_keys AS p;
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END;
    IF key_set IS NOT NULL THEN
        PERFORM set_config('pgrst.jwt_secret', key_set, true), set_config('pgrst.jwt_secret_is_base64', 'false', true);
    ELSIF installed AND current_setting('pgrst.jwt_secret', true) = '' THEN
        -- An earlier call in this session left the name behind with nothing in it, and PostgREST would drop the keys it has. A
        -- secret that is too short makes it keep its whole configuration as it is.
        PERFORM set_config('pgrst.jwt_secret', 'unavailable', true), set_config('pgrst.jwt_secret_is_base64', 'false', true);
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.postgrest_config() IS
    'For PostgREST''s pgrst.db_pre_config: sets pgrst.jwt_secret, for the transaction, to Clerk''s current keys and the operator''s own. When they cannot be read, to the last set that was known; when there is none, it leaves PostgREST with what it has. Never raises for what the tables hold, and never sets an empty set. Needs no library. VOLATILE. Callable by the owner, and by authenticator once clerk.connect_postgrest() was called.';

-- What is set for authenticator in this database goes before what is set everywhere.
CREATE FUNCTION clerk.authenticator_settings() RETURNS TABLE (name text, value text, reset text, everywhere boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT item.name, item.value, format(
        'ALTER ROLE authenticator %sRESET %s; NOTIFY pgrst, ''reload config''; NOTIFY pgrst, ''reload schema''',
        CASE WHEN s.setdatabase <> 0 THEN format('IN DATABASE %I ', current_database()) END, item.name),
        s.setdatabase = 0
    FROM pg_db_role_setting AS s
    JOIN pg_roles AS r ON r.oid = s.setrole AND r.rolname = 'authenticator'
    CROSS JOIN unnest(s.setconfig) AS config (entry)
    CROSS JOIN LATERAL (SELECT split_part(config.entry, '=', 1), substr(config.entry, strpos(config.entry, '=') + 1)) AS item (name, value)
    WHERE item.name LIKE 'pgrst.%' AND (s.setdatabase = 0 OR s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
    ORDER BY item.name, s.setdatabase DESC
$body$;
COMMENT ON FUNCTION clerk.authenticator_settings() IS
    'PostgREST''s settings of role authenticator, those of this database and those for all databases (everywhere), with the statement that takes each back. Where a name has both, this database''s holds here. A value may be a secret. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.postgrest_obstacles() RETURNS TABLE (obstacle text, mend text, mend_as text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH in_force AS (
        SELECT DISTINCT ON (s.name) s.* FROM clerk.authenticator_settings() AS s ORDER BY s.name, s.everywhere
    )
    SELECT 'there is no role authenticator, as which PostgREST would log in'::text,
           'CREATE ROLE authenticator LOGIN NOINHERIT; GRANT the roles of the API to it, and let PostgREST log in as it'::text,
           'SQL as superuser'::text
    WHERE NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'authenticator')
    UNION ALL
    SELECT CASE s.name
               WHEN 'pgrst.db_pre_config' THEN format('role authenticator has another function as pgrst.db_pre_config: %s', s.value)
               ELSE format('role authenticator has a setting %s, which goes before the keys that clerk.postgrest_config() gives and which everybody can read', s.name)
           END,
           s.reset,
           'SQL as superuser (supabase_admin), or as postgres where supautils is loaded'
    FROM in_force AS s
    WHERE s.name = 'pgrst.jwt_secret'
       OR s.name = 'pgrst.jwt_secret_is_base64' AND s.value <> 'false'
       OR s.name = 'pgrst.db_pre_config' AND s.value <> 'clerk.postgrest_config'
    UNION ALL
    -- Also where this database has its own: in every other one, whoever creates a schema "clerk" has PostgREST run their code.
    SELECT 'role authenticator has clerk.postgrest_config as pgrst.db_pre_config for all databases, where others may define a function of that name',
           s.reset,
           'SQL as superuser (supabase_admin), or as postgres where supautils is loaded'
    FROM clerk.authenticator_settings() AS s
    WHERE s.everywhere AND s.name = 'pgrst.db_pre_config' AND s.value = 'clerk.postgrest_config'
$body$;
COMMENT ON FUNCTION clerk.postgrest_obstacles() IS
    'Why PostgREST would not get its keys from clerk.postgrest_config(), each with the statement that mends it and who may run it. No row: nothing is in the way. Shows no key. STABLE. Callable by the owner.';

-- The one way of telling PostgREST anything. SECURITY DEFINER: triggers on the table are the owner's code, whoever calls.
CREATE FUNCTION clerk.tell_postgrest_to_read(repeat boolean) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_tell_postgrest_to_read';
COMMENT ON FUNCTION clerk.tell_postgrest_to_read(boolean) IS
    'Has PostgREST read its configuration twice when the transaction commits, because a reading may only learn which function the next one is to call, or fail where connections of PostgRESTs pool were cut; and notes when that was, and whether the next round of maintenance is to repeat it. To be called before the first DDL of a transaction. Raises 22004 for NULL. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.postgrest_listener() RETURNS timestamptz
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'clerk_postgrest_listener';
COMMENT ON FUNCTION clerk.postgrest_listener() IS
    'When the newest session of role authenticator in this database executed LISTEN pgrst, as PostgREST does after its start and after each loss of that session. NULL if no session listens, or where track_activities is off. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.open_postgrest() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    obstacle record;
BEGIN
    IF NOT EXISTS (SELECT FROM clerk.postgrest_keys) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the keys that PostgREST trusts until now are not known, and would be lost',
            HINT = 'Pass what PostgREST''s environment has as PGRST_JWT_SECRET (for Supabase JWT_JWKS or JWT_SECRET): SELECT * FROM clerk.connect_postgrest($1). ''none'' says that only Clerk''s tokens are to count.';
    END IF;
    FOR obstacle IN SELECT * FROM clerk.postgrest_obstacles() LOOP
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = obstacle.obstacle,
            DETAIL = format('%s: %s', obstacle.mend_as, obstacle.mend),
            HINT = 'Mend it, then call clerk.connect_postgrest() again. A secret that is set there is one of the keys to pass.';
    END LOOP;
    IF NOT EXISTS (SELECT FROM clerk.clerks_keys()) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'no key of a Clerk instance is known that could be handed over',
            HINT = CASE
                WHEN NOT EXISTS (SELECT FROM clerk.instances) THEN 'Run SELECT * FROM clerk.configure(publishable_key => ''pk_…'') first.'
                WHEN EXISTS (SELECT FROM clerk.instances AS i WHERE i.jwks_url IS NOT NULL) THEN 'Run SELECT clerk.refresh_jwks() first.'
                ELSE 'Bring the keys with clerk.import_jwks() first.'
            END;
    END IF;
    UPDATE clerk.postgrest_keys AS p SET last_set = clerk.postgrest_key_set() WHERE p.only_row;
    -- Before the GRANT, which a watcher of DDL would have told PostgREST of first.
    PERFORM clerk.tell_postgrest_to_read(repeat => true);
    GRANT EXECUTE ON FUNCTION clerk.postgrest_config() TO authenticator;
    IF NOT (SELECT c.installed AND c.guarded FROM clerk.postgrest_connection() AS c) THEN
        PERFORM clerk.set_authenticator_pre_config(true);
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.open_postgrest() IS
    'The part of clerk.connect_postgrest() that comes after the operator''s keys are stored. Callable by the owner.';

-- EXECUTE is in dumps, while the keys and the setting are not: whoever may still call it was connected when the dump was made.
CREATE FUNCTION clerk.forget_postgrest() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    DELETE FROM clerk.postgrest_keys AS p WHERE p.only_row;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'authenticator') THEN
        REVOKE EXECUTE ON FUNCTION clerk.postgrest_config() FROM authenticator;
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.forget_postgrest() IS
    'The part of clerk.disconnect_postgrest(forget_keys => true) that deletes the operator''s keys and takes back the right to call clerk.postgrest_config(). Callable by the owner.';

-- Row triggers, and always, as those that empty the caches. What stops PostgREST from hearing of a change must not stop the change.
CREATE FUNCTION clerk.tell_postgrest() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    UPDATE clerk.postgrest_keys AS p SET last_set = current.key_set
    FROM (SELECT clerk.postgrest_key_set()) AS current (key_set)
    WHERE p.only_row AND p.last_set IS DISTINCT FROM current.key_set;
    IF FOUND THEN
        PERFORM clerk.tell_postgrest_to_read(repeat => true);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    PERFORM pg_notify('pgrst', 'reload config');
    RAISE WARNING USING
        ERRCODE = SQLSTATE,
        MESSAGE = format('the set of keys that PostgREST falls back on could not be renewed: %s', SQLERRM),
        HINT = 'Mend it, then run SELECT * FROM clerk.connect_postgrest().';
    RETURN NULL;
END
$body$;
COMMENT ON FUNCTION clerk.tell_postgrest() IS
    'Trigger function of clerk_sync''s own tables: has PostgREST read its configuration anew when the set of keys has changed. Not to be called.';

CREATE TRIGGER tell_postgrest AFTER INSERT OR UPDATE OR DELETE ON clerk.jwks
    FOR EACH ROW EXECUTE FUNCTION clerk.tell_postgrest();
ALTER TABLE clerk.jwks ENABLE ALWAYS TRIGGER tell_postgrest;

-- SECURITY DEFINER: roles given clerk.grant_admin() may know how things stand, and no key.
CREATE FUNCTION clerk.postgrest_connection()
    RETURNS TABLE (
        installed boolean, guarded boolean, callable boolean, own_keys integer, clerk_keys integer, up_to_date boolean, fingerprint text,
        stored_at timestamptz, realtime_since timestamptz, told_at timestamptz
    )
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT
        EXISTS (
            SELECT FROM clerk.authenticator_settings() AS s
            WHERE s.name = 'pgrst.db_pre_config' AND s.value = 'clerk.postgrest_config' AND NOT s.everywhere
        ),
        EXISTS (SELECT FROM pg_event_trigger AS e WHERE e.evtname = 'clerk_sync_guard_postgrest' AND e.evtenabled = 'A'),
        EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'authenticator' AND has_function_privilege(r.oid, 'clerk.postgrest_config()', 'EXECUTE')),
        jsonb_array_length(p.own_keys),
        (SELECT count(*)::integer FROM clerk.clerks_keys()),
        p.last_set = clerk.postgrest_key_set(),
        p.fingerprint, p.stored_at, p.realtime_since, p.told_at
    FROM (SELECT) AS always LEFT JOIN clerk.postgrest_keys AS p ON true
$body$;
COMMENT ON FUNCTION clerk.postgrest_connection() IS
    'One row about the hand-over of keys to PostgREST: whether role authenticator has clerk.postgrest_config as pgrst.db_pre_config in this database, the extension cannot be dropped meanwhile, and authenticator may call that function; how many keys of the operator and of the instances the set has; whether PostgREST was told of the set as it is; fingerprint and date of the operator''s keys (NULL if they are not known); since when Realtime''s keys are kept up to date; when PostgREST was last told to read its configuration. STABLE. Callable by the owner and roles given clerk.grant_admin().';

-- One of the functions that stay a superuser's: only a superuser may change PostgREST's settings of a role.
CREATE FUNCTION clerk.set_authenticator_pre_config(install boolean) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_set_authenticator_pre_config';
COMMENT ON FUNCTION clerk.set_authenticator_pre_config(boolean) IS
    'Part of clerk.connect_postgrest() and disconnect_postgrest(): makes clerk.postgrest_config the pgrst.db_pre_config of role authenticator in this database, and switches the event trigger clerk_sync_guard_postgrest on, or takes that back. Belongs to a superuser. NULL for NULL. Raises 42501 where an owner of anything in schema clerk may not act as every role that authenticator can take on. Callable by the owner.';

-- A superuser's too. In C, because only that sees which command it is called for. It is off while PostgREST is not connected: were
-- the library's file gone, every command that it is called for would fail.
CREATE FUNCTION clerk.guard_postgrest() RETURNS event_trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'clerk_guard_postgrest';
COMMENT ON FUNCTION clerk.guard_postgrest() IS
    'Event trigger function: raises 55006 for a command that would drop this extension, or drop or rename schema clerk, while a setting of role authenticator has PostgREST call a function in that schema. Reads system catalogs only. Belongs to a superuser. Not to be called.';

CREATE EVENT TRIGGER clerk_sync_guard_postgrest ON ddl_command_start
    WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED', 'ALTER SCHEMA')
    EXECUTE FUNCTION clerk.guard_postgrest();
ALTER EVENT TRIGGER clerk_sync_guard_postgrest DISABLE;
COMMENT ON EVENT TRIGGER clerk_sync_guard_postgrest IS
    'Keeps the name that PostgREST calls from becoming anybody''s. clerk.connect_postgrest() switches it on, clerk.disconnect_postgrest() off.';

-- SECURITY DEFINER: triggers on the table are the owner's code, whoever calls.
CREATE FUNCTION clerk.connect_postgrest(existing_keys text DEFAULT NULL, secret_is_base64 boolean DEFAULT false) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_connect_postgrest';
COMMENT ON FUNCTION clerk.connect_postgrest(text, boolean) IS
    'Has the PostgREST of this database take Clerk''s keys from it, now and whenever they change, beside the keys it trusts until now; from then on DROP EXTENSION is refused. existing_keys is what its PGRST_JWT_SECRET holds: a key set, one JWK, or a shared secret of 32 bytes or more (base64 of it with secret_is_base64); ''none'' says that only Clerk''s tokens are to count; NULL keeps those of an earlier call. Clerk''s keys among them are left out. Answers {"own_keys", "clerk_keys", "fingerprint", "left_out"}. Raises 22004 if secret_is_base64 is NULL; 22023 for anything that PostgREST could misread, for a text that is public or has characters other than A-Z a-z 0-9 . _ ~ + / = - as shared secret (pass a JWK of type oct), for private or weak keys and where only Clerk''s keys are left; 55000 while no key of Clerk''s is known, for a shared secret in app.settings.jwt_secret that would be lost, and for a setting of role authenticator that would mask ours, with the statement that mends it in DETAIL; 42501 where this role may not have that power. Pass it as a parameter: statements can be logged. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.disconnect_postgrest(forget_keys boolean DEFAULT false) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_disconnect_postgrest';
COMMENT ON FUNCTION clerk.disconnect_postgrest(boolean) IS
    'Takes clerk.postgrest_config() out of the PostgREST of this database, which goes back to the keys of its environment; true if it was there. With forget_keys the operator''s own keys are deleted here too. NULL raises 22004. Raises 42501 as clerk.connect_postgrest(), with the statement by which a superuser does it. Warns if the setting is there for all databases. VOLATILE. Callable by the owner.';
