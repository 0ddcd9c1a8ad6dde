-- What PostgREST asks before each request (pgrst.db_pre_request), and what its neighbours are given.

CREATE FUNCTION clerk.check_request() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'clerk_check_request';
COMMENT ON FUNCTION clerk.check_request() IS
    'What clerk.pre_request() is to do with the request that request.headers and request.jwt.claims describe: {"refused": …}, or what to set: role, claims, jwt. Raises nothing for what the request brought. VOLATILE. Callable by everyone: it gives nothing that a valid token does not.';

-- With the rights of the request's role: a function with others could not change the role. What it sets ends with the transaction.
CREATE FUNCTION clerk.pre_request() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    verdict CONSTANT jsonb := clerk.check_request();
    refused CONSTANT jsonb := verdict->'refused';
BEGIN
    IF refused IS NOT NULL THEN
        -- The way of PostgREST to choose the status and headers of an error.
        RAISE EXCEPTION USING
            ERRCODE = 'PGRST',
            MESSAGE = (refused - 'status')::text,
            DETAIL = jsonb_build_object(
                'status', refused->'status',
                'headers', CASE refused->>'status' WHEN '401' THEN '{"WWW-Authenticate": "Bearer error=\"invalid_token\""}'::jsonb ELSE '{}' END
            )::text;
    END IF;
    IF verdict ? 'jwt' THEN
        PERFORM set_config('clerk.jwt', verdict->>'jwt', true);
    END IF;
    IF verdict ? 'role' THEN
        PERFORM set_config('request.jwt.claims', ((verdict->'claims') || jsonb_build_object('role', verdict->'role'))::text, true);
        PERFORM set_config('role', verdict->>'role', true);
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.pre_request() IS
    'For PostgREST''s pgrst.db_pre_request, or to be called by one''s own. Verifies a Clerk token in Authorization once more, with what PostgREST does not look at: its kind, authorized party, and that the key is the issuer''s own. As clerk.configure_requests() says, also refuses tokens of anybody but Clerk, and signs a request in by a Clerk token in a header of its own. A refusal is HTTP 401 with Clerk''s reason code in details (SQLSTATE PGRST); 503 when keys could not be looked for. VOLATILE. Callable by everyone: it gives nothing that a valid token does not.';

-- SECURITY DEFINER: whoever may ask sees the public keys only.
CREATE FUNCTION clerk.service_env() RETURNS TABLE (service text, setting text, line text, value text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH own AS (
        SELECT key FROM clerk.postgrest_keys AS p, jsonb_array_elements(p.own_keys) AS key WHERE key->>'kty' <> 'oct'
        UNION ALL
        SELECT clerk.nobodys_key('PUT-YOUR-SHARED-SECRET-HERE-AS-OCT-KEY') FROM clerk.postgrest_keys AS p WHERE p.own_keys @> '[{"kty": "oct"}]'
        UNION ALL
        SELECT clerk.nobodys_key('PUT-THE-KEYS-HERE-THAT-ARE-THERE-NOW') WHERE NOT EXISTS (SELECT FROM clerk.postgrest_keys)
    ), key_set AS (
        -- Within single quotes, where a shell and docker compose take everything as it is.
        SELECT replace(jsonb_build_object('keys', jsonb_agg(a.key))::text, '''', '\u0027') AS keys
        FROM (SELECT key FROM own UNION ALL SELECT clerk.clerks_keys()) AS a (key)
    )
    SELECT v.service, v.setting, format('%s=''%s''', v.setting, k.keys), k.keys
    FROM key_set AS k, (VALUES
        ('docker compose of Supabase: .env', 'JWT_JWKS'), ('PostgREST', 'PGRST_JWT_SECRET'), ('Realtime', 'API_JWT_JWKS'),
        ('Storage', 'JWT_JWKS'), ('Edge Functions', 'SUPABASE_JWKS')
    ) AS v (service, setting)
    WHERE EXISTS (SELECT FROM clerk.clerks_keys())
    UNION ALL
    SELECT 'Supabase CLI: config.toml', 'auth.third_party.clerk', format(E'[auth.third_party.clerk]\nenabled = true\ndomain = "%s"', domain.name), NULL
    FROM clerk.instances AS i, LATERAL (SELECT regexp_replace(i.issuer, '^https://', '')) AS domain (name)
    WHERE domain.name ~ '^(clerk([.][a-z0-9-]+){2,}|([a-z0-9-]+[.])+clerk[.]accounts[.]dev)$'
$body$;
COMMENT ON FUNCTION clerk.service_env() IS
    'The lines with which services that read keys once, at their start, are given Clerk''s keys: of docker compose''s .env for all, or of each service; and of the Supabase CLI''s config.toml for instances that it accepts. The operator''s own public keys are in them; instead of the operator''s secret there is a key that nobody has, with an id that says what to put there. value is the key set alone, as clerk.connect_postgrest() takes it, where the placeholder stands for the secret that is stored; NULL for the CLI. No lines of keys while no instance''s key is known. STABLE. Callable by the owner and roles given clerk.grant_admin().';
