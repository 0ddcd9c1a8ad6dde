-- clerk.doctor(): whether PostgREST and its neighbours have Clerk's keys.

CREATE FUNCTION clerk.doctor_postgrest() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH connection AS (
        SELECT c.*, EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'authenticator') AS is_there, c.fingerprint IS NOT NULL AS is_wanted,
            clerk.postgrest_listener() AS listens_since, clerk.setting_of('authenticator', 'track_activities') = 'off' AS is_hidden
        FROM clerk.postgrest_connection() AS c
    ), mask AS (
        SELECT o.* FROM clerk.postgrest_obstacles() AS o, connection AS c WHERE c.is_there AND c.is_wanted
    ), trap AS (
        SELECT 'pgrst.jwt_secret of role authenticator' AS place, f.fault, s.reset AS mend, clerk.sql_as_superuser() AS mend_as
        FROM clerk.authenticator_settings() AS s, clerk.jwt_secret_fault(s.value) AS f (fault)
        WHERE s.name = 'pgrst.jwt_secret' AND f.fault IS NOT NULL
        UNION ALL
        SELECT 'the keys of your own that are stored here', f.fault,
            'SELECT clerk.connect_postgrest(''…''); -- the key set itself, or only the secret, as a parameter', clerk.sql_as_owner()
        FROM clerk.postgrest_keys AS p, clerk.jwt_secret_fault(jsonb_build_object('keys', p.own_keys)::text) AS f (fault)
        WHERE f.fault IS NOT NULL
    )
    -- connect_postgrest() refuses what the first rows mend.
    (
        SELECT 'not masked', 'failed', m.obstacle, 'nothing that goes before the keys of clerk.postgrest_config()',
            -- Only Supabase's supautils lets others than a superuser do it.
            m.mend, clerk.sql_as_superuser()
        FROM mask AS m ORDER BY m.obstacle
    )
    UNION ALL
    SELECT 'not masked', 'ok', 'nothing', 'nothing that goes before the keys of clerk.postgrest_config()', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM mask)

    UNION ALL
    SELECT 'requests', CASE WHEN count(*) > 0 THEN 'failed' ELSE 'ok' END,
        CASE
            WHEN count(*) > 0 THEN format('role authenticator has %s as pgrst.db_pre_request for all databases, where others may define a function of that name', min(s.value))
            ELSE 'not asked about in databases where others may define the function'
        END,
        'a pgrst.db_pre_request of ours is set for this database only',
        -- Not without: then requests would pass that are refused now.
        CASE
            WHEN bool_or(h.value IS NULL) THEN format('ALTER ROLE authenticator IN DATABASE %I SET pgrst.db_pre_request = %L; ', current_database(), min(s.value))
            ELSE ''
        END || 'ALTER ROLE authenticator RESET pgrst.db_pre_request; NOTIFY pgrst, ''reload config''',
        clerk.sql_as_superuser()
    FROM clerk.authenticator_settings() AS s
    LEFT JOIN clerk.authenticator_settings() AS h ON h.name = s.name AND NOT h.everywhere
    WHERE s.everywhere AND s.name = 'pgrst.db_pre_request' AND starts_with(s.value, 'clerk.')

    UNION ALL
    (
        SELECT 'no password', 'failed', format('%s: %s', t.place, t.fault),
            'a key set, or a secret known only to whoever signs tokens', t.mend, t.mend_as
        FROM trap AS t ORDER BY t.mend
    )
    UNION ALL
    SELECT 'no password', 'ok', 'no public text in the place of a secret',
        'a key set, or a secret known only to whoever signs tokens', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM trap)

    UNION ALL
    SELECT 'connected',
        CASE
            WHEN NOT c.is_there OR c.installed AND c.callable AND c.is_wanted THEN 'ok'
            WHEN c.is_wanted OR c.installed OR c.callable THEN 'failed'
            ELSE 'note'
        END,
        CASE
            WHEN NOT c.is_there THEN 'no role authenticator, so no PostgREST'
            WHEN c.installed AND NOT c.is_wanted THEN 'PostgREST asks clerk.postgrest_config(), but its own keys are not known here'
            WHEN c.installed AND c.callable THEN 'PostgREST asks clerk.postgrest_config()'
            WHEN c.installed THEN 'PostgREST is to ask clerk.postgrest_config(), but authenticator may not call it'
            WHEN c.is_wanted THEN 'not connected: role authenticator does not have the setting any more by which PostgREST asks clerk.postgrest_config()'
            -- Dumps have the right to call the function, and neither the setting nor the keys.
            WHEN c.callable THEN 'not connected: PostgREST''s own keys and the setting of role authenticator are gone, as after a restore from a dump'
            ELSE 'PostgREST has its keys from its environment'
        END,
        'PostgREST has Clerk''s keys from this database, so that a rotated key counts at once',
        CASE
            WHEN c.is_wanted THEN 'SELECT clerk.connect_postgrest();'
            ELSE 'SELECT clerk.connect_postgrest(''…''); -- what PGRST_JWT_SECRET holds, as a parameter'
        END,
        clerk.sql_as_owner()
    FROM connection AS c

    UNION ALL
    SELECT 'told', CASE WHEN c.installed AND c.listens_since > COALESCE(c.told_at, '-infinity') THEN 'failed' ELSE 'ok' END,
        CASE
            WHEN NOT c.installed THEN 'not connected'
            WHEN c.listens_since > COALESCE(c.told_at, '-infinity') THEN format(
                'PostgREST began to listen %s, and was last told of the keys %s: until the next round of maintenance it may refuse Clerk''s tokens',
                clerk.when_and_age(c.listens_since), clerk.when_and_age(c.told_at))
            ELSE format('last %s', clerk.when_and_age(c.told_at))
        END,
        'PostgREST was told to read its configuration after it began to listen', 'SELECT clerk.connect_postgrest();', clerk.sql_as_owner()
    FROM connection AS c

    UNION ALL
    SELECT 'listens',
        CASE
            WHEN NOT c.installed OR c.listens_since IS NOT NULL THEN 'ok'
            WHEN c.is_hidden OR pg_is_in_recovery() THEN 'note'
            ELSE 'warning'
        END,
        CASE
            WHEN NOT c.installed THEN 'not connected'
            WHEN c.listens_since IS NOT NULL THEN format('since %s', clerk.when_and_age(c.listens_since))
            WHEN pg_is_in_recovery() THEN 'nobody can listen on a standby: ask the primary'
            WHEN c.is_hidden THEN 'cannot be seen, because track_activities is off for role authenticator: after a restart PostgREST may refuse Clerk''s tokens for up to ten minutes'
            ELSE 'no session of role authenticator listens on channel pgrst: PostgREST does not run, or does not hear that it is to read its configuration'
        END,
        'PostgREST listens in this database, so that it hears of changed keys',
        'In PostgREST''s configuration: PGRST_DB_CHANNEL_ENABLED not false, PGRST_DB_CHANNEL=pgrst, and a connection to the primary that goes through no pooler in transaction mode. Where it cannot listen: PGRST_DB_PRE_CONFIG=clerk.postgrest_config, and the signal SIGUSR2 after each change of keys.',
        'PostgREST, then restart it'
    FROM connection AS c

    UNION ALL
    SELECT 'guarded', CASE WHEN c.installed AND NOT c.guarded THEN 'failed' ELSE 'ok' END,
        CASE
            WHEN NOT c.installed THEN 'not connected'
            WHEN c.guarded THEN 'the extension cannot be dropped'
            ELSE 'the extension can be dropped, and then others can define what PostgREST calls'
        END,
        'the extension cannot be dropped while PostgREST calls it',
        'ALTER EVENT TRIGGER clerk_sync_guard_postgrest ENABLE ALWAYS;', clerk.sql_as_superuser()
    FROM connection AS c

    UNION ALL
    SELECT 'key set', CASE WHEN c.up_to_date IS false THEN 'failed' ELSE 'ok' END,
        CASE
            WHEN c.up_to_date IS NULL THEN 'not kept here'
            WHEN c.up_to_date THEN format('%s of Clerk''s and %s of your own', c.clerk_keys, c.own_keys)
            ELSE 'the set that PostgREST was told of is not the one that there is now'
        END,
        'PostgREST was told of the keys as they are', 'SELECT clerk.connect_postgrest();', clerk.sql_as_owner()
    FROM connection AS c

    UNION ALL
    SELECT 'own keys', CASE WHEN c.own_keys = 0 THEN 'note' ELSE 'ok' END,
        CASE
            WHEN c.own_keys IS NULL THEN 'not kept here'
            WHEN c.own_keys = 0 THEN 'none: only Clerk''s tokens count, and anon and service keys are refused'
            ELSE format('%s, fingerprint %s, stored %s', c.own_keys, c.fingerprint, clerk.when_and_age(c.stored_at))
        END,
        'the keys that sign your anon and service keys; a newer fingerprint after you changed them',
        'SELECT clerk.connect_postgrest(''…''); -- what PGRST_JWT_SECRET holds, as a parameter', clerk.sql_as_owner()
    FROM connection AS c
