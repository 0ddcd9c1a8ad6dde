-- What every check of clerk.doctor() gives, and what several of them need. The checks run with the rights of the extension's owner.

CREATE TYPE clerk.finding AS (
    "check" text,
    status text,
    found text,
    expected text,
    mend text,
    mend_as text
);
ALTER TYPE clerk.finding OWNER TO @extowner@;
COMMENT ON TYPE clerk.finding IS 'A row of clerk.doctor() without its area, as the functions doctor_… give it.';
COMMENT ON COLUMN clerk.finding."check" IS 'What was looked at. Every check gives at least one row.';
COMMENT ON COLUMN clerk.finding.status IS 'ok; note: worth knowing; warning: will or may go wrong; failed: does not work, or is not safe.';
COMMENT ON COLUMN clerk.finding.found IS 'What there is. Never a secret.';
COMMENT ON COLUMN clerk.finding.expected IS 'What there should be.';
COMMENT ON COLUMN clerk.finding.mend IS 'What to do: SQL to run as it is, or a step. What follows -- says what else to think of.';
COMMENT ON COLUMN clerk.finding.mend_as IS 'Who runs that, or where: SQL as a role, or the place.';

CREATE FUNCTION clerk.sql_as(role_name name) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT ''SQL as '' || role_name';
COMMENT ON FUNCTION clerk.sql_as(name) IS
    'How clerk.doctor() says which role runs a statement. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.sql_as_owner() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT clerk.sql_as(r.rolname) FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner WHERE n.nspname = 'clerk'
$body$;
COMMENT ON FUNCTION clerk.sql_as_owner() IS
    'That the owner of the extension runs a statement. STABLE. Callable by the owner.';

-- Supabase's only superuser first, then the usual one, then the oldest.
CREATE FUNCTION clerk.sql_as_superuser() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT clerk.sql_as(r.rolname) FROM pg_roles AS r WHERE r.rolsuper
    ORDER BY r.rolname = 'supabase_admin' DESC, r.rolname = 'postgres' DESC, r.oid LIMIT 1
$body$;
COMMENT ON FUNCTION clerk.sql_as_superuser() IS
    'That a superuser runs a statement. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.span(seconds numeric) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE
        WHEN seconds < 120 THEN format('%s s', floor(seconds))
        WHEN seconds < 7200 THEN format('%s min', floor(seconds / 60))
        WHEN seconds < 172800 THEN format('%s h', floor(seconds / 3600))
        ELSE format('%s days', floor(seconds / 86400))
    END
$body$;
COMMENT ON FUNCTION clerk.span(numeric) IS
    'A number of seconds, 0 or more, as clerk.doctor() shows it: 45 s, 12 min, 3 h, 5 days. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.when_and_age(at timestamptz) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE
        WHEN at IS NULL OR NOT isfinite(at) THEN 'never'
        ELSE format('%s UTC (%s)', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
            CASE WHEN age.seconds < 0 THEN 'in ' || clerk.span(ceil(-age.seconds)) ELSE clerk.span(age.seconds) || ' ago' END)
    END
    FROM (SELECT CASE WHEN isfinite(at) THEN extract(epoch FROM clock_timestamp() - at) END) AS age (seconds)
$body$;
COMMENT ON FUNCTION clerk.when_and_age(timestamptz) IS
    'A time as clerk.doctor() shows it, with how long ago or ahead it is; never for NULL and infinity. VOLATILE. Callable by the owner.';

