-- Leaving: what we put outside our own schema is taken back, before DROP EXTENSION takes the rest.

-- Settings of roles and of this database that are ours, or name us in a list.
CREATE FUNCTION clerk.uninstall_settings() RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'setting', format('%s of %s', item.name, whose.words),
        CASE
            WHEN kept.entries IS NULL THEN format('ALTER %s RESET %s', whose.words, item.name)
            -- In PostgREST's settings the list is one text, in Postgres' own each entry is quoted by itself.
            WHEN starts_with(item.name, 'pgrst.') THEN format('ALTER %s SET %s = %L', whose.words, item.name, array_to_string(kept.entries, ', '))
            ELSE format('ALTER %s SET %s = %s', whose.words, item.name, (SELECT string_agg(quote_literal(e), ', ') FROM unnest(kept.entries) AS e))
        END
    FROM pg_db_role_setting AS s
    LEFT JOIN pg_roles AS r ON r.oid = s.setrole
    LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN s.setrole = 0 THEN format('DATABASE %I', d.datname)
            WHEN s.setdatabase = 0 THEN format('ROLE %I', r.rolname)
            ELSE format('ROLE %I IN DATABASE %I', r.rolname, d.datname)
        END
    ) AS whose (words)
    CROSS JOIN unnest(s.setconfig) AS config (entry)
    CROSS JOIN LATERAL (SELECT split_part(config.entry, '=', 1), substr(config.entry, strpos(config.entry, '=') + 1)) AS item (name, value)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN starts_with(item.name, 'clerk.') THEN '.*'
            WHEN item.name IN ('pgrst.db_pre_config', 'pgrst.db_pre_request') THEN '^clerk\..*$'
            WHEN item.name IN ('pgrst.db_schemas', 'pgrst.db_extra_search_path', 'search_path') THEN '^clerk$'
            WHEN item.name IN ('session_preload_libraries', 'local_preload_libraries') THEN '^(.*/)?clerk_sync(\.so)?$'
        END
    ) AS ours (pattern)
    CROSS JOIN LATERAL (
        SELECT array_agg(part.entry ORDER BY part.number) FILTER (WHERE part.entry !~ ours.pattern), bool_or(part.entry ~ ours.pattern)
        FROM unnest(clerk.split_list(item.value)) WITH ORDINALITY AS part (entry, number)
    ) AS kept (entries, found)
    WHERE kept.found AND (d.oid IS NULL OR d.datname = current_database())
    ORDER BY 2, 3
$body$;
COMMENT ON FUNCTION clerk.uninstall_settings() IS
    'Settings of roles and of this database that clerk.uninstall() takes back: clerk.…, PostgREST''s hooks into this schema, and this extension in lists of libraries and schemas. STABLE. Callable by the owner.';

-- By name, with or without its schema: nobody knows the search path that a job will have.
CREATE FUNCTION clerk.functions_that_use_us() RETURNS TABLE (object text, pattern text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT p.oid::regprocedure::text, format('(^|[^\w$])"?%s"?\s*\(', regexp_replace(p.proname, '(\W)', '\\\1', 'g'))
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE NOT starts_with(n.nspname, 'pg_') AND n.nspname <> ALL (ARRAY['information_schema', 'clerk'])
      AND COALESCE(pg_get_function_sqlbody(p.oid), p.prosrc) ~* '(^|[^\w$])"?clerk"?\s*[.]'
$body$;
COMMENT ON FUNCTION clerk.functions_that_use_us() IS
    'The functions outside of schema clerk whose text names it, and a pattern for their calls. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.uninstall_services() RETURNS TABLE (step text, object text, statement text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    job bigint;
    command text;
    named text;
    connected boolean;
    realtime boolean;
BEGIN
    IF clerk.is_genuine('cron', 'job') AND has_schema_privilege('cron', 'USAGE') THEN
        -- Names as parameters: those who check functions look for tables that a statement names.
        FOR job, command, named IN EXECUTE format(
            $look$
                SELECT j.jobid, j.command, string_agg(u.object, ', ' ORDER BY u.object)
                FROM %I.%I AS j LEFT JOIN clerk.functions_that_use_us() AS u ON j.command ~* u.pattern
                WHERE j.database = current_database()
                GROUP BY j.jobid, j.command
                HAVING j.command ~* %L OR count(u.object) > 0
                ORDER BY j.jobid
            $look$, 'cron', 'job', '(^|[^\w$])"?clerk"?\s*[.]|\mclerk_sync\M')
        LOOP
            object := format('job %s of pg_cron', job);
            IF command ~* '^\s*(SELECT|CALL)\s+clerk[.]maintain\s*\(\s*\)\s*;?\s*$' THEN
                step := 'cron';
                statement := format('SELECT cron.unschedule(%s::bigint)', job);
            ELSE
                step := 'by hand';
                statement := clerk.as_comment(format('It runs %s, which uses the extension%s: change it, or SELECT cron.unschedule(%s).',
                    quote_literal(command), COALESCE(' by ' || named, ''), job));
            END IF;
            RETURN NEXT;
        END LOOP;
        -- pg_cron shows everybody their own jobs.
        IF NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles AS r WHERE r.rolname = current_user) THEN
            RETURN QUERY VALUES ('by hand', 'jobs of other roles in pg_cron', '-- Only superusers see them: let one look for jobs that use the extension.');
        END IF;
    END IF;
    SELECT c.installed, c.realtime_since IS NOT NULL INTO STRICT connected, realtime FROM clerk.postgrest_connection() AS c;
    IF realtime THEN
        RETURN QUERY VALUES ('realtime', '_realtime.tenants', 'SELECT clerk.disconnect_realtime()');
    END IF;
    IF connected THEN
        RETURN QUERY VALUES ('postgrest', format('pgrst.db_pre_config of ROLE authenticator IN DATABASE %I', current_database()), 'SELECT clerk.disconnect_postgrest(true)');
    END IF;
    RETURN QUERY SELECT DISTINCT 'api', quote_ident(e.schema), format('SELECT clerk.hide_api(%L)', e.schema) FROM clerk.exposed_api() AS e ORDER BY 2;
