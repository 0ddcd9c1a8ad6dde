-- Leaving: the mirror as plain tables and views in a schema of their own, with the protection that it has in ours.

-- What eject() has a counterpart for.
CREATE FUNCTION clerk.eject_moved() RETURNS TABLE (kind text, id oid, name text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'function', p.oid, p.proname::text
    FROM (
        SELECT t.name FROM clerk.eject_identity_templates() AS t UNION ALL SELECT t.name FROM clerk.eject_authorization_templates() AS t
    ) AS t
    JOIN pg_proc AS p ON p.proname = t.name
    WHERE p.pronamespace = 'clerk'::regnamespace
    UNION ALL
    -- A table is the mirror's if there is a view of what exists in it.
    SELECT 'table', c.oid, c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind = 'r' AND EXISTS (
        SELECT FROM pg_class AS v
        WHERE v.relnamespace = c.relnamespace AND v.relkind = 'v' AND v.relname = 'existing_' || c.relname
    )
    UNION ALL
    SELECT 'view', v.oid, v.relname FROM pg_class AS v
    WHERE v.relnamespace = 'clerk'::regnamespace AND v.relkind = 'v'
      AND (v.relname IN ('me', 'profiles', 'my_memberships', 'my_organizations') OR starts_with(v.relname, 'existing_'))
$body$;
COMMENT ON FUNCTION clerk.eject_moved() IS
    'The functions, tables and views of this schema that clerk.eject() makes counterparts of. STABLE. Callable by the owner.';

-- Indexes and triggers that serve the extension's own upkeep, as erasure, have nothing to do without it.
CREATE FUNCTION clerk.eject_stays(catalog regclass, object oid) RETURNS boolean
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT EXISTS (
        SELECT FROM pg_depend AS d
        JOIN pg_proc AS p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
        WHERE d.classid = catalog AND d.objid = object AND p.pronamespace = 'clerk'::regnamespace
          AND NOT EXISTS (SELECT FROM clerk.eject_moved() AS m WHERE m.kind = 'function' AND m.id = p.oid)
    )
$body$;
COMMENT ON FUNCTION clerk.eject_stays(regclass, oid) IS
    'Whether an index or trigger of the mirror uses a function that has no counterpart after clerk.eject(), so that it has none either. NULL for NULL. STABLE. Callable by the owner.';

COMMENT ON FUNCTION clerk.eject_text(text, text, text[], text[], text, boolean) IS
    'A definition as Postgres prints it, with these functions and relations of schema clerk named in target (quoted where SQL needs it) instead; unqualified is the same definition as printed with clerk in the search path, once puts calls that depend on no row into sub-selects. NULL if one of the texts, target or once is NULL, or the two do not fit each other. IMMUTABLE. Callable by the owner.';

-- Postgres says what qualifies one of our names: it prints the thing with and without our schema in the search path. Indexes and
-- triggers it prints so only when it prints them prettily.
CREATE FUNCTION clerk.eject_printed(kind text, id oid, target text) RETURNS text
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    path text;
    printed text[] := ARRAY[]::text[];
    moved text;
BEGIN
    FOREACH path IN ARRAY ARRAY['pg_catalog, clerk, pg_temp', 'pg_catalog, pg_temp'] LOOP
        PERFORM set_config('search_path', path, true);
        printed := CASE kind
            WHEN 'policy using' THEN (SELECT pg_get_expr(p.polqual, p.polrelid) FROM pg_policy AS p WHERE p.oid = id)
            WHEN 'policy check' THEN (SELECT pg_get_expr(p.polwithcheck, p.polrelid) FROM pg_policy AS p WHERE p.oid = id)
            WHEN 'default' THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d WHERE d.oid = id)
            WHEN 'publication' THEN (SELECT pg_get_expr(p.prqual, p.prrelid) FROM pg_publication_rel AS p WHERE p.oid = id)
            WHEN 'constraint' THEN pg_get_constraintdef(id)
            WHEN 'index' THEN pg_get_indexdef(id, 0, true)
            WHEN 'view' THEN rtrim(pg_get_viewdef(id), ';')
            WHEN 'trigger' THEN pg_get_triggerdef(id, true)
            WHEN 'function' THEN pg_get_functiondef(id)
        END || printed;
    END LOOP;
    SELECT clerk.eject_text(
        printed[1], printed[2], array_agg(m.name) FILTER (WHERE m.kind = 'function'),
        array_agg(m.name) FILTER (WHERE m.kind <> 'function'), quote_ident(target),
        -- What a policy asks once for each row it had better ask once.
        starts_with(eject_printed.kind, 'policy')
    ) INTO STRICT moved FROM clerk.eject_moved() AS m;
    -- A policy that lost its condition would let everybody in.
    IF moved IS NULL AND printed[1] IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = format('the %s cannot be read: %s', kind, printed[1]),
            HINT = 'Drop it before clerk.eject(), and make it again afterwards.';
    END IF;
    RETURN moved;
END
$body$;
COMMENT ON FUNCTION clerk.eject_printed(text, oid, text) IS
    'Definition of an object with what it names of this schema named in another one instead. NULL for NULL and for an object without such a definition. Raises 0A000 for one that cannot be read. VOLATILE: sets search_path meanwhile. Callable by the owner.';

