-- clerk.doctor(): request.jwt.claims as the application's own SQL reads it.

CREATE FUNCTION clerk.readers_of_claims() RETURNS TABLE (place text, owner oid, definition text, mend text, catalog oid, id oid, theirs name)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    -- Printing SQL waits for whoever has locked a relation in it, so objects are chosen first, and ours are not among them.
    WITH chosen AS MATERIALIZED (
        SELECT o.catalog, o.id, CASE WHEN NOT clerk.is_application_schema(n.nspname) AND o.catalog <> 'pg_policy'::regclass THEN n.nspname END AS theirs
        FROM (
            SELECT p.pronamespace, 'pg_proc'::regclass, p.oid
            FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE l.lanname IN ('sql', 'plpgsql')
            UNION ALL
            SELECT c.relnamespace, 'pg_policy'::regclass, p.oid FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
            UNION ALL
            SELECT c.relnamespace, 'pg_attrdef'::regclass, d.oid FROM pg_attrdef AS d JOIN pg_class AS c ON c.oid = d.adrelid
            UNION ALL
            SELECT c.relnamespace, 'pg_class'::regclass, c.oid FROM pg_class AS c WHERE c.relkind IN ('v', 'm')
        ) AS o (schema, catalog, id)
        JOIN pg_namespace AS n ON n.oid = o.schema
        WHERE NOT starts_with(n.nspname, 'pg_') AND n.nspname <> ALL (ARRAY['information_schema', 'clerk'])
          AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = o.catalog AND d.objid = o.id AND d.deptype = 'e')
    ), printed AS MATERIALIZED (
        SELECT p.proowner AS owner, format('function %s', p.oid::regprocedure) AS place,
            COALESCE(pg_get_function_sqlbody(p.oid), p.prosrc) AS definition,
            clerk.with_nullif(pg_get_functiondef(p.oid)) AS mend, o.catalog, o.id, o.theirs
        FROM chosen AS o JOIN pg_proc AS p ON o.catalog = 'pg_proc'::regclass AND p.oid = o.id
        UNION ALL
        SELECT c.relowner, format('policy %I on %s', p.polname, c.oid::regclass),
            concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
            format('ALTER POLICY %I ON %s', p.polname, c.oid::regclass)
                || COALESCE(' USING (' || clerk.with_nullif(pg_get_expr(p.polqual, p.polrelid)) || ')', '')
                || COALESCE(' WITH CHECK (' || clerk.with_nullif(pg_get_expr(p.polwithcheck, p.polrelid)) || ')', ''),
            o.catalog, o.id, o.theirs
        FROM chosen AS o JOIN pg_policy AS p ON o.catalog = 'pg_policy'::regclass AND p.oid = o.id JOIN pg_class AS c ON c.oid = p.polrelid
        UNION ALL
        SELECT c.relowner, format('default of %s.%I', c.oid::regclass, a.attname),
            pg_get_expr(d.adbin, d.adrelid),
            format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', c.oid::regclass, a.attname, clerk.with_nullif(pg_get_expr(d.adbin, d.adrelid))),
            o.catalog, o.id, o.theirs
        FROM chosen AS o JOIN pg_attrdef AS d ON o.catalog = 'pg_attrdef'::regclass AND d.oid = o.id
        JOIN pg_class AS c ON c.oid = d.adrelid JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        UNION ALL
        SELECT c.relowner, format('view %s', c.oid::regclass), query.text,
            concat_ws(' ',
                CASE c.relkind WHEN 'v' THEN 'CREATE OR REPLACE VIEW' ELSE 'drop it, then CREATE MATERIALIZED VIEW' END, c.oid::regclass,
                'WITH (' || array_to_string(c.reloptions, ', ') || ')', 'AS', clerk.with_nullif(query.text)),
            o.catalog, o.id, o.theirs
        FROM chosen AS o JOIN pg_class AS c ON o.catalog = 'pg_class'::regclass AND c.oid = o.id,
            LATERAL (SELECT rtrim(pg_get_viewdef(c.oid), ';')) AS query (text)
    )
    SELECT p.place, p.owner, p.definition, p.mend || ';', p.catalog, p.id, p.theirs FROM printed AS p WHERE p.definition ~ 'request\.jwt\.claims'
$body$;
COMMENT ON FUNCTION clerk.readers_of_claims() IS
    'The functions in SQL and PL/pgSQL, policies, column defaults and views outside of system schemas, ours and extensions in which request.jwt.claims is named: what each is, its owner, its SQL, the statement that makes it anew with nullif() around the setting, and its schema where that belongs to a service of Supabase, whose objects an application must not change. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_claims() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH mended AS MATERIALIZED (
        -- By the rows about policies, which these would take back: the policies, and the defaults of columns that become text.
        SELECT 'pg_policy'::regclass::oid AS catalog, one AS id FROM clerk.policy_mends() AS m, unnest(m.covered) AS one
        WHERE m.foreign_columns IS NULL
        UNION ALL
        SELECT 'pg_attrdef'::regclass, d.oid
        FROM clerk.policy_mends() AS m, clerk.uuid_owner_columns(m.covered) AS c
        JOIN pg_attrdef AS d ON d.adrelid = c.relation AND d.adnum = c.number
        WHERE m.foreign_columns IS NULL
    ), bad AS MATERIALIZED (
        SELECT c.* FROM clerk.readers_of_claims() AS c
        WHERE clerk.casts_claims_to_json(c.definition) AND NOT EXISTS (SELECT FROM mended AS m WHERE (m.catalog, m.id) = (c.catalog, c.id))
    )
    (
        SELECT 'cast to json', 'warning', format('%s casts request.jwt.claims to json as it is, which raises 22P02 where it is ''''', b.place),
            'nullif(current_setting(''request.jwt.claims'', true), '''') cast to json: it is '''' in a session that had it before, or asked us who is signed in',
            CASE WHEN b.theirs IS NULL THEN b.mend ELSE format('It is not yours to change: update the service that schema %I is of.', b.theirs) END,
            CASE WHEN b.theirs IS NULL THEN clerk.sql_as_owner_of(ARRAY[b.owner]) ELSE 'the service' END
        FROM bad AS b ORDER BY b.place COLLATE "C"
    )
    UNION ALL
    SELECT 'cast to json', 'ok', 'nothing', 'nullif() around request.jwt.claims wherever it is cast to json', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM bad)
$body$;
COMMENT ON FUNCTION clerk.doctor_claims() IS
    'Check of clerk.doctor(): functions, policies, defaults and views that fail where request.jwt.claims is ''''. STABLE. Callable by the owner.';
