-- clerk.doctor(): which instances are believed, and with which keys.

-- Realtime asks the policies of the tables that it publishes, too. A function of the application's may be between a policy and us.
CREATE FUNCTION clerk.policies_of_services() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT string_agg(format('%I on %s', p.polname, c.oid::regclass), ', ' ORDER BY c.oid::regclass::text COLLATE "C", p.polname)
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE (
            n.nspname IN ('storage', 'realtime')
            OR EXISTS (SELECT FROM pg_publication_tables AS t WHERE t.pubname = 'supabase_realtime' AND t.schemaname = n.nspname AND t.tablename = c.relname)
        )
        AND EXISTS (
            SELECT FROM pg_depend AS d JOIN pg_proc AS f ON f.oid = d.refobjid
            WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
              AND (f.pronamespace = 'clerk'::regnamespace OR f.prosrc ~ '\mclerk\s*[.]')
        )
$body$;
COMMENT ON FUNCTION clerk.policies_of_services() IS
    'The policies that Supabase''s Storage and Realtime have checked and that ask this extension, as a text. NULL: none. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_instances() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'configured', CASE WHEN count(*) > 0 THEN 'ok' ELSE 'failed' END,
        COALESCE(string_agg(format('%s (%s)', i.issuer, i.environment), ', ' ORDER BY i.issuer), 'no instance'),
        'at least one Clerk instance whose tokens are believed',
        'SELECT * FROM clerk.configure(publishable_key => ''pk_live_…''); -- the key is under API keys in Clerk''s dashboard',
        clerk.sql_as_owner()
    FROM clerk.instances AS i

    UNION ALL
    SELECT 'one environment', CASE WHEN min(i.environment) <> max(i.environment) THEN 'warning' ELSE 'ok' END,
        COALESCE(string_agg(DISTINCT i.environment, ' and ' ORDER BY i.environment), 'no instance'),
        'test keys and live keys not at once: whoever can sign up at a development instance is believed here',
        string_agg(format('SELECT clerk.remove_instance(%L);', i.issuer), ' ' ORDER BY i.issuer) FILTER (WHERE i.environment = 'development'),
        clerk.sql_as_owner()
    FROM clerk.instances AS i

    UNION ALL
    SELECT 'authorized parties', CASE WHEN count(*) > 0 THEN 'note' ELSE 'ok' END,
        COALESCE('any origin: ' || string_agg(i.issuer, ', ' ORDER BY i.issuer), 'named for every production instance'),
        'the origins of your frontends, so that tokens made for other pages do not count',
        string_agg(format('SELECT * FROM clerk.configure(issuer => %L, authorized_parties => ARRAY[''https://…'']);', i.issuer), ' ' ORDER BY i.issuer),
        clerk.sql_as_owner()
    FROM clerk.instances AS i WHERE i.environment = 'production' AND i.authorized_parties = '{}'

    UNION ALL
    SELECT 'instance id', CASE WHEN count(*) > 0 THEN 'note' ELSE 'ok' END,
        COALESCE('not known: ' || string_agg(i.issuer, ', ' ORDER BY i.issuer), 'known'),
        'the id (ins_…) of every instance, so that events of another one are ignored',
        string_agg(format('SELECT * FROM clerk.configure(issuer => %L, instance_id => ''ins_…'');', i.issuer), ' ' ORDER BY i.issuer),
        clerk.sql_as_owner()
    FROM clerk.instances AS i WHERE i.instance_id IS NULL

    UNION ALL
    SELECT 'identity source',
        CASE
            WHEN source.name = 'token' AND (beside.claims_come OR beside.askers IS NOT NULL) THEN 'warning'
            WHEN source.name = 'auto' AND NOT beside.claims_come AND NOT beside.has_services THEN 'note'
            ELSE 'ok'
        END,
        source.name || CASE
            WHEN source.name = 'token' AND beside.askers IS NOT NULL
                THEN format('; policies that Storage and Realtime have checked ask who is signed in, and they pass claims and no clerk.jwt: %s', beside.askers)
            ELSE ''
        END,
        CASE
            WHEN beside.claims_come THEN 'auto or claims, because PostgREST verifies tokens and passes their claims'
            WHEN beside.has_services THEN 'auto or claims where policies of Storage or Realtime ask who is signed in: these services verify tokens and pass their claims'
            ELSE 'token, where roles run SQL of their own: they could set request.jwt.claims to anything'
        END,
        format('SELECT clerk.set_identity_source(%L);', CASE WHEN source.name = 'token' THEN 'auto' ELSE 'token' END),
        clerk.sql_as_owner()
    FROM (SELECT s.identity_source FROM clerk.settings AS s) AS source (name),
        (
            SELECT
                -- clerk.pre_request() brings tokens too.
                EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'authenticator')
                    AND clerk.setting_of('authenticator', 'pgrst.db_pre_request') IS DISTINCT FROM 'clerk.pre_request',
                EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname IN ('storage', '_realtime')),
                clerk.policies_of_services()
        ) AS beside (claims_come, has_services, askers)
