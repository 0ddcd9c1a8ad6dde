-- What the random calls find in a database besides the extension. Run by the superuser; everybody may use it.

CREATE SCHEMA bait;
GRANT USAGE ON SCHEMA bait TO PUBLIC;

CREATE TABLE bait.tokens (n integer PRIMARY KEY, token text, claims text);
CREATE TABLE bait.deliveries (n integer PRIMARY KEY, body text, headers text);
CREATE TABLE bait.secrets (n integer PRIMARY KEY, secret text);
-- As a text can lie in memory: with a short header, plain, compressed, out of line and both.
CREATE TABLE bait.texts (n integer PRIMARY KEY, t text);
INSERT INTO bait.texts
SELECT n, CASE n % 4 WHEN 0 THEN 'short' WHEN 1 THEN repeat('plain', 100) WHEN 2 THEN repeat('compressed', 1000 * (n + 1))
          ELSE (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100 * (n + 1)) AS i) END
FROM generate_series(0, 23) AS n;
-- Several pages, for parallel scans.
CREATE TABLE bait.rows (n integer, t text);
INSERT INTO bait.rows SELECT n, repeat('x', 1500) FROM generate_series(1, 24) AS n;
GRANT SELECT ON bait.rows TO PUBLIC;
ANALYZE bait.rows;

CREATE FUNCTION bait.token(n integer) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS 'SELECT token FROM bait.tokens AS t WHERE t.n = $1';
CREATE FUNCTION bait.claims(n integer) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS 'SELECT claims FROM bait.tokens AS t WHERE t.n = $1';
CREATE FUNCTION bait.body(n integer) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS 'SELECT body FROM bait.deliveries AS d WHERE d.n = $1';
CREATE FUNCTION bait.headers(n integer) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS 'SELECT headers FROM bait.deliveries AS d WHERE d.n = $1';
CREATE FUNCTION bait.secret(n integer) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS 'SELECT secret FROM bait.secrets AS s WHERE s.n = $1 % 4';
CREATE FUNCTION bait.stored(n integer) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog
    AS 'SELECT t FROM bait.texts AS t WHERE t.n = $1';

-- The nth of what is there, as the extension's owner sees it; NULL if that cannot be read.
CREATE FUNCTION bait.known(kind text, n integer) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text;
    query CONSTANT text := CASE kind
        WHEN 'run' THEN 'SELECT id::text FROM clerk.sync_runs'
        WHEN 'handler' THEN 'SELECT id::text FROM clerk.event_handlers'
        WHEN 'delivery' THEN 'SELECT svix_id FROM clerk.webhook_events'
        WHEN 'user' THEN 'SELECT id FROM clerk.users'
        WHEN 'organization' THEN 'SELECT id FROM clerk.organizations'
        WHEN 'issuer' THEN 'SELECT issuer FROM clerk.instances'
        WHEN 'jwks_url' THEN 'SELECT jwks_url FROM clerk.instances'
        WHEN 'api_url' THEN 'SELECT api_url FROM clerk.instances'
        WHEN 'fingerprint' THEN 'SELECT fingerprint FROM clerk.webhook_signing_secrets()'
        WHEN 'jwks' THEN 'SELECT jsonb_build_object(''keys'', jsonb_agg(jsonb_build_object(''kty'', ''RSA'', ''kid'', kid, ''n'', n, ''e'', e)))::text FROM clerk.jwks'
    END;
BEGIN
    EXECUTE query || ' ORDER BY 1 DESC OFFSET $1 LIMIT 1' INTO found USING n % 5;
    RETURN found;
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE LIKE 'XX%' THEN
        RAISE;
    END IF;
    RETURN NULL;
END
$$;
ALTER FUNCTION bait.known OWNER TO installer;

CREATE FUNCTION bait.handler(event jsonb) RETURNS void LANGUAGE sql AS 'SELECT clerk.current_user_id()';
CREATE FUNCTION bait.bad_handler(event jsonb) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''bad''; END';

-- Somebody else's privileges, and code that runs within theirs.
CREATE FUNCTION bait.as_administrator(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'BEGIN EXECUTE statement; END';
ALTER FUNCTION bait.as_administrator OWNER TO administrator;
CREATE FUNCTION bait.as_bystander(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = evil, pg_catalog SET role = bystander AS 'BEGIN EXECUTE statement; END';
ALTER FUNCTION bait.as_bystander OWNER TO bystander;

-- Things of Postgres' own names, for callers who put them first on their search path. Whoever runs into one has looked a name
-- up where the caller chose.
CREATE SCHEMA evil;
GRANT USAGE, CREATE ON SCHEMA evil TO PUBLIC;
DO $$
DECLARE
    shadowed record;
BEGIN
    FOR shadowed IN
        SELECT DISTINCT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments
        FROM pg_proc AS p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0
          AND p.proname IN ('now', 'format', 'lower', 'btrim', 'split_part', 'starts_with', 'jsonb_array_length', 'jsonb_typeof',
              'statement_timestamp', 'clock_timestamp', 'current_setting', 'set_config', 'array_length', 'quote_ident', 'string_to_array',
              'regexp_replace', 'encode', 'sha256', 'convert_to', 'to_jsonb', 'pg_notify')
    LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS text LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''shadowed'''' USING ERRCODE = ''''EV1L0''''; END''',
            shadowed.proname, shadowed.arguments);
    END LOOP;
    FOR shadowed IN
        SELECT o.oprname, o.oprleft::regtype AS one, o.oprright::regtype AS other
        FROM pg_operator AS o
        WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind = 'b' AND o.oprname IN ('=', '<>', '||', '->', '->>', '<', '>=', '~')
          AND o.oprleft IN ('text'::regtype, 'name'::regtype, 'oid'::regtype, 'jsonb'::regtype, 'timestamptz'::regtype, 'bool'::regtype)
    LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s, %s) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''shadowed'''' USING ERRCODE = ''''EV1L0''''; END''',
            'operator ' || shadowed.oprname, shadowed.one, shadowed.other);
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%I)',
            shadowed.oprname, shadowed.one, shadowed.other, 'operator ' || shadowed.oprname);
    END LOOP;
END
$$;
