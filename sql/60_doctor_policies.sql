-- clerk.doctor(): the application's own tables and policies.

-- Supabase's services and the extensions of its images keep their objects in these. People write policies on some of those tables, and
-- nothing else there is theirs to change.
CREATE FUNCTION clerk.is_application_schema(schema name) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT NOT starts_with(schema, 'pg_') AND schema <> ALL (ARRAY[
        'information_schema', 'clerk', 'auth', 'storage', '_realtime', 'realtime', 'vault', 'cron', 'net', 'graphql', 'graphql_public',
        'extensions', 'supabase_functions', 'supabase_migrations', '_analytics', '_supavisor', 'pgbouncer'
    ])
$body$;
COMMENT ON FUNCTION clerk.is_application_schema(name) IS
    'Whether a schema holds an application''s own objects. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.is_application_table(relation oid) RETURNS boolean
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = relation AND clerk.is_application_schema(n.nspname)
          AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    )
$body$;
COMMENT ON FUNCTION clerk.is_application_table(oid) IS
    'Whether a table is an application''s own, and not one of Supabase''s services or of an extension. No statement of clerk.doctor() alters another one. NULL for NULL. STABLE. Callable by the owner.';

-- Conditions as Postgres prints them while only pg_catalog is searched: every other name with its schema.
CREATE FUNCTION clerk.application_policies()
    RETURNS TABLE (id oid, relation oid, name name, command "char", permissive boolean, roles oid[], using_text text, check_text text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT p.oid, p.polrelid, p.polname, p.polcmd, p.polpermissive, p.polroles,
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE clerk.is_application_schema(n.nspname) OR n.nspname IN ('storage', 'realtime')
$body$;
COMMENT ON FUNCTION clerk.application_policies() IS
    'The policies that an application has, on its own tables and on those of Supabase''s Storage and Realtime. STABLE. Callable by the owner.';

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

-- Storage keeps the id of whoever uploaded in owner_id, and in owner only what is a uuid.
CREATE FUNCTION clerk.is_owner_of_storage(relation oid, name name) RETURNS boolean
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT name = 'owner' AND EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = relation AND n.nspname = 'storage'
    )
$body$;
COMMENT ON FUNCTION clerk.is_owner_of_storage(oid, name) IS
    'Whether a column is the owner of a table of Supabase''s Storage, which is NULL where somebody''s id is no uuid. NULL for NULL. STABLE. Callable by the owner.';

-- Nothing within quotes is the column.
CREATE FUNCTION clerk.with_owner_id(condition text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT string_agg(CASE WHEN piece.text[1] ~ $re$^['"]$re$ THEN piece.text[1] ELSE regexp_replace(piece.text[1], '\mowner\M', 'owner_id', 'g') END, '' ORDER BY piece.number)
    FROM regexp_matches(condition, $re$'(?:[^']|'')*'|"(?:[^"]|"")*"|[^'"]+$re$, 'g') WITH ORDINALITY AS piece (text, number)
$body$;
COMMENT ON FUNCTION clerk.with_owner_id(text) IS
    'A condition as Postgres prints it with column owner_id in place of owner. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.owner_columns(policy oid, condition text)
    RETURNS TABLE (relation oid, number smallint, name name, type oid, may_be_altered boolean)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT DISTINCT a.attrelid, a.attnum, a.attname, a.atttypid, clerk.is_application_table(a.attrelid)
    FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p'),
    LATERAL (SELECT regexp_replace(quote_ident(a.attname), '(\W)', '\\\1', 'g')) AS pattern (name)
    WHERE d.classid = 'pg_policy'::regclass AND d.objid = policy AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
      AND c.relnamespace <> 'clerk'::regnamespace
      AND (condition ~ format('(^|[^\w"])%s(\)::text)? = \(*( SELECT )?clerk\.current_(user|org)_id\(\)', pattern.name)
        OR condition ~ format('clerk\.current_(user|org)_id\(\)( AS \w+)?\)*(::text)? = \(*([\w"]+\.)?%s($|[^\w"])', pattern.name))
$body$;
COMMENT ON FUNCTION clerk.owner_columns(oid, text) IS
    'The columns that a policy with this condition compares with clerk.current_user_id() or current_org_id(), of its own or another table, and whether they are the application''s to alter. No row for NULL. STABLE. Callable by the owner.';

-- The two faults of a condition that a row of its own names: see clerk.doctor_claims().
CREATE FUNCTION clerk.right_condition(policy oid, condition text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT CASE
        WHEN EXISTS (SELECT FROM clerk.owner_columns(policy, nonempty.text) AS c WHERE clerk.is_owner_of_storage(c.relation, c.name))
            THEN clerk.with_owner_id(nonempty.text)
        ELSE nonempty.text
    END
    FROM (SELECT clerk.for_clerk_ids(condition)) AS ids (text),
        LATERAL (SELECT CASE WHEN clerk.casts_claims_to_json(ids.text) THEN clerk.with_nullif(ids.text) ELSE ids.text END) AS nonempty (text)
$body$;
COMMENT ON FUNCTION clerk.right_condition(oid, text) IS
    'A condition of a policy as it is right for Clerk''s ids and for claims that are empty. NULL for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.policy_conditions(policy oid) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT COALESCE(' USING (' || clerk.right_condition(p.id, p.using_text) || ')', '')
        || COALESCE(' WITH CHECK (' || clerk.right_condition(p.id, p.check_text) || ')', '') || ';'
    FROM clerk.application_policies() AS p WHERE p.id = policy
$body$;
COMMENT ON FUNCTION clerk.policy_conditions(oid) IS
    'The conditions of a policy as they are right for Clerk ids. NULL for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.policy_definition(policy oid) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.name, p.relation::regclass,
            CASE WHEN p.permissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE p.command WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            (SELECT string_agg(CASE one WHEN 0 THEN 'PUBLIC' ELSE one::regrole::text END, ', ' ORDER BY one) FROM unnest(p.roles) AS one))
        || clerk.policy_conditions(policy)
    FROM clerk.application_policies() AS p WHERE p.id = policy
$body$;
COMMENT ON FUNCTION clerk.policy_definition(oid) IS
    'The statement that makes a policy as it is right for Clerk ids. NULL for NULL. STABLE. Callable by the owner.';

-- Name, command, kind and roles stay as they are.
CREATE FUNCTION clerk.policy_change(policy oid) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT format('ALTER POLICY %I ON %s', p.polname, p.polrelid::regclass) || clerk.policy_conditions(policy) FROM pg_policy AS p WHERE p.oid = policy
$body$;
COMMENT ON FUNCTION clerk.policy_change(oid) IS
    'The statement that changes a policy to what is right for Clerk ids. NULL for NULL. STABLE. Callable by the owner.';