$body$;
COMMENT ON FUNCTION clerk.doctor_instances() IS
    'Checks of clerk.doctor(): the instances. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_tokens() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'role claim', CASE WHEN max(t.last_seen_at) > clock_timestamp() - interval '1 hour' THEN 'warning' ELSE 'ok' END,
        COALESCE(
            string_agg(format('a token of %s ran as anon, last %s', t.issuer, clerk.when_and_age(t.last_seen_at)), ', ' ORDER BY t.issuer),
            'no token was seen to run as anon'
        ),
        'the claim "role": "authenticated" in session tokens; without it PostgREST runs them as anon, and people see nothing',
        'https://dashboard.clerk.com/setup/supabase adds it; or Sessions, Customize session token: {"role": "authenticated"}. Good an hour after the last one.',
        'Clerk''s dashboard'
    FROM clerk.token_problems AS t WHERE t.reason = 'role-claim-missing'

    UNION ALL
    -- Strangers can send anything; what they cannot make are genuine tokens, and these are refused for what is configured.
    SELECT 'tokens without azp', CASE WHEN max(t.last_seen_at) > clock_timestamp() - interval '1 hour' THEN 'warning' ELSE 'ok' END,
        COALESCE(
            string_agg(format('%s refused of %s, last %s', t.seen, t.issuer, clerk.when_and_age(t.last_seen_at)), ', ' ORDER BY t.issuer),
            'none was refused'
        ),
        'none refused within an hour: tokens of a browser''s first request, of native apps and of the Backend API have no azp',
        string_agg(format('SELECT * FROM clerk.configure(issuer => %L, allow_missing_azp => true);', t.issuer), ' ' ORDER BY t.issuer)
            || ' -- if such requests are yours',
        clerk.sql_as_owner()
    FROM clerk.token_problems AS t WHERE t.reason = 'azp-missing'

    UNION ALL
    SELECT 'refused tokens', CASE WHEN max(t.last_seen_at) > clock_timestamp() - interval '1 hour' THEN 'note' ELSE 'ok' END,
        COALESCE(
            string_agg(
                format('%s %s of %s, last %s', t.seen, t.reason, COALESCE(t.issuer, 'no configured issuer'), clerk.when_and_age(t.last_seen_at)),
                ', ' ORDER BY t.reason, t.issuer
            ),
            'none'
        ),
        'none within an hour, if only your own clients send tokens',
        'Look the reasons up under "Reason codes" in docs/errors.md.',
        'the clients'
    FROM clerk.token_problems AS t WHERE t.reason NOT IN ('role-claim-missing', 'azp-missing')
