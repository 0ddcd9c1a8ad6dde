-- clerk.doctor() itself.

-- What one area mends the areas below it need: a library that loads, workers that fetch, grants that policies call for.
CREATE FUNCTION clerk.doctor_areas() RETURNS TABLE (area text, checks text, is_online boolean)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    VALUES
        ('library', 'clerk.doctor_library', false),
        ('library', 'clerk.doctor_library_lists', false),
        ('library', 'clerk.doctor_preloading', false),
        ('library', 'clerk.doctor_triggers', false),
        ('workers', 'clerk.doctor_workers', false),
        ('grants', 'clerk.doctor_grants', false),
        ('instances', 'clerk.doctor_instances', false),
        ('keys', 'clerk.doctor_keys', false),
        ('tokens', 'clerk.doctor_tokens', false),
        ('postgrest', 'clerk.doctor_postgrest', false),
        ('realtime', 'clerk.doctor_realtime', false),
        ('services', 'clerk.doctor_services', false),
        ('webhooks', 'clerk.doctor_signing_secrets', false),
        ('webhooks', 'clerk.doctor_deliveries', false),
        ('webhooks', 'clerk.doctor_events', false),
        ('webhooks', 'clerk.doctor_durability', false),
        ('sync', 'clerk.doctor_secret_keys', false),
        ('sync', 'clerk.doctor_runs', false),
        ('sync', 'clerk.doctor_endpoint', false),
        ('maintenance', 'clerk.doctor_maintenance', false),
        ('secrets', 'clerk.doctor_secrets', false),
        ('schema', 'clerk.doctor_schema', false),
        ('schema', 'clerk.doctor_additions', false),
        ('logging', 'clerk.doctor_logging', false),
        ('policies', 'clerk.doctor_policies', false),
        ('tables', 'clerk.doctor_tables', false),
        ('tables', 'clerk.doctor_foreign_keys', false),
        ('claims', 'clerk.doctor_claims', false),
        ('online', 'clerk.doctor_online', true)
$body$;
COMMENT ON FUNCTION clerk.doctor_areas() IS
    'The functions that clerk.doctor() is made of, in the order of its rows, and whether they ask Clerk. IMMUTABLE. Callable by the owner.';

-- A lock that somebody holds must not keep the other checks waiting.
CREATE FUNCTION clerk.examine(checks text) RETURNS SETOF clerk.finding
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '1s'
AS $body$
BEGIN
    RETURN QUERY EXECUTE format('SELECT f.* FROM %s() AS f', checks::regproc);
EXCEPTION WHEN OTHERS THEN
    RETURN QUERY SELECT checks, 'failed', format('%s: %s', SQLSTATE, SQLERRM), 'the check itself can be made',
        format('SELECT * FROM %s();', checks), clerk.sql_as_owner();
END
$body$;
COMMENT ON FUNCTION clerk.examine(text) IS
    'Makes some checks of clerk.doctor(). If that fails, one row says so. VOLATILE. Callable by the owner.';

-- SECURITY DEFINER: checks read tables and settings that administrators may not.
CREATE FUNCTION clerk.doctor(online boolean DEFAULT false)
    RETURNS TABLE (area text, "check" text, status text, found text, expected text, mend text, mend_as text)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Policies are judged by how Postgres prints them, with patterns that have backslashes.
    SET quote_all_identifiers = off
    SET standard_conforming_strings = on
AS $body$
    SELECT a.area, f."check", f.status, f.found, f.expected,
        CASE WHEN f.status <> 'ok' THEN f.mend END, CASE WHEN f.status <> 'ok' THEN f.mend_as END
    FROM clerk.doctor_areas() WITH ORDINALITY AS a (area, checks, is_online, place),
        LATERAL clerk.examine(a.checks) WITH ORDINALITY AS f ("check", status, found, expected, mend, mend_as, place)
    WHERE online OR NOT a.is_online
    ORDER BY a.place, f.place
$body$;
COMMENT ON FUNCTION clerk.doctor(boolean) IS
    'Checks everything that a support engineer would ask about, and says for each what was found, what is expected, what mends it, and who runs that or where. Rows come in the order in which their mends can be run; no mend alters what another extension or a service of Supabase made. status is ok, note (worth knowing), warning (will or may go wrong) or failed (does not work, or is not safe). Read-only, also on a standby; raises nothing by what it finds: a check that cannot be made is failed. Shows no secret. With online it also asks Clerk, through background workers, and may take some seconds; NULL is as false. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
