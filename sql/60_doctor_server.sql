-- clerk.doctor(): the library, how the server loads it, and the workers it needs.

CREATE FUNCTION clerk.library_version() RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'clerk_library_version';
COMMENT ON FUNCTION clerk.library_version() IS
    'The version of the library that this session has loaded, to be compared with pg_extension.extversion. STABLE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.doctor_library() RETURNS SETOF clerk.finding
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    library text;
    trouble text;
    sql_version CONSTANT text := (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'clerk_sync');
    on_disk CONSTANT text := (SELECT a.default_version FROM pg_available_extensions AS a WHERE a.name = 'clerk_sync');
BEGIN
    BEGIN
        library := clerk.library_version();
    EXCEPTION WHEN OTHERS THEN
        trouble := SQLERRM;
    END;
    RETURN QUERY SELECT 'loads', CASE WHEN trouble IS NULL THEN 'ok' ELSE 'failed' END, COALESCE(trouble, 'the library is loaded'),
        'the library can be loaded',
        'Put clerk_sync.so back into the directory that pg_config --pkglibdir prints (on Supabase: the one in NIX_PGLIBDIR).',
        'the shell of the database server';

    RETURN QUERY SELECT 'versions',
        CASE
            WHEN sql_version = COALESCE(library, sql_version) AND sql_version = COALESCE(on_disk, sql_version) THEN 'ok'
            WHEN sql_version = COALESCE(library, sql_version) THEN 'warning'
            ELSE 'failed'
        END,
        format('SQL %s, library %s, files %s', sql_version, COALESCE(library, 'not loaded'), COALESCE(on_disk, 'not there')),
        'the same version of all three',
        CASE
            WHEN sql_version <> on_disk THEN 'ALTER EXTENSION clerk_sync UPDATE;'
            ELSE 'Restart the server, so that no session keeps the library of another version.'
        END,
        CASE WHEN sql_version <> on_disk THEN clerk.sql_as_owner() ELSE 'the shell of the database server' END;
END
$body$;
COMMENT ON FUNCTION clerk.doctor_library() IS
    'Checks of clerk.doctor(): that the library loads and fits. STABLE. Callable by the owner.';

-- A whole list within one pair of quotes is one name, of a library that is not there: new sessions, or the server's next start, fail.
CREATE FUNCTION clerk.library_lists() RETURNS TABLE (name text, place text, list text, setting text, is_sql boolean)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN QUERY
        SELECT item.name, concat_ws(' in ', 'role ' || r.rolname, 'database ' || d.datname), item.value,
            CASE
                WHEN r.rolname IS NULL THEN format('ALTER DATABASE %I SET %s', d.datname, item.name)
                WHEN d.datname IS NULL THEN format('ALTER ROLE %I SET %s', r.rolname, item.name)
                ELSE format('ALTER ROLE %I IN DATABASE %I SET %s', r.rolname, d.datname, item.name)
            END, true
        FROM pg_db_role_setting AS s
        LEFT JOIN pg_roles AS r ON r.oid = s.setrole LEFT JOIN pg_database AS d ON d.oid = s.setdatabase,
            unnest(s.setconfig) AS config (entry),
            LATERAL (SELECT split_part(config.entry, '=', 1), substr(config.entry, strpos(config.entry, '=') + 1)) AS item (name, value)
        WHERE item.name IN ('session_preload_libraries', 'local_preload_libraries')
          AND (s.setdatabase = 0 OR d.datname = current_database());
    -- What the files say counts from the next start or reload. Only superusers see it, unless they let others.
    IF has_table_privilege('pg_file_settings', 'SELECT') AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE') THEN
        RETURN QUERY
            SELECT f.name, format('%s, line %s', f.sourcefile, f.sourceline), f.setting,
                CASE WHEN written.by_sql THEN 'ALTER SYSTEM SET ' ELSE '' END || f.name, written.by_sql
            FROM (
                SELECT DISTINCT ON (one.name) one.* FROM pg_file_settings AS one
                WHERE one.name IN ('shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries')
                ORDER BY one.name, one.seqno DESC
            ) AS f, LATERAL (SELECT f.sourcefile ~ 'postgresql\.auto\.conf$') AS written (by_sql);
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.library_lists() IS
    'The lists of libraries that roles, this database and, as far as the owner may see them, the configuration files have, with the beginning of the statement (is_sql) or of the line in a file that sets each. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_library_lists() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH list AS MATERIALIZED (
        SELECT * FROM clerk.library_lists()
    ), bad AS (
        SELECT l.*, wanted.in_sql, wanted.in_file
        FROM list AS l, LATERAL (
            SELECT string_agg(quote_literal(one), ', '), quote_literal(string_agg(one, ', '))
            FROM unnest(clerk.split_list(l.list)) AS entry, unnest(string_to_array(entry, ',')) AS part, trim(part, E' "\t') AS one
            WHERE one <> ''
        ) AS wanted (in_sql, in_file)
        WHERE EXISTS (SELECT FROM unnest(clerk.split_list(l.list)) AS entry WHERE entry ~ '[,\s"]')
    ), unseen AS (
        SELECT EXISTS (SELECT FROM pg_settings AS s WHERE s.name = 'shared_preload_libraries' AND s.pending_restart)
            AND NOT EXISTS (SELECT FROM list AS l WHERE l.name = 'shared_preload_libraries') AS is_so
    )
    (
        SELECT 'lists of libraries', 'failed', format('%s of %s is the name of a single library: %s', b.name, b.place, b.list),
            'each library is named by itself: with quotes around the whole list nobody can log in, or the server does not start again',
            CASE WHEN b.is_sql THEN format('%s = %s;', b.setting, b.in_sql) ELSE format('%s = %s', b.setting, b.in_file) END,
            CASE WHEN b.is_sql THEN clerk.sql_as_superuser() ELSE 'that file' END
        FROM bad AS b ORDER BY b.name, b.place
    )
    UNION ALL
    SELECT 'lists of libraries', CASE WHEN u.is_so THEN 'note' ELSE 'ok' END,
        CASE
            WHEN u.is_so THEN 'shared_preload_libraries was changed for the next start, and the owner of the extension may not look at that'
            ELSE 'each library is named by itself'
        END,
        'each library is named by itself',
        'SELECT name, setting FROM pg_file_settings WHERE name = ''shared_preload_libraries''; -- double quotes around several names are wrong',
        clerk.sql_as_superuser()
    FROM unseen AS u WHERE NOT EXISTS (SELECT FROM bad)
