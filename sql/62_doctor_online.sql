-- clerk.doctor(online => true): what only Clerk can tell.

CREATE FUNCTION clerk.ask_clerk(issuer text, jwks_url text, has_secret_key boolean) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_ask_clerk';
COMMENT ON FUNCTION clerk.ask_clerk(text, text, boolean) IS
    'What a background worker learns of an instance from Clerk: {"keys", "clock_ahead", "secret_key"}; keys and secret_key are {"ok"} or {"error", "hint"}, null if there is no URL or no secret key. NULL for a NULL issuer. Raises 53400 when no worker is free, 55000 if it gives no answer. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.webhook_portal_url(instance text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_webhook_portal_url';
COMMENT ON FUNCTION clerk.webhook_portal_url(text) IS
    'A URL that opens Clerk''s log of webhook deliveries in a browser, where deliveries are seen and replayed, and endpoints enabled. Whoever has it can do that: hand it to nobody. A background worker asks Clerk for it with the secret key. instance is an issuer or an instance id; NULL is the only one. Raises 55000 without an instance or a secret key and when Clerk refuses, 22023 if there are several instances and none is named, 42704 for an unknown one, 53400 when no worker is free. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.doctor_online() RETURNS SETOF clerk.finding
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    one record;
    told jsonb;
    kept jsonb;
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN QUERY SELECT asked."check", 'note', 'not asked: a standby starts no workers', 'asked on the primary',
            'SELECT * FROM clerk.doctor(online => true);', 'SQL on the primary'
        FROM unnest(ARRAY['keys', 'clock', 'secret key']) AS asked ("check");
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM clerk.instances) THEN
        RETURN QUERY SELECT asked."check", 'note', 'no instance', 'see instances: configured', NULL, NULL
        FROM unnest(ARRAY['keys', 'clock', 'secret key']) AS asked ("check");
        RETURN;
    END IF;
    FOR one IN
        SELECT i.issuer, i.jwks_url, EXISTS (SELECT FROM clerk.secrets AS s WHERE s.kind = 'secret_key' AND s.issuer = i.issuer) AS has_key
        FROM clerk.instances AS i ORDER BY i.issuer
    LOOP
        told := clerk.ask_clerk(one.issuer, one.jwks_url, one.has_key);
        kept := (
            SELECT jsonb_agg(jsonb_build_object('kid', k.kid, 'n', k.n, 'e', k.e) ORDER BY k.kid COLLATE "C")
            FROM clerk.jwks AS k WHERE k.issuer = one.issuer
        );
        RETURN QUERY SELECT 'keys',
            CASE WHEN one.jwks_url IS NULL THEN 'note' WHEN told->'keys' ? 'error' THEN 'failed' WHEN fetched.keys = kept THEN 'ok' ELSE 'failed' END,
            format('%s: %s', one.issuer, CASE
                WHEN one.jwks_url IS NULL THEN 'no JWKS URL to ask'
                WHEN told->'keys' ? 'error' THEN told->'keys'->>'error'
                WHEN fetched.keys = kept THEN 'as Clerk has them'
                ELSE 'Clerk has other keys than are kept here'
            END),
            COALESCE(told->'keys'->>'hint', 'the keys that are kept are those that Clerk has'),
            CASE
                WHEN one.jwks_url IS NULL THEN format('SELECT clerk.import_jwks(%L, ''{"keys": […]}''); -- what https://<Frontend API>/.well-known/jwks.json answers', one.issuer)
                ELSE format('SELECT clerk.refresh_jwks(%L);', one.issuer)
            END,
            clerk.sql_as_owner()
        FROM (
            SELECT jsonb_agg(k ORDER BY k->>'kid' COLLATE "C") FROM jsonb_array_elements(told->'keys'->'ok') AS k
        ) AS fetched (keys);

        RETURN QUERY SELECT 'clock',
            CASE WHEN ahead.s IS NULL THEN 'note' WHEN abs(ahead.s) > 5 THEN 'warning' ELSE 'ok' END,
            format('%s: %s', one.issuer, CASE
                WHEN ahead.s IS NULL THEN 'Clerk told no time'
                WHEN abs(ahead.s) <= 5 THEN 'the clocks agree'
                ELSE format('Clerk''s clock is %s %s', clerk.span(round(abs(ahead.s))), CASE WHEN ahead.s > 0 THEN 'ahead' ELSE 'behind' END)
            END),
            'within 5 s of Clerk''s clock: tokens from farther ahead are refused',
            'timedatectl set-ntp true', 'the shell of the database server'
        FROM (SELECT (told->>'clock_ahead')::numeric) AS ahead (s);

        RETURN QUERY SELECT 'secret key',
            CASE WHEN NOT one.has_key THEN 'note' WHEN told->'secret_key' ? 'error' THEN 'failed' ELSE 'ok' END,
            format('%s: %s', one.issuer, CASE WHEN one.has_key THEN COALESCE(told->'secret_key'->>'error', 'Clerk accepts it') ELSE 'no secret key' END),
            COALESCE(told->'secret_key'->>'hint', 'Clerk accepts the secret key, and it is of this instance'),
            format('SELECT clerk.set_secret_key(''sk_…'', %L); -- as a parameter, because statements are logged', one.issuer), clerk.sql_as_owner();
    END LOOP;
END
$body$;
COMMENT ON FUNCTION clerk.doctor_online() IS
    'Checks of clerk.doctor(): what Clerk says when asked. VOLATILE. Callable by the owner.';
