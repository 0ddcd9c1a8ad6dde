-- clerk.doctor(): whether anything keeps the mirror and the keys going.

CREATE FUNCTION clerk.doctor_maintenance() RETURNS SETOF clerk.finding
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    latest clerk.maintenance_rounds;
    stuck_since timestamptz;
    -- By name in the catalog: to_regclass() raises where the schema may not be used.
    has_cron CONSTANT boolean := EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'cron' AND c.relname = 'job'
    );
BEGIN
    SELECT * INTO latest FROM clerk.maintenance_rounds AS r WHERE r.finished_at IS NOT NULL ORDER BY r.id DESC LIMIT 1;
    SELECT newest.started_at INTO stuck_since
    FROM (SELECT r.started_at, r.finished_at FROM clerk.maintenance_rounds AS r ORDER BY r.id DESC LIMIT 1) AS newest
    WHERE newest.finished_at IS NULL AND newest.started_at < clock_timestamp() - interval '10 minutes';

    RETURN QUERY SELECT 'rounds',
        CASE WHEN latest.finished_at > clock_timestamp() - interval '10 minutes' THEN 'ok' ELSE 'failed' END,
        CASE
            WHEN latest.id IS NULL THEN 'no round of maintenance ever ended'
            ELSE format('the last round ended %s, by %s', clerk.when_and_age(latest.finished_at),
                CASE latest.caller WHEN 'launcher' THEN 'the launcher' ELSE 'a call of clerk.maintain()' END)
        END,
        'a round every minute, by the launcher of the preloaded library or by pg_cron: retries, handlers, keys, reconciles and erasure wait for it',
        CASE
            WHEN has_cron THEN 'SELECT cron.schedule(''clerk_sync'', ''* * * * *'', ''SELECT clerk.maintain()'');'
            ELSE 'Add clerk_sync to shared_preload_libraries and restart, or install pg_cron and ask again. SELECT clerk.maintain(); makes one round.'
        END,
        CASE WHEN has_cron THEN clerk.sql_as_owner() ELSE 'the server''s configuration' END;

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