$body$;
COMMENT ON FUNCTION clerk.doctor_library_lists() IS
    'Check of clerk.doctor(): lists of libraries within one pair of quotes. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_preloading() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    -- Whose sessions matter: PostgREST's, which log in as authenticator; without it everybody's.
    WITH visitor AS (
        SELECT (SELECT r.rolname FROM pg_roles AS r WHERE r.rolname = 'authenticator') AS rolname
    ), setting AS (
        SELECT v.rolname, clerk.setting_of(NULL, 'shared_preload_libraries') AS shared,
            clerk.setting_of(v.rolname, 'session_preload_libraries') AS session
        FROM visitor AS v
    ), list AS (
        SELECT s.*,
            clerk.split_list(s.session) AS libraries, 'clerk_sync' = ANY (clerk.split_list(s.shared)) AS is_shared
        FROM setting AS s
    )
    SELECT 'preloaded',
        CASE
            WHEN l.is_shared OR 'clerk_sync' = ANY (l.libraries) THEN 'ok'
            WHEN l.session IS NULL OR l.shared IS NULL THEN 'note'
            ELSE 'warning'
        END,
        CASE
            WHEN l.is_shared THEN 'by shared_preload_libraries'
            WHEN 'clerk_sync' = ANY (l.libraries) THEN 'by session_preload_libraries' || COALESCE(' of ' || l.rolname, '')
            WHEN l.session IS NULL OR l.shared IS NULL THEN 'not to be seen by the owner of the extension, who may not read all settings'
            ELSE 'nothing preloads the library' || COALESCE(' in sessions of ' || l.rolname, '')
        END,
        'loaded when a session starts: a first call in the middle of a parallel query is an error',
        CASE
            WHEN l.session IS NULL OR l.shared IS NULL THEN format('GRANT pg_monitor TO %I;', owner.rolname)
            WHEN l.rolname IS NOT NULL THEN clerk.set_for(l.rolname, 'session_preload_libraries', wanted.list)
            ELSE format('ALTER DATABASE %I SET session_preload_libraries = %s;', current_database(), wanted.list)
        END,
        clerk.sql_as_superuser()
    FROM list AS l,
        LATERAL (SELECT string_agg(quote_literal(one), ', ') FROM unnest(l.libraries || 'clerk_sync'::text) AS one) AS wanted (list),
        pg_namespace AS n JOIN pg_roles AS owner ON owner.oid = n.nspowner
    WHERE n.nspname = 'clerk'