END
$body$;
COMMENT ON FUNCTION clerk.uninstall_services() IS
    'What clerk.uninstall() takes back from pg_cron, Realtime, PostgREST and exposed schemas. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.uninstall_by_hand() RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'by hand', hint.object, '-- ' || hint.words
    FROM (VALUES
        (1, 'Clerk''s dashboard', 'Webhooks: delete the endpoint of this database, or point it to what takes its place. Clerk goes on sending for days.'),
        (2, 'environment of PostgREST, Realtime, Storage', 'They verify tokens with the keys they are given. Clerk''s have to be there if Clerk''s tokens are to count on, and nobody renews them any more.'),
        (3, 'postgresql.conf', 'Take clerk_sync out of shared_preload_libraries and session_preload_libraries, and lines that begin with clerk., before the library''s file goes; then restart.'),
        (4, 'PGRST_DB_PRE_CONFIG, PGRST_DB_PRE_REQUEST', 'If PostgREST has a function of schema clerk in its environment, take it out and restart PostgREST before anything is dropped: others could define that function.'),
        (5, 'pg_cron in another database', 'Unschedule there what cron.schedule_in_database() runs here.'),
        (6, 'files', 'Last, when no database of this server has the extension: remove clerk_sync.so, clerk_sync.control and clerk_sync--*.sql, or their package.')
    ) AS hint (number, object, words)
    UNION ALL
    SELECT 'by hand', format('secret %s in Supabase Vault', quote_literal(s.vault_name)), '-- It is yours and stays: delete it if nothing else needs it.'
    FROM clerk.secrets AS s WHERE s.vault_name IS NOT NULL
    UNION ALL
    SELECT 'by hand', format('function %s', h.handler), '-- It was an event handler and is not called any more.'
    FROM clerk.event_handlers AS h
$body$;
COMMENT ON FUNCTION clerk.uninstall_by_hand() IS
    'What clerk.uninstall() cannot reach, as hints. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.uninstall(dry_run boolean DEFAULT true) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET standard_conforming_strings = on
AS $body$
DECLARE
    pretend CONSTANT boolean := COALESCE(dry_run, true);
    taken_back text[] := ARRAY[]::text[];
    planned record;
BEGIN
    IF NOT pretend THEN
        PERFORM clerk.tell_postgrest_to_read(repeat => false);
    END IF;
    FOR planned IN SELECT s.* FROM clerk.uninstall_services() AS s LOOP
        taken_back := taken_back || planned.object;
        IF NOT pretend AND planned.step <> 'by hand' THEN
            EXECUTE planned.statement;
        END IF;
        step := planned.step;
        object := planned.object;
        statement := planned.statement;
        RETURN NEXT;
    END LOOP;
    -- After the services: what they took back is no setting any more, or would be none.
    FOR planned IN SELECT s.* FROM clerk.uninstall_settings() AS s LOOP
        CONTINUE WHEN planned.object = ANY (taken_back);
        IF NOT pretend THEN
            BEGIN
                EXECUTE planned.statement;
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'insufficient_privilege',
                    MESSAGE = format('you may not take back %s', planned.object),
                    DETAIL = planned.statement,
                    HINT = 'Let a superuser (on Supabase supabase_admin) run that statement, and call this again. Nothing was changed.';
            END;
        END IF;
        step := planned.step;
        object := planned.object;
        statement := planned.statement;
        RETURN NEXT;
    END LOOP;
    RETURN QUERY SELECT h.* FROM clerk.uninstall_by_hand() AS h;
    RETURN QUERY SELECT 'in the way', d.object, '-- It uses the extension. clerk.eject() rewrites it, or says why it cannot.'::text
        FROM (
            SELECT u.object FROM clerk.eject_dependents() AS u
            UNION SELECT b.object FROM clerk.eject_bodies('clerk_data') AS b
        ) AS d ORDER BY 2;
    RETURN QUERY VALUES ('last', 'extension clerk_sync', 'DROP EXTENSION clerk_sync; DROP SCHEMA clerk');
END
$body$;
COMMENT ON FUNCTION clerk.uninstall(boolean) IS
    'Takes back what the extension put outside its schema: the pg_cron job, what clerk.expose_api() made, Realtime''s keys, PostgREST''s hooks, and settings of roles and of this database that name it. Returns each step with its statement, then what only hands can do, what still uses the extension, and last the statements that drop it, which it does not run. With dry_run, the default also for NULL, it only says so. Raises 42501 if a setting is not the caller''s to change, 2BP01 if something depends on what expose_api() made; then nothing changes. VOLATILE. Callable by the owner.';
