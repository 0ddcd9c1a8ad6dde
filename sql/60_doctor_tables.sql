-- clerk.doctor(): mistakes in the application's own tables and policies, and the statements that mend them.

-- A policy that compares a uuid column cannot merely be rewritten: the column becomes text, for which every policy on it, foreign keys and
-- defaults have to step aside. The policies given, and all that hang together with them by such columns.
CREATE FUNCTION clerk.mend_for_clerk_ids(policies oid[], OUT mend text, OUT covered oid[])
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    known integer;
BEGIN
    covered := policies;
    LOOP
        known := cardinality(covered);
        covered := ARRAY(
            SELECT one FROM unnest(covered) AS one
            UNION
            SELECT d.objid FROM clerk.uuid_owner_columns(covered) AS c
            JOIN pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_class'::regclass
                AND d.refobjid = c.relation AND d.refobjsubid = c.number
            ORDER BY 1
        );
        EXIT WHEN cardinality(covered) = known;
    END LOOP;

    SELECT concat_ws(' ', 'BEGIN;',
        (SELECT string_agg(format('DROP POLICY %I ON %s;', p.polname, p.polrelid::regclass), ' ' ORDER BY p.oid)
            FROM pg_policy AS p WHERE p.oid = ANY (covered)),
        (SELECT string_agg(format('ALTER TABLE %s DROP CONSTRAINT %I;', k.conrelid::regclass, k.conname), ' ' ORDER BY k.oid)
            FROM pg_constraint AS k
            WHERE k.contype = 'f' AND EXISTS (
                SELECT FROM clerk.uuid_owner_columns(covered) AS c WHERE c.relation = k.conrelid AND c.number = ANY (k.conkey))),
        (SELECT string_agg(clerk.column_to_text(c.relation, c.number), ' ' ORDER BY c.relation, c.number)
            FROM clerk.uuid_owner_columns(covered) AS c),
        (SELECT string_agg(clerk.policy_definition(one), ' ' ORDER BY one) FROM unnest(covered) AS one),
        'COMMIT;')
    INTO mend;
END
$body$;
COMMENT ON FUNCTION clerk.mend_for_clerk_ids(oid[]) IS
    'The statements that make policies right for Clerk ids, in one transaction, and the policies that they touch. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.uuid_owner_columns(policies oid[]) RETURNS TABLE (relation oid, number smallint, name name)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT DISTINCT c.relation, c.number, c.name
    FROM clerk.application_policies() AS p,
        clerk.owner_columns(p.id, clerk.for_clerk_ids(concat_ws(' ', p.using_text, p.check_text))) AS c
    WHERE p.id = ANY (policies) AND c.type = 'uuid'::regtype
$body$;
COMMENT ON FUNCTION clerk.uuid_owner_columns(oid[]) IS
    'The columns of type uuid that these policies compare with a Clerk id, or would once they are mended. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.column_to_text(relation oid, number smallint) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT concat_ws(' ',
        CASE WHEN changed.default_text IS NOT NULL THEN format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT;', a.attrelid::regclass, a.attname) END,
        format('ALTER TABLE %s ALTER COLUMN %I TYPE text USING %I::text;', a.attrelid::regclass, a.attname, a.attname),
        CASE WHEN changed.default_text IS NOT NULL THEN
            format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s;', a.attrelid::regclass, a.attname, changed.default_text) END)
    FROM pg_attribute AS a
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum,
    LATERAL (SELECT NULLIF(clerk.for_clerk_ids(pg_get_expr(d.adbin, d.adrelid)), pg_get_expr(d.adbin, d.adrelid))) AS changed (default_text)
    WHERE a.attrelid = relation AND a.attnum = number
$body$;
COMMENT ON FUNCTION clerk.column_to_text(oid, smallint) IS
    'The statements that make a column text, its default included. NULL for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_policies() RETURNS SETOF clerk.finding
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    fault record;
    bad record;
    cure record;
    done oid[];
    is_clean boolean;