$body$;
COMMENT ON FUNCTION clerk.doctor_preloading() IS
    'Check of clerk.doctor(): that something preloads the library. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_workers() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    -- What is neither a client nor one of the server's own processes occupies a slot for background workers.
    WITH slot AS (
        SELECT current_setting('max_worker_processes')::integer AS most, count(*) AS taken
        FROM pg_stat_activity AS a
        WHERE a.backend_type <> ALL (ARRAY[
            'client backend', 'standalone backend', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer',
            'walwriter', 'walsender', 'walreceiver', 'walsummarizer', 'startup', 'archiver', 'logger', 'slotsync worker', 'io worker'
        ])
    ), owner AS (
        SELECT r.rolname, r.rolcanlogin, pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE') AS sees_all
        FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner WHERE n.nspname = 'clerk'
    )
    SELECT 'free slots',
        CASE
            WHEN NOT o.sees_all THEN 'note'
            WHEN s.taken >= s.most THEN 'failed'
            WHEN s.taken + 2 > s.most THEN 'warning'
            ELSE 'ok'
        END,
        CASE
            WHEN o.sees_all THEN format('%s of %s slots for background workers are taken', s.taken, s.most)
            ELSE 'not to be seen by the owner of the extension, who may not read all statistics'
        END,
        'two free ones: keys are fetched, and everything long is done, by background workers',
        CASE
            WHEN o.sees_all THEN format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart the server', GREATEST(s.most, 8) + 8)
            ELSE format('GRANT pg_monitor TO %I;', o.rolname)
        END,
        clerk.sql_as_superuser()
    FROM slot AS s, owner AS o

    UNION ALL
    SELECT 'worker login',
        CASE WHEN o.rolcanlogin OR current_setting('server_version_num')::integer >= 170000 THEN 'ok' ELSE 'failed' END,
        format('role %s %s log in', o.rolname, CASE WHEN o.rolcanlogin THEN 'may' ELSE 'may not' END),
        'on PostgreSQL 15 and 16 the owner of the extension may log in, because its background workers do (no password is needed)',
        format('ALTER ROLE %I LOGIN;', o.rolname), clerk.sql_as_superuser()
    FROM owner AS o
$body$;
COMMENT ON FUNCTION clerk.doctor_workers() IS
    'Checks of clerk.doctor(): whether background workers can start. STABLE. Callable by the owner.';

-- pg_dump --disable-triggers and pg_restore turn ALWAYS into an ordinary trigger, which replication does not fire.
CREATE FUNCTION clerk.doctor_triggers() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'cache triggers', CASE WHEN count(*) FILTER (WHERE w.is_wrong) = 0 THEN 'ok' ELSE 'failed' END,
        CASE
            WHEN count(*) FILTER (WHERE w.is_wrong) = 0 THEN 'in place'
            ELSE 'missing or not always on: ' || string_agg(w.relation, ', ' ORDER BY w.relation) FILTER (WHERE w.is_wrong)
        END,
        'triggers, always on, that tell every session of a change to what it trusts',
        string_agg(
            CASE WHEN w.tgenabled IS NULL THEN
                format('CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed(); ', w.relation)
            ELSE '' END || format('ALTER TABLE %s ENABLE ALWAYS TRIGGER trust_changed;', w.relation),
            ' ' ORDER BY w.relation
        ) FILTER (WHERE w.is_wrong),
        clerk.sql_as_owner()
    FROM (
        SELECT named.relation, t.tgenabled, t.tgenabled IS DISTINCT FROM 'A' AS is_wrong
        FROM unnest(ARRAY['clerk.instances', 'clerk.jwks', 'clerk.settings', 'clerk.secrets', 'clerk.event_handlers']) AS named (relation)
        LEFT JOIN pg_trigger AS t ON t.tgrelid = to_regclass(named.relation) AND t.tgname = 'trust_changed' AND NOT t.tgisinternal
    ) AS w
$body$;
COMMENT ON FUNCTION clerk.doctor_triggers() IS
    'Check of clerk.doctor(): the triggers that empty the sessions'' caches. STABLE. Callable by the owner.';