CREATE FUNCTION clerk.eject_grants(acl aclitem[], owner oid, what text) RETURNS SETOF text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT format('GRANT %s ON %s TO %s%s',
        string_agg(entry.privilege_type, ', ' ORDER BY entry.privilege_type), what,
        CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE entry.grantee::regrole::text END,
        CASE WHEN entry.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM aclexplode(acl) AS entry
    WHERE entry.grantee <> owner
    GROUP BY entry.grantee, entry.is_grantable
    ORDER BY 1
$body$;
COMMENT ON FUNCTION clerk.eject_grants(aclitem[], oid, text) IS
    'Statements that give others than the owner what an access list gives them. None for NULL. STABLE. Callable by the owner.';

-- What default privileges would give away at once, as in a Supabase project.
CREATE FUNCTION clerk.eject_default_grantees() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'PUBLIC' || COALESCE(string_agg(DISTINCT ', ' || entry.grantee::regrole, ''), '')
    FROM pg_namespace AS home
    JOIN pg_default_acl AS d ON d.defaclrole = home.nspowner, aclexplode(d.defaclacl) AS entry
    WHERE home.nspname = 'clerk' AND entry.grantee NOT IN (0, home.nspowner)
$body$;
COMMENT ON FUNCTION clerk.eject_default_grantees() IS
    'PUBLIC, and everybody whom the owner''s default privileges favour, as in GRANT. STABLE. Callable by the owner.';

-- What a comment says of the extension would be wrong without it.
CREATE FUNCTION clerk.eject_comment(comment text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT string_agg(part.sentence, ' ' ORDER BY part.number)
    FROM regexp_split_to_table(regexp_replace(comment, '; only with configure\([^)]*\)', ''), '(?<=\.) ')
        WITH ORDINALITY AS part (sentence, number)
    WHERE part.sentence !~ '\mclerk\.'
$body$;
COMMENT ON FUNCTION clerk.eject_comment(text) IS
    'A comment without the sentences that speak of this schema; NULL if nothing is left. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.eject_schema(target text) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT wanted.step, quote_ident(target), wanted.statement
    FROM pg_namespace AS home, LATERAL (
        VALUES
            (1, 'schema', format('CREATE SCHEMA %I', target)),
            (2, 'grant', format('REVOKE ALL ON SCHEMA %I FROM %s', target, clerk.eject_default_grantees()))
        UNION ALL
        SELECT 3, 'grant', g FROM clerk.eject_grants(home.nspacl, home.nspowner, format('SCHEMA %I', target)) AS g
    ) AS wanted (number, step, statement)
    WHERE home.nspname = 'clerk'
    ORDER BY wanted.number
$body$;
COMMENT ON FUNCTION clerk.eject_schema(text) IS
    'The statements of clerk.eject() that make its schema. Nothing for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.eject_tables(target text) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT wanted.step, made.identity, wanted.statement
    FROM clerk.eject_moved() AS m
    JOIN pg_class AS c ON c.oid = m.id AND m.kind = 'table',
    LATERAL (
        SELECT format('%I.%I', target, m.name), string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
        FROM pg_attribute AS a WHERE a.attrelid = m.id AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ) AS made (identity, columns),
    LATERAL (
        SELECT 1, 'table', format(
            'CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY INCLUDING CONSTRAINTS INCLUDING STORAGE '
                'INCLUDING COMPRESSION INCLUDING STATISTICS INCLUDING COMMENTS)', made.identity, m.id::regclass)
        UNION ALL
        SELECT 2, 'copy', format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM ONLY %s', made.identity, made.columns, m.id::regclass)
        UNION ALL
        SELECT 3, 'constraint', format('ALTER TABLE %s ADD CONSTRAINT %I %s', made.identity, k.conname, clerk.eject_printed('constraint', k.oid, target))
        FROM pg_constraint AS k WHERE k.conrelid = m.id AND k.contype IN ('p', 'u', 'x')
        UNION ALL
        SELECT 4, 'index', clerk.eject_printed('index', i.indexrelid, target)
        FROM pg_index AS i
        WHERE i.indrelid = m.id AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.conrelid = m.id)
          AND NOT clerk.eject_stays('pg_class', i.indexrelid)
        UNION ALL
        SELECT 5, 'table', format('ALTER TABLE %s REPLICA IDENTITY %s', made.identity, CASE c.relreplident
            WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
            WHEN 'i' THEN (
                SELECT format('USING INDEX %I', x.relname) FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                WHERE i.indrelid = m.id AND i.indisreplident)
        END)
        WHERE c.relreplident <> 'd'
        UNION ALL
        SELECT 6, 'comment', format('COMMENT ON TABLE %s IS %L', made.identity, clerk.eject_comment(obj_description(m.id, 'pg_class')))
        UNION ALL
        SELECT 7, 'comment', format('COMMENT ON COLUMN %s.%I IS %L', made.identity, a.attname, clerk.eject_comment(d.description))
        FROM pg_attribute AS a
        JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum
        WHERE a.attrelid = m.id AND d.description IS DISTINCT FROM clerk.eject_comment(d.description)
        UNION ALL
        SELECT 8, 'protection', format('ALTER TABLE %s %s ROW LEVEL SECURITY', made.identity, mode.word)
        FROM (VALUES (c.relrowsecurity, 'ENABLE'), (c.relforcerowsecurity, 'FORCE')) AS mode (wanted, word) WHERE mode.wanted
        UNION ALL
        SELECT 9, 'protection', format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, made.identity,
            CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
            (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', ') FROM unnest(p.polroles) AS role),
            ' USING (' || clerk.eject_printed('policy using', p.oid, target) || ')',
            ' WITH CHECK (' || clerk.eject_printed('policy check', p.oid, target) || ')')
        FROM pg_policy AS p WHERE p.polrelid = m.id
        UNION ALL
        SELECT 10, 'constraint', format('ALTER TABLE %s ADD CONSTRAINT %I %s', made.identity, k.conname, clerk.eject_printed('constraint', k.oid, target))
        FROM pg_constraint AS k WHERE k.conrelid = m.id AND k.contype = 'f'
    ) AS wanted (number, step, statement)
    -- What refers to another table comes when that is there.
    ORDER BY wanted.number = 10, m.name, wanted.number, wanted.statement