$body$;
COMMENT ON FUNCTION clerk.doctor_tokens() IS
    'Checks of clerk.doctor(): whether tokens arrive without a role claim, without azp, or are refused. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_keys() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH instance AS (
        SELECT i.issuer, i.jwks_url, f.succeeded_at, f.last_error, f.last_error_at,
            (SELECT count(*) FROM clerk.jwks AS k WHERE k.issuer = i.issuer) AS keys,
            (SELECT max(k.updated_at) FROM clerk.jwks AS k WHERE k.issuer = i.issuer) AS changed_at,
            format('SELECT clerk.refresh_jwks(%L);', i.issuer) AS refresh,
            format('SELECT clerk.import_jwks(%L, ''{"keys": […]}''); -- what https://<Frontend API>/.well-known/jwks.json answers', i.issuer) AS import
        FROM clerk.instances AS i LEFT JOIN clerk.jwks_fetches AS f ON f.issuer = i.issuer
    )
    (
        SELECT 'present', CASE WHEN i.keys > 0 THEN 'ok' ELSE 'failed' END,
            format('%s: %s', i.issuer, CASE i.keys WHEN 0 THEN 'no key' WHEN 1 THEN '1 key' ELSE i.keys || ' keys' END),
            'a public key of Clerk''s to verify tokens with',
            CASE WHEN i.jwks_url IS NULL THEN i.import ELSE i.refresh END, clerk.sql_as_owner()
        FROM instance AS i ORDER BY i.issuer
    )
    UNION ALL
    (
        SELECT 'age',
            CASE
                WHEN i.jwks_url IS NULL THEN 'note'
                WHEN i.succeeded_at > clock_timestamp() - interval '1 day' THEN 'ok'
                ELSE 'warning'
            END,
            CASE
                WHEN i.jwks_url IS NULL THEN format('%s: imported; last changed %s', i.issuer, clerk.when_and_age(i.changed_at))
                ELSE format('%s: last confirmed %s', i.issuer, clerk.when_and_age(i.succeeded_at))
            END,
            CASE
                WHEN i.jwks_url IS NULL THEN 'imported again whenever Clerk rotates the key'
                ELSE 'confirmed by Clerk within a day: a key that Clerk withdrew must not live on'
            END,
            CASE WHEN i.jwks_url IS NULL THEN i.import ELSE i.refresh END, clerk.sql_as_owner()
        FROM instance AS i ORDER BY i.issuer
    )
    UNION ALL
    (
        SELECT 'last fetch', CASE WHEN i.jwks_url IS NULL OR i.last_error IS NULL THEN 'ok' ELSE 'failed' END,
            CASE
                WHEN i.jwks_url IS NULL THEN format('%s: keys are imported', i.issuer)
                WHEN i.last_error IS NULL THEN format('%s: no error since %s', i.issuer, clerk.when_and_age(i.succeeded_at))
                ELSE format('%s: %s: %s', i.issuer, clerk.when_and_age(i.last_error_at), i.last_error)
            END,
            'the keys could be fetched the last time that was tried',
            i.refresh || ' -- raises what is still wrong; docs/runbook.md has the mends', clerk.sql_as_owner()
        FROM instance AS i ORDER BY i.issuer
    )
    UNION ALL
    SELECT missing."check", 'note', 'no instance', 'see instances: configured', NULL, NULL
    FROM unnest(ARRAY['present', 'age', 'last fetch']) AS missing ("check") WHERE NOT EXISTS (SELECT FROM instance)

    UNION ALL
    SELECT 'encrypted transport', CASE WHEN current_setting('clerk.allow_http_loopback', true) = 'on' THEN 'note' ELSE 'ok' END,
        format('clerk.allow_http_loopback is %s', COALESCE(NULLIF(current_setting('clerk.allow_http_loopback', true), ''), 'off')),
        'off, except for tests: another program on this machine could pass for Clerk',
        'Take clerk.allow_http_loopback out of the configuration, then reload it.', 'the server''s configuration'
$body$;
COMMENT ON FUNCTION clerk.doctor_keys() IS
    'Checks of clerk.doctor(): the keys. VOLATILE. Callable by the owner.';
