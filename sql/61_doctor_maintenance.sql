-- clerk.doctor(): whether anything keeps the mirror and the keys going.

-- pg_cron shows everybody their own jobs only. Names as parameters: those who check functions look for tables that a statement names.
CREATE FUNCTION clerk.cron_call() RETURNS TABLE (
    job bigint, run_by text, schedule text, active boolean, status text, message text, ended_at timestamptz
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF NOT (clerk.is_genuine('cron', 'job') AND has_schema_privilege('cron', 'USAGE')
        AND has_table_privilege(format('%I.%I', 'cron', 'job'), 'SELECT')) THEN
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT j.jobid, j.username, j.schedule, j.active FROM %I.%I AS j
         WHERE j.database = current_database() AND j.command ~ %L ORDER BY j.active DESC, j.jobid DESC LIMIT 1',
        'cron', 'job', '\mclerk\.maintain\(')
    INTO job, run_by, schedule, active;
    IF job IS NULL THEN
        RETURN;
    END IF;
    IF clerk.is_genuine('cron', 'job_run_details') AND has_table_privilege(format('%I.%I', 'cron', 'job_run_details'), 'SELECT') THEN
        EXECUTE format(
            'SELECT d.status, left(btrim(d.return_message, E'' \n''), 200), COALESCE(d.end_time, d.start_time) FROM %I.%I AS d
             WHERE d.jobid = $1 ORDER BY d.runid DESC LIMIT 1',
            'cron', 'job_run_details')
        INTO status, message, ended_at USING job;
    END IF;
    RETURN NEXT;
END
$body$;
COMMENT ON FUNCTION clerk.cron_call() IS
    'The job of pg_cron in this database that calls clerk.maintain(), and how its last run went, as far as the owner of the extension may see them; no row without one. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_maintenance() RETURNS SETOF clerk.finding
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    latest clerk.maintenance_rounds;
    stuck_since timestamptz;
    cron record;
    -- By name in the catalog: to_regclass() raises where the schema may not be used.
    has_cron CONSTANT boolean := EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'cron' AND c.relname = 'job'
    );
BEGIN
    SELECT * INTO latest FROM clerk.maintenance_rounds AS r WHERE r.finished_at IS NOT NULL ORDER BY r.id DESC LIMIT 1;
    SELECT newest.started_at INTO stuck_since
    FROM (SELECT r.started_at, r.finished_at FROM clerk.maintenance_rounds AS r ORDER BY r.id DESC LIMIT 1) AS newest
    WHERE newest.finished_at IS NULL AND newest.started_at < clock_timestamp() - interval '10 minutes';

    SELECT * INTO cron FROM clerk.cron_call();
    RETURN QUERY SELECT 'rounds',
        CASE WHEN latest.finished_at > clock_timestamp() - interval '10 minutes' THEN 'ok' ELSE 'failed' END,
        CASE
            WHEN latest.id IS NULL THEN 'no round of maintenance ever ended'
            ELSE format('the last round ended %s, by %s', clerk.when_and_age(latest.finished_at),
                CASE latest.caller WHEN 'launcher' THEN 'the launcher' ELSE 'a call of clerk.maintain()' END)
        END || CASE
            WHEN cron.job IS NULL THEN ''
            WHEN NOT cron.active THEN format('; job %s of pg_cron is not active', cron.job)
            WHEN cron.status = 'failed' THEN format('; job %s of pg_cron, as role %s, failed%s: %s', cron.job, cron.run_by,
                ' ' || CASE WHEN cron.ended_at IS NOT NULL THEN clerk.when_and_age(cron.ended_at) END, cron.message)
            WHEN cron.status IS NULL THEN format('; job %s of pg_cron has not run yet', cron.job)
            ELSE format('; job %s of pg_cron runs at %s, last %s', cron.job, cron.schedule, clerk.when_and_age(cron.ended_at))
        END,
        'a round every minute, by the launcher of the preloaded library or by pg_cron: retries, handlers, keys, reconciles and erasure wait for it',
        CASE
            WHEN NOT cron.active THEN format('SELECT cron.alter_job(%s, active => true);', cron.job)
            WHEN cron.status = 'failed' AND cron.message ~* 'connection|authentication|could not connect' THEN format(
                'Set cron.use_background_workers = on and restart, so that pg_cron need not log in; or let role %s log in without a password at cron.host (pg_hba.conf, or ~/.pgpass of the server)',
                cron.run_by)
            WHEN cron.status = 'failed' THEN 'SELECT clerk.maintain(); -- shows the same error; mend its cause'
            WHEN cron.job IS NOT NULL AND cron.status IS NULL
                THEN 'Wait for the next full minute and ask again. If it still has not run, pg_cron is not in shared_preload_libraries, or cron.database_name is another database; with cron.log_run = off nothing is known of its runs'
            WHEN cron.job IS NOT NULL AND cron.schedule <> '* * * * *' THEN format('SELECT cron.alter_job(%s, schedule => ''* * * * *'');', cron.job)
            WHEN cron.job IS NOT NULL THEN 'SELECT clerk.maintain(); -- warns of what is wrong'
            WHEN has_cron THEN 'SELECT cron.schedule(''clerk_sync'', ''* * * * *'', ''SELECT clerk.maintain()'');'
            ELSE 'Add clerk_sync to shared_preload_libraries and restart, or install pg_cron and ask again. SELECT clerk.maintain(); makes one round.'
        END,
        CASE
            WHEN NOT has_cron OR cron.job IS NOT NULL AND cron.active
                AND (cron.status IS NULL OR cron.status = 'failed' AND cron.message ~* 'connection|authentication|could not connect')
                THEN 'the server''s configuration'
            WHEN cron.job IS NOT NULL THEN clerk.sql_as(cron.run_by::name)
            ELSE clerk.sql_as_owner()
        END;

    RETURN QUERY SELECT 'last round',
        CASE WHEN latest.error IS NOT NULL OR stuck_since IS NOT NULL THEN 'warning' ELSE 'ok' END,
        CASE
            WHEN latest.error IS NOT NULL THEN format('%s: %s', clerk.when_and_age(latest.finished_at), latest.error)
            WHEN stuck_since IS NOT NULL THEN format('a round began %s and has not ended', clerk.when_and_age(stuck_since))
            WHEN latest.id IS NULL THEN 'none'
            ELSE 'no part failed'
        END,
        'every part of the last round was done', 'SELECT clerk.maintain(); -- warns of what is still wrong', clerk.sql_as_owner();
END
$body$;
COMMENT ON FUNCTION clerk.doctor_maintenance() IS
    'Checks of clerk.doctor(): rounds of maintenance. VOLATILE. Callable by the owner.';
