-- clerk.doctor(): mistakes in the application's own tables and policies, and the statements that mend them.

-- A policy that compares a uuid column of the application cannot merely be changed: the column becomes text, for which every policy on it,
-- foreign keys and defaults have to step aside. The policies given, and all that hang together with them by such columns.
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

    IF NOT EXISTS (SELECT FROM clerk.uuid_owner_columns(covered)) THEN
        mend := format('BEGIN; %s COMMIT;', (SELECT string_agg(clerk.policy_change(one), ' ' ORDER BY one) FROM unnest(covered) AS one));
        RETURN;
    END IF;
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
    WHERE p.id = ANY (policies) AND c.type = 'uuid'::regtype AND c.may_be_altered
$body$;
COMMENT ON FUNCTION clerk.uuid_owner_columns(oid[]) IS
    'The application''s columns of type uuid that these policies compare with a Clerk id, or would once they are mended. STABLE. Callable by the owner.';

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

-- What no statement can mend: a uuid column that is not the application's to alter.
CREATE FUNCTION clerk.foreign_owner_columns(policies oid[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT string_agg(DISTINCT format('%s.%I', c.relation::regclass, c.name), ', ')
    FROM clerk.application_policies() AS p,
        clerk.owner_columns(p.id, clerk.for_clerk_ids(concat_ws(' ', p.using_text, p.check_text))) AS c
    WHERE p.id = ANY (policies) AND c.type = 'uuid'::regtype AND NOT c.may_be_altered AND NOT clerk.is_owner_of_storage(c.relation, c.name)
$body$;
COMMENT ON FUNCTION clerk.foreign_owner_columns(oid[]) IS
    'The columns of type uuid that these policies compare with a Clerk id and that are not the application''s, as a text. NULL: none. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.policy_faults() RETURNS TABLE (fault text, id oid, relation oid, name name)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT found.fault, p.id, p.relation, p.name
    FROM clerk.application_policies() AS p,
        LATERAL (SELECT concat_ws(' ', p.using_text, p.check_text)) AS both_texts (condition),
        LATERAL (
            SELECT 'auth.uid()' WHERE clerk.sql_code(both_texts.condition, '{}') ~ '\mauth \. uid \( \)'
            UNION ALL
            SELECT 'uuid' WHERE clerk.without_uuid_casts(both_texts.condition) <> both_texts.condition OR EXISTS (
                SELECT FROM clerk.owner_columns(p.id, both_texts.condition) AS c
                WHERE c.type = 'uuid'::regtype OR clerk.is_owner_of_storage(c.relation, c.name)
            )
        ) AS found (fault)
$body$;
COMMENT ON FUNCTION clerk.policy_faults() IS
    'The policies that cannot work with Clerk''s ids, and why. STABLE. Callable by the owner.';

-- A policy is in one mend only, because a mend is right for the policies as they are: the next would take back what it did.
CREATE FUNCTION clerk.policy_mends() RETURNS TABLE (fault text, relation oid, names text, covered oid[], mend text, foreign_columns text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    bad record;
    cure record;
    done oid[] := ARRAY[]::oid[];
BEGIN
    FOR bad IN
        SELECT f.fault, f.relation, array_agg(f.id ORDER BY f.id) AS policies, string_agg(quote_ident(f.name), ', ' ORDER BY f.name) AS names
        FROM clerk.policy_faults() AS f
        GROUP BY f.fault, f.relation ORDER BY f.fault, f.relation::regclass::text COLLATE "C"
    LOOP
        CONTINUE WHEN bad.policies <@ done;
        cure := clerk.mend_for_clerk_ids(bad.policies);
        done := done || cure.covered;
        RETURN QUERY SELECT bad.fault, bad.relation, bad.names, cure.covered, cure.mend, clerk.foreign_owner_columns(cure.covered);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION clerk.policy_mends() IS
    'What mends the policies that cannot work with Clerk''s ids: statements, and the policies that they touch. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_policies() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH kind (number, fault, expected) AS (
        VALUES
            (1, 'auth.uid()', 'policies ask clerk.current_user_id(): auth.uid() raises for Clerk''s ids, which are no uuids'),
            (2, 'uuid', 'Clerk''s ids are kept as text and compared without a cast: as uuid they raise or never match')
    ), bad AS MATERIALIZED (
        SELECT * FROM clerk.policy_mends()
    )
    (
        SELECT k.fault, 'warning', format('on %s: %s', b.relation::regclass, b.names),
            k.expected || CASE WHEN owner.is_storage THEN '. Storage keeps them in owner_id, and leaves owner NULL' ELSE '' END,
            CASE
                WHEN b.foreign_columns IS NOT NULL THEN format('Rewrite them: %s is not yours to alter and cannot hold Clerk''s ids.', b.foreign_columns)
                ELSE b.mend || ' -- rows keep the ids that they have'
            END,
            CASE WHEN b.foreign_columns IS NOT NULL THEN 'your own migrations' ELSE owner.mend_as END
        FROM bad AS b JOIN kind AS k ON k.fault = b.fault,
            LATERAL (
                SELECT clerk.sql_as_owner_of(array_agg(c.relowner)), bool_or(n.nspname = 'storage')
                FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE p.oid = ANY (b.covered)
            ) AS owner (mend_as, is_storage)
        ORDER BY k.number, b.relation::regclass::text COLLATE "C"
    )
    UNION ALL
    (
        SELECT k.fault, CASE WHEN found.too THEN 'note' ELSE 'ok' END,
            CASE WHEN found.too THEN 'see policies: auth.uid(), whose mend is for this too' ELSE 'no policy' END, k.expected, NULL, NULL
        FROM kind AS k, LATERAL (SELECT EXISTS (SELECT FROM clerk.policy_faults() AS f WHERE f.fault = k.fault)) AS found (too)
        WHERE NOT EXISTS (SELECT FROM bad AS b WHERE b.fault = k.fault)
        ORDER BY k.number
    )
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
        WHERE c.may_be_altered AND NOT EXISTS (
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
            format('CREATE INDEX ON %s (%I); -- CONCURRENTLY on a large table in use', s.relation::regclass, s.name), clerk.sql_as_owner_of(ARRAY[c.relowner])
        FROM slow AS s JOIN pg_class AS c ON c.oid = s.relation
        ORDER BY s.relation::regclass::text COLLATE "C", s.name
    )
    UNION ALL
    SELECT 'owner columns indexed', 'ok', 'all', 'an index on every column that policies compare with the caller''s id', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM slow)

    UNION ALL
    (
        SELECT 'row level security', 'failed', format('off on %s, which %s may use', o.relation::regclass, o.roles),
            'on for every table that the API shows: without it whoever may use a table has all its rows',
            CASE
                WHEN clerk.is_application_table(o.relation)
                    THEN format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; -- shows nothing until there is a policy', o.relation::regclass)
                ELSE 'It is not yours to alter: take its schema out of PGRST_DB_SCHEMAS and pgrst.db_schemas, or update the service that made it.'
            END,
            CASE WHEN clerk.is_application_table(o.relation) THEN clerk.sql_as_owner_of(ARRAY[o.relowner]) ELSE 'PostgREST''s configuration' END
        FROM open AS o
        ORDER BY o.relation::regclass::text COLLATE "C"
    )
    UNION ALL
    SELECT 'row level security', 'ok', format('on for every table in %s', COALESCE(NULLIF(array_to_string(clerk.api_schemas(), ', '), ''), 'no schema, because there is no API')),
        'on for every table that the API shows', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM open)
$body$;
COMMENT ON FUNCTION clerk.doctor_tables() IS
    'Checks of clerk.doctor(): indexes for policies, and tables without row level security. STABLE. Callable by the owner.';