$body$;
COMMENT ON FUNCTION clerk.doctor_postgrest() IS
    'Checks of clerk.doctor(): PostgREST''s keys. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_realtime() RETURNS SETOF clerk.finding
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    -- By name in the catalog: to_regclass() raises where the schema may not be used.
    tenants CONSTANT oid := (
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = '_realtime' AND c.relname = 'tenants'
    );
    lacking bigint;
    realtime_since timestamptz;
    fingerprint text;
BEGIN
    SELECT c.realtime_since, c.fingerprint INTO realtime_since, fingerprint FROM clerk.postgrest_connection() AS c;
    IF tenants IS NULL THEN
        RETURN QUERY SELECT 'keys', 'ok', 'no Realtime in this database', 'Realtime''s tenants have Clerk''s keys', NULL, NULL;
        RETURN;
    END IF;
    IF clerk.is_genuine('_realtime', 'tenants') AND has_schema_privilege('_realtime', 'USAGE') AND has_table_privilege(tenants, 'SELECT') THEN
        -- Names as parameters: those who check functions look for tables that a statement names.
        EXECUTE format($look$
            SELECT count(*) FROM %I.%I AS t
            WHERE NOT COALESCE(t.jwt_jwks::jsonb @> jsonb_build_object('keys', (SELECT jsonb_agg(c) FROM clerk.clerks_keys() AS c)), false)
        $look$, '_realtime', 'tenants') INTO lacking;
    END IF;
    RETURN QUERY SELECT 'keys',
        CASE
            WHEN lacking > 0 THEN 'failed'
            WHEN realtime_since IS NULL THEN 'warning'
            ELSE 'ok'
        END,
        concat_ws('; ',
            CASE WHEN lacking > 0 THEN format('%s tenants lack Clerk''s keys', lacking) WHEN lacking = 0 THEN 'all tenants have Clerk''s keys' END,
            CASE
                WHEN realtime_since IS NULL THEN 'not kept up to date'
                ELSE format('kept up to date by clerk.maintain() since %s', clerk.when_and_age(realtime_since))
            END),
        'Realtime''s tenants have Clerk''s keys and get them again after each start of Realtime',
        CASE
            WHEN fingerprint IS NULL THEN 'SELECT clerk.connect_postgrest(''…''); SELECT clerk.sync_realtime_keys(); -- what PGRST_JWT_SECRET holds, as a parameter'
            ELSE 'SELECT clerk.sync_realtime_keys();'
        END,
        clerk.sql_as_owner();
END
$body$;
COMMENT ON FUNCTION clerk.doctor_realtime() IS
    'Check of clerk.doctor(): Realtime''s keys. VOLATILE. Callable by the owner.';

-- What a service was started with cannot be seen from here.
CREATE FUNCTION clerk.doctor_services() RETURNS SETOF clerk.finding
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH line AS (
        SELECT e.service, e.line FROM clerk.service_env() AS e, clerk.postgrest_connection() AS c
        WHERE EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'authenticator')
          AND NOT (e.service = 'PostgREST' AND c.installed) AND NOT (e.service = 'Realtime' AND c.realtime_since IS NOT NULL)
    )
    (
        SELECT 'environment', 'note', format('%s reads its keys once, when it starts', l.service),
            'the line below in its configuration, since the last rotation of a key', l.line, format('%s, then restart it', l.service)
        FROM line AS l ORDER BY l.service
    )
    UNION ALL
    SELECT 'environment', 'ok', 'no service of Supabase''s, or no key', 'services have Clerk''s keys in their environment', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM line)
$body$;
COMMENT ON FUNCTION clerk.doctor_services() IS
    'Check of clerk.doctor(): the lines for the environment of services that read keys once. VOLATILE. Callable by the owner.';
