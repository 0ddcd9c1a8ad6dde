-- clerk.doctor(): the application's own tables and policies.

-- Schemas that Supabase fills itself are left to it; storage is not, because people write policies there.
CREATE FUNCTION clerk.is_application_schema(schema name) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT NOT starts_with(schema, 'pg_') AND schema <> ALL (ARRAY[
        'information_schema', 'clerk', 'auth', '_realtime', 'realtime', 'vault', 'cron', 'net', 'graphql', 'graphql_public', 'extensions',
        'supabase_functions', 'supabase_migrations', '_analytics', '_supavisor', 'pgbouncer'
    ])
$body$;
COMMENT ON FUNCTION clerk.is_application_schema(name) IS
    'Whether a schema holds an application''s own tables. NULL for NULL. IMMUTABLE. Callable by the owner.';

-- Conditions as Postgres prints them while only pg_catalog is searched: every other name with its schema.
CREATE FUNCTION clerk.application_policies()
    RETURNS TABLE (id oid, relation oid, name name, command "char", permissive boolean, roles oid[], using_text text, check_text text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT p.oid, p.polrelid, p.polname, p.polcmd, p.polpermissive, p.polroles,
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE clerk.is_application_schema(n.nspname)
$body$;
COMMENT ON FUNCTION clerk.application_policies() IS
    'The policies on an application''s own tables. STABLE. Callable by the owner.';

-- Only text that Postgres printed comes here, so the brackets are where it puts them.
CREATE FUNCTION clerk.without_uuid_casts(condition text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(condition,
        -- (clerk.current_user_id())::uuid, and the same around a sub-select
        '\((clerk\.current_(?:user|org|session|actor)_id\(\))\)::uuid', '\1', 'g'),
        '\((\( SELECT clerk\.current_(?:user|org|session|actor)_id\(\) AS \w+\))\)::uuid', '\1', 'g'),
        -- the subject taken out of the claims by hand: auth.jwt(), or the setting
        '\(\( SELECT \(auth\.jwt\(\) ->> ''sub''::text\)(?: AS \w+)?\)\)::uuid', '( SELECT clerk.current_user_id())', 'g'),
        '\(\((?:auth\.jwt\(\)|\((?:NULLIF\()?current_setting\(''request\.jwt\.claims''::text(?:, true)?\)(?:, ''''::text\))?\)::jsonb?) ->> ''sub''::text\)\)::uuid',
        'clerk.current_user_id()', 'g')
$body$;
COMMENT ON FUNCTION clerk.without_uuid_casts(text) IS
    'A condition without casts of Clerk ids to uuid. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.for_clerk_ids(condition text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $body$ SELECT clerk.without_uuid_casts(replace(condition, 'auth.uid()', 'clerk.current_user_id()')) $body$;
COMMENT ON FUNCTION clerk.for_clerk_ids(text) IS
    'A condition or default as it is right for Clerk ids, which are text. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.owner_columns(policy oid, condition text) RETURNS TABLE (relation oid, number smallint, name name, type oid)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT DISTINCT a.attrelid, a.attnum, a.attname, a.atttypid
    FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') JOIN pg_namespace AS n ON n.oid = c.relnamespace,
    LATERAL (SELECT regexp_replace(quote_ident(a.attname), '(\W)', '\\\1', 'g')) AS pattern (name)
    WHERE d.classid = 'pg_policy'::regclass AND d.objid = policy AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      AND clerk.is_application_schema(n.nspname)
      AND (condition ~ format('(^|[^\w"])%s(\)::text)? = \(*( SELECT )?clerk\.current_(user|org)_id\(\)', pattern.name)
        OR condition ~ format('clerk\.current_(user|org)_id\(\)( AS \w+)?\)*(::text)? = \(?([\w"]+\.)?%s($|[^\w"])', pattern.name))
$body$;
COMMENT ON FUNCTION clerk.owner_columns(oid, text) IS
    'The columns that a policy with this condition compares with clerk.current_user_id() or current_org_id(), of its own or another table. No row for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.policy_definition(policy oid) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.name, p.relation::regclass,
            CASE WHEN p.permissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE p.command WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            (SELECT string_agg(CASE one WHEN 0 THEN 'PUBLIC' ELSE one::regrole::text END, ', ' ORDER BY one) FROM unnest(p.roles) AS one))
        || COALESCE(' USING (' || clerk.for_clerk_ids(p.using_text) || ')', '')
        || COALESCE(' WITH CHECK (' || clerk.for_clerk_ids(p.check_text) || ')', '') || ';'
    FROM clerk.application_policies() AS p WHERE p.id = policy
$body$;
COMMENT ON FUNCTION clerk.policy_definition(oid) IS
    'The statement that makes a policy as it is right for Clerk ids. NULL for NULL. STABLE. Callable by the owner.';