BEGIN
    FOR fault IN
        SELECT * FROM (VALUES
            ('auth.uid()', 'policies ask clerk.current_user_id(): auth.uid() raises for Clerk''s ids, which are no uuids'),
            ('uuid', 'Clerk''s ids are kept as text and compared without a cast: as uuid they raise or never match')
        ) AS kind (name, expected)
    LOOP
        done := '{}';
        is_clean := true;
        FOR bad IN
            SELECT p.relation, array_agg(p.id ORDER BY p.id) AS policies, string_agg(quote_ident(p.name), ', ' ORDER BY p.name) AS names
            FROM clerk.application_policies() AS p,
                LATERAL (SELECT concat_ws(' ', p.using_text, p.check_text)) AS both_texts (condition)
            WHERE CASE fault.name
                WHEN 'auth.uid()' THEN clerk.sql_code(both_texts.condition, '{}') ~ '\mauth \. uid \( \)'
                ELSE clerk.without_uuid_casts(both_texts.condition) <> both_texts.condition
                    OR EXISTS (SELECT FROM clerk.owner_columns(p.id, both_texts.condition) AS c WHERE c.type = 'uuid'::regtype)
            END
            GROUP BY p.relation ORDER BY p.relation::regclass::text COLLATE "C"
        LOOP
            is_clean := false;
            CONTINUE WHEN bad.policies <@ done;
            cure := clerk.mend_for_clerk_ids(bad.policies);
            done := done || cure.covered;
            RETURN QUERY SELECT fault.name, 'warning', format('on %s: %s', bad.relation::regclass, bad.names), fault.expected,
                cure.mend || ' -- rows keep the ids that they have',
                (
                    SELECT CASE count(DISTINCT c.relowner) WHEN 1 THEN clerk.sql_as(min(r.rolname)) ELSE clerk.sql_as_superuser() END
                    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_roles AS r ON r.oid = c.relowner
                    WHERE p.oid = ANY (cure.covered)
                );
        END LOOP;
        IF is_clean THEN
            RETURN QUERY SELECT fault.name, 'ok', 'no policy', fault.expected, NULL, NULL;
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION clerk.doctor_policies() IS
    'Checks of clerk.doctor(): policies that cannot work with Clerk''s ids. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_tables() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH slow AS (
        SELECT DISTINCT c.relation, c.name
        FROM clerk.application_policies() AS p, clerk.owner_columns(p.id, p.using_text) AS c
        WHERE NOT EXISTS (
            SELECT FROM pg_index AS i
            WHERE i.indrelid = c.relation AND i.indkey[0] = c.number AND i.indisvalid AND i.indpred IS NULL
        )
    ), open AS (
        SELECT c.oid AS relation, c.relowner, string_agg(r.rolname, ' and ' ORDER BY r.rolname) AS roles
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, pg_roles AS r
        WHERE n.nspname = ANY (clerk.api_schemas()) AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
          AND r.rolname IN ('anon', 'authenticated')
          AND has_schema_privilege(r.oid, n.oid, 'USAGE')
          AND (has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
          AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        GROUP BY c.oid, c.relowner
    )
    (
        SELECT 'owner columns indexed', 'warning', format('no index begins with %s.%I', s.relation::regclass, s.name),
            'an index on every column that policies compare with the caller''s id',
            format('CREATE INDEX ON %s (%I); -- CONCURRENTLY on a large table in use', s.relation::regclass, s.name), clerk.sql_as(r.rolname)
        FROM slow AS s JOIN pg_class AS c ON c.oid = s.relation JOIN pg_roles AS r ON r.oid = c.relowner
        ORDER BY s.relation::regclass::text COLLATE "C", s.name
    )
    UNION ALL
    SELECT 'owner columns indexed', 'ok', 'all', 'an index on every column that policies compare with the caller''s id', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM slow)

    UNION ALL
    (
        SELECT 'row level security', 'failed', format('off on %s, which %s may use', o.relation::regclass, o.roles),
            'on for every table that the API shows: without it whoever may use a table has all its rows',
            format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; -- shows nothing until there is a policy', o.relation::regclass), clerk.sql_as(r.rolname)
        FROM open AS o JOIN pg_roles AS r ON r.oid = o.relowner
        ORDER BY o.relation::regclass::text COLLATE "C"
    )
    UNION ALL
    SELECT 'row level security', 'ok', format('on for every table in %s', COALESCE(NULLIF(array_to_string(clerk.api_schemas(), ', '), ''), 'no schema, because there is no API')),
        'on for every table that the API shows', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM open)
$body$;
COMMENT ON FUNCTION clerk.doctor_tables() IS
    'Checks of clerk.doctor(): indexes for policies, and tables without row level security. STABLE. Callable by the owner.';