$body$;
COMMENT ON FUNCTION clerk.eject_tables(text) IS
    'The statements of clerk.eject() that make and fill its tables. Nothing for NULL. VOLATILE: sets search_path meanwhile. Callable by the owner.';

CREATE FUNCTION clerk.eject_views(target text) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    -- A view comes after those that it reads: it reads all that they read, and them.
    WITH RECURSIVE moved AS MATERIALIZED (
        SELECT m.id, m.name FROM clerk.eject_moved() AS m WHERE m.kind = 'view'
    ), reads AS (
        SELECT m.id, m.id AS read FROM moved AS m
        UNION
        SELECT r.id, d.refobjid
        FROM reads AS r
        JOIN pg_rewrite AS w ON w.ev_class = r.read
        JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
        JOIN moved AS m ON m.id = d.refobjid
    )
    SELECT wanted.step, made.identity, wanted.statement
    FROM moved AS m
    JOIN pg_class AS c ON c.oid = m.id,
    LATERAL (SELECT format('%I.%I', target, m.name)) AS made (identity),
    LATERAL (
        SELECT 1, 'view', format('CREATE VIEW %s%s AS%s%s', made.identity,
            ' WITH (' || array_to_string(c.reloptions, ', ') || ')', E'\n', clerk.eject_printed('view', m.id, target))
        UNION ALL
        SELECT 2, 'comment', format('COMMENT ON VIEW %s IS %L', made.identity, clerk.eject_comment(obj_description(m.id, 'pg_class')))
        UNION ALL
        SELECT 3, 'comment', string_agg(format('COMMENT ON COLUMN %s.%I IS %L', made.identity, a.attname, clerk.eject_comment(d.description)),
            E';\n' ORDER BY a.attnum)
        FROM pg_attribute AS a
        JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum
        WHERE a.attrelid = m.id
    ) AS wanted (number, step, statement)
    WHERE wanted.statement IS NOT NULL
    ORDER BY (SELECT count(*) FROM reads AS r WHERE r.id = m.id), m.name, wanted.number
$body$;
COMMENT ON FUNCTION clerk.eject_views(text) IS
    'The statements of clerk.eject() that make its views. Nothing for NULL. VOLATILE: sets search_path meanwhile. Callable by the owner.';

CREATE FUNCTION clerk.eject_relation_grants(target text) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'grant', quote_ident(target), statement
    FROM unnest(ARRAY[
        format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO PUBLIC', target),
        format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %s', target, clerk.eject_default_grantees())
    ]) AS statement
    UNION ALL
    (
        SELECT 'grant', made.identity, given.statement
        FROM clerk.eject_moved() AS m
        JOIN pg_class AS c ON c.oid = m.id AND m.kind <> 'function',
        LATERAL (SELECT format('%I.%I', target, m.name)) AS made (identity),
        LATERAL (
            SELECT g FROM clerk.eject_grants(c.relacl, c.relowner, 'TABLE ' || made.identity) AS g
            UNION ALL
            -- GRANT SELECT (id) ON …: the column belongs to the privilege.
            SELECT regexp_replace(g, '^GRANT (.*) ON TABLE', format('GRANT \1 (%s) ON TABLE', replace(quote_ident(a.attname), '\', '\\')))
            FROM pg_attribute AS a, aclexplode(a.attacl) AS one,
                clerk.eject_grants(ARRAY[makeaclitem(one.grantee, one.grantor, one.privilege_type, one.is_grantable)], c.relowner, 'TABLE ' || made.identity) AS g
            WHERE a.attrelid = m.id
        ) AS given (statement)
        ORDER BY m.kind, m.name, given.statement
    )
$body$;
COMMENT ON FUNCTION clerk.eject_relation_grants(text) IS
    'The statements of clerk.eject() that let in whom the mirror''s tables and views let in, and nobody else. Nothing for NULL. STABLE. Callable by the owner.';