-- Postgres asks in this order: the role in the database, the role, the database, all roles; and then the server's configuration, of which
-- this session's own value is the best that can be known.
CREATE FUNCTION clerk.setting_of(role_name name, setting text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT COALESCE(
        (
            SELECT substr(entry, strpos(entry, '=') + 1)
            FROM pg_db_role_setting AS s, unnest(s.setconfig) AS entry
            WHERE (s.setdatabase = 0 OR s.setdatabase = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
              AND (s.setrole = 0 OR s.setrole = (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = role_name))
              AND lower(split_part(entry, '=', 1)) = lower(setting)
            ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1
        ),
        (SELECT s.setting FROM pg_settings AS s WHERE s.name = lower(setting_of.setting)),
        -- Of an extension that this session has not loaded. Not for everybody are the settings that pg_settings leaves out.
        CASE WHEN strpos(setting, '.') > 0 THEN current_setting(setting, true) END
    )
$body$;
COMMENT ON FUNCTION clerk.setting_of(name, text) IS
    'The value that a setting has in new sessions of a role in this database, or of roles without settings of their own for NULL, as far as the owner can see it; otherwise NULL. STABLE. Callable by the owner.';

-- As Postgres reads a list of names: within quotes a comma is part of a name.
CREATE FUNCTION clerk.split_list(list text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT COALESCE(array_agg(
        CASE WHEN starts_with(m[1], '"') THEN replace(substr(m[1], 2, length(m[1]) - 2), '""', '"') ELSE rtrim(m[1]) END ORDER BY n), '{}')
    FROM regexp_matches(list, '"(?:[^"]|"")*"|[^\s,"][^,]*', 'g') WITH ORDINALITY AS found (m, n)
$body$;
COMMENT ON FUNCTION clerk.split_list(text) IS
    'The names in the value of a setting that is a list. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.set_for(role_name name, setting text, value text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT format('ALTER ROLE %I IN DATABASE %I SET %s = %s;', role_name, current_database(), setting, value)
$body$;
COMMENT ON FUNCTION clerk.set_for(name, text, text) IS
    'The statement that changes a setting for new sessions of a role in this database and for nobody else. STABLE. Callable by the owner.';

-- Some roles of Supabase's services own tables and may not log in.
CREATE FUNCTION clerk.sql_as_owner_of(owners oid[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE WHEN count(*) = 1 AND bool_and(r.rolcanlogin) THEN clerk.sql_as(min(r.rolname)) ELSE clerk.sql_as_superuser() END
    FROM pg_roles AS r WHERE r.oid = ANY (owners)
$body$;
COMMENT ON FUNCTION clerk.sql_as_owner_of(oid[]) IS
    'Who runs a statement about objects of these roles: the one role if it may log in, otherwise a superuser. STABLE. Callable by the owner.';

-- A role's list stands in clerk.change_admin() and its siblings, and is read there, so that there is only one.
CREATE FUNCTION clerk.granted_by(granting regproc) RETURNS TABLE (object text, is_function boolean)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT named.object[1], to_regproc(named.object[1]) IS NOT NULL
    FROM pg_proc AS p, regexp_matches(p.prosrc, '''(clerk\.\w+)''', 'g') AS named (object)
    WHERE p.oid = granting
$body$;
COMMENT ON FUNCTION clerk.granted_by(regproc) IS
    'The functions, tables and views that clerk.change_admin(), change_service() or change_reader() gives. NULL for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.may_use(grantee name, object text, is_function boolean) RETURNS boolean
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE
        WHEN is_function THEN has_function_privilege(grantee, object::regproc::oid, 'EXECUTE')
        ELSE has_table_privilege(grantee, object::regclass::oid, 'SELECT')
    END
$body$;
COMMENT ON FUNCTION clerk.may_use(name, text, boolean) IS
    'Whether a role may call a function or read a table or view of schema clerk. STABLE. Callable by the owner.';

-- PostgREST's configuration is known here only where it is kept in the database; otherwise its default schema is taken, and every schema
-- in which clerk.expose_api() was called.
CREATE FUNCTION clerk.api_schemas() RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE
        WHEN told.schemas <> '' THEN ARRAY(SELECT DISTINCT trim(one) FROM unnest(string_to_array(told.schemas, ',')) AS one ORDER BY 1)
        WHEN EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname IN ('anon', 'authenticated', 'authenticator'))
            THEN ARRAY(SELECT 'public' UNION SELECT e.schema FROM clerk.exposed_api() AS e ORDER BY 1)
        ELSE '{}'
    END
    FROM (SELECT COALESCE(clerk.setting_of('authenticator', 'pgrst.db_schemas'), '')) AS told (schemas)
$body$;
COMMENT ON FUNCTION clerk.api_schemas() IS
    'The schemas that PostgREST shows, as far as the database knows. Empty where there is no PostgREST. STABLE. Callable by the owner.';
