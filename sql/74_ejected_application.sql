-- Leaving: what the application has that uses us, and the same without us.

-- All that goes with the extension: its members, and what hangs on them (an owner's index or trigger on our tables, too).
CREATE FUNCTION clerk.eject_parts(moved_only boolean) RETURNS TABLE (classid oid, objid oid)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH RECURSIVE part (classid, objid) AS (
        (
            SELECT CASE m.kind WHEN 'function' THEN 'pg_proc'::regclass ELSE 'pg_class'::regclass END::oid, m.id
            FROM clerk.eject_moved() AS m WHERE moved_only
            UNION ALL
            SELECT d.classid, d.objid
            FROM pg_extension AS e JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            WHERE e.extname = 'clerk_sync' AND NOT moved_only
            UNION ALL
            SELECT 'pg_extension'::regclass, e.oid FROM pg_extension AS e WHERE e.extname = 'clerk_sync' AND NOT moved_only
        )
        UNION
        SELECT d.classid, d.objid
        FROM part AS p JOIN pg_depend AS d ON d.refclassid = p.classid AND d.refobjid = p.objid AND d.deptype IN ('a', 'i')
    )
    SELECT p.classid, p.objid FROM part AS p
$body$;
COMMENT ON FUNCTION clerk.eject_parts(boolean) IS
    'The extension''s objects and their parts; or only of those that clerk.eject() makes counterparts of. Nothing for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.eject_dependents()
    RETURNS TABLE (kind text, id oid, relation oid, owner oid, object text, problem text)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH part AS MATERIALIZED (
        SELECT p.classid, p.objid FROM clerk.eject_parts(false) AS p
    ), movable AS MATERIALIZED (
        SELECT p.classid, p.objid FROM clerk.eject_parts(true) AS p
    ), found AS (
        SELECT d.classid, d.objid,
            string_agg(DISTINCT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), ', ') FILTER (
                WHERE (d.refclassid, d.refobjid) NOT IN (SELECT m.classid, m.objid FROM movable AS m)
            ) AS stays
        FROM pg_depend AS d
        WHERE d.deptype IN ('n', 'x') AND (d.refclassid, d.refobjid) IN (SELECT p.classid, p.objid FROM part AS p)
          AND (d.classid, d.objid) NOT IN (SELECT p.classid, p.objid FROM part AS p)
        GROUP BY d.classid, d.objid
    )
    SELECT known.kind, found.objid, known.relation, COALESCE(known.owner, c.relowner),
        CASE known.kind
            WHEN 'view' THEN pg_describe_object('pg_class'::regclass, known.relation, 0)
            ELSE pg_describe_object(found.classid, found.objid, 0)
        END,
        CASE
            WHEN found.stays IS NOT NULL THEN format('it needs %s, which has no counterpart', found.stays)
            -- Making the key anew compares every row, as whoever calls: with a type of somebody's, by that somebody's code.
            WHEN known.kind = 'foreign key' THEN (
                SELECT min(format('its column %I is of type %s, whose casts and operators may be anybody''s', a.attname, a.atttypid::regtype))
                FROM pg_constraint AS k
                JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
                JOIN pg_type AS t ON t.oid = a.atttypid LEFT JOIN pg_type AS base ON base.oid = t.typbasetype
                WHERE k.oid = found.objid AND COALESCE(base.typnamespace, t.typnamespace) <> 'pg_catalog'::regnamespace
            )
            WHEN known.kind IS NULL THEN 'such a thing cannot be rewritten'
        END
    FROM found
    LEFT JOIN LATERAL (
        SELECT 'policy', p.polrelid, NULL::oid
        FROM pg_policy AS p WHERE found.classid = 'pg_policy'::regclass AND p.oid = found.objid
        UNION ALL
        SELECT 'default', a.adrelid, NULL
        FROM pg_attrdef AS a JOIN pg_attribute AS col ON col.attrelid = a.adrelid AND col.attnum = a.adnum
        WHERE found.classid = 'pg_attrdef'::regclass AND a.oid = found.objid AND col.attgenerated = ''
        UNION ALL
        -- What a partition or child has from its parent changes with the parent.
        SELECT CASE WHEN k.conparentid <> 0 OR NOT k.conislocal THEN 'inherited' WHEN k.contype = 'f' THEN 'foreign key' ELSE 'check' END, k.conrelid, NULL
        FROM pg_constraint AS k
        WHERE found.classid = 'pg_constraint'::regclass AND k.oid = found.objid AND k.contype IN ('c', 'f') AND k.conrelid <> 0
        UNION ALL
        SELECT CASE WHEN EXISTS (
            SELECT FROM clerk.exposed_api() AS e WHERE e.kind = 'VIEW' AND e.name = v.relname AND quote_ident(e.schema)::regnamespace = v.relnamespace
        ) THEN 'exposed' ELSE 'view' END, v.oid, NULL
        FROM pg_rewrite AS w JOIN pg_class AS v ON v.oid = w.ev_class AND v.relkind = 'v'
        WHERE found.classid = 'pg_rewrite'::regclass AND w.oid = found.objid AND w.rulename = '_RETURN'
        UNION ALL
        SELECT CASE WHEN t.tgparentid <> 0 THEN 'inherited' ELSE 'trigger' END, t.tgrelid, NULL
        FROM pg_trigger AS t WHERE found.classid = 'pg_trigger'::regclass AND t.oid = found.objid
        UNION ALL
        -- With a type of ours in its signature the same function would become another one.
        SELECT 'function', NULL, p.proowner
        FROM pg_proc AS p
        WHERE found.classid = 'pg_proc'::regclass AND p.oid = found.objid AND p.prokind IN ('f', 'p', 'w') AND NOT EXISTS (
            SELECT FROM unnest(p.proargtypes || COALESCE(p.proallargtypes, '{}') || p.prorettype) AS used
            JOIN part ON part.classid = 'pg_type'::regclass AND part.objid = used
        )
    ) AS known (kind, relation, owner) ON true
    LEFT JOIN pg_class AS c ON c.oid = known.relation
    WHERE known.kind IS NULL OR known.kind NOT IN ('inherited', 'exposed')
$body$;
COMMENT ON FUNCTION clerk.eject_dependents() IS
    'What depends on the extension and is not part of it, with the reason if clerk.eject() cannot rewrite it; without what clerk.expose_api() made. STABLE. Callable by the owner.';

COMMENT ON FUNCTION clerk.eject_body(text, text[], text[], text[], text) IS
    'The body of a function in SQL or PL/pgSQL with these functions and relations of schema clerk named in target instead, and the pieces in which it may still mean schema clerk; known are all names there. Nothing for NULL. IMMUTABLE. Callable by the owner.';

-- Functions whose body is a text: nothing but the text tells that they use us.
CREATE FUNCTION clerk.eject_bodies(target text) RETURNS TABLE (id oid, owner oid, object text, body text, problem text)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT p.oid, p.proowner, pg_describe_object('pg_proc'::regclass, p.oid, 0), NULLIF(read.moved, p.prosrc),
        CASE
            WHEN path.names_us THEN 'its own search_path names schema clerk'
            WHEN l.lanname NOT IN ('sql', 'plpgsql') THEN format('its body is in %s and speaks of schema clerk', l.lanname)
            WHEN read.left_over <> '{}' THEN 'its body has ' || array_to_string(read.left_over, ', ')
        END
    FROM pg_proc AS p
    JOIN pg_language AS l ON l.oid = p.prolang
    CROSS JOIN LATERAL (
        SELECT COALESCE(bool_or(setting ~ '^search_path=(.*[ ,"])?clerk([ ,"]|$)'), false) FROM unnest(p.proconfig) AS setting
    ) AS path (names_us)
    CROSS JOIN (
        SELECT array_agg(m.name) FILTER (WHERE m.kind = 'function'), array_agg(m.name) FILTER (WHERE m.kind <> 'function')
        FROM clerk.eject_moved() AS m
    ) AS moved (functions, relations)
    CROSS JOIN (
        SELECT array_agg(named.name) FROM (
            SELECT f.proname::text FROM pg_proc AS f WHERE f.pronamespace = 'clerk'::regnamespace
            UNION SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind IN ('r', 'v', 'S')
        ) AS named (name)
    ) AS ours (names)
    LEFT JOIN LATERAL clerk.eject_body(p.prosrc, moved.functions, moved.relations, ours.names, quote_ident(target)) AS read
        ON p.prosrc ~* '\mclerk\M' AND p.prosqlbody IS NULL AND l.lanname IN ('sql', 'plpgsql')
    WHERE (p.prosrc ~* '\mclerk\M' OR path.names_us)
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
      AND NOT EXISTS (
          SELECT FROM clerk.exposed_api() AS e WHERE e.kind = 'FUNCTION' AND e.name = p.proname AND quote_ident(e.schema)::regnamespace = p.pronamespace
      )
      AND (path.names_us OR read.moved <> p.prosrc OR read.left_over <> '{}'
          OR l.lanname NOT IN ('sql', 'plpgsql') AND p.prosrc ~ ('\mclerk\.(' || array_to_string(ours.names, '|') || ')\M'))
$body$;
COMMENT ON FUNCTION clerk.eject_bodies(text) IS
    'Functions whose text uses this schema, with the text as it would be, or the reason if clerk.eject() cannot rewrite it. Nothing for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.eject_refusals(target text) RETURNS TABLE (object text, reason text, hint text)
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH found AS (
        SELECT d.object, d.owner, d.problem FROM clerk.eject_dependents() AS d
        UNION ALL
        SELECT b.object, b.owner, b.problem FROM clerk.eject_bodies(target) AS b
        UNION ALL
        SELECT pg_describe_object('pg_publication'::regclass, pub.oid, 0), pub.pubowner, NULL
        FROM clerk.eject_moved() AS m JOIN pg_publication_rel AS r ON r.prrelid = m.id JOIN pg_publication AS pub ON pub.oid = r.prpubid
        WHERE m.kind = 'table'
        UNION ALL
        SELECT pg_describe_object('pg_publication'::regclass, pub.oid, 0), pub.pubowner, 'it publishes schema clerk as a whole'
        FROM pg_publication_namespace AS n JOIN pg_publication AS pub ON pub.oid = n.pnpubid WHERE n.pnnspid = 'clerk'::regnamespace
    )
    SELECT 'identity source', 'it is token: claims that roles set themselves would count afterwards',
        'If only PostgREST and the like set request.jwt.claims, run clerk.set_identity_source(''claims'') first.'
    FROM clerk.settings AS s WHERE s.identity_source = 'token'
    UNION ALL
    SELECT f.object, f.problem, 'Change it so that it can do without, or drop it and make it again afterwards.'
    FROM found AS f WHERE f.problem IS NOT NULL
    UNION ALL
    SELECT DISTINCT f.object, format('it belongs to %s, whose rights you do not have', f.owner::regrole),
        CASE
            WHEN o.rolsuper THEN 'Let a superuser give it another owner first, or call clerk.eject().'
            ELSE format('Let a superuser run GRANT %s TO %s first, and REVOKE it afterwards.', f.owner::regrole, current_user::regrole)
        END
    FROM found AS f JOIN pg_roles AS o ON o.oid = f.owner
    WHERE f.problem IS NULL AND NOT pg_has_role(f.owner, 'USAGE')
    UNION ALL
    SELECT u.object, 'it names schema clerk', format('Take it out, and name %I there once that exists.', target)
    FROM clerk.uninstall_settings() AS u WHERE u.object LIKE 'search_path of %'
    UNION ALL
    SELECT pg_describe_object(d.classid, d.objid, 0), 'it is in schema clerk, but not of the extension', 'Move it into another schema, or drop it.'
    FROM pg_depend AS d
    WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'clerk'::regnamespace AND d.deptype = 'n'
      AND (d.classid, d.objid) NOT IN (SELECT p.classid, p.objid FROM clerk.eject_parts(false) AS p)
    ORDER BY 1, 2
$body$;
COMMENT ON FUNCTION clerk.eject_refusals(text) IS
    'What keeps clerk.eject() from working, why, and what to do. Nothing for NULL. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.eject_functions(target text) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'application function', pg_describe_object('pg_proc'::regclass, used.id, 0),
        CASE
            WHEN used.body IS NULL THEN printed.definition
            -- A definition ends with the body between two delimiters, and a line end.
            ELSE left(printed.definition, -1 - length(p.prosrc) - 2 * length(printed.delimiter))
                || CASE strpos(used.body, printed.delimiter)
                    WHEN 0 THEN printed.delimiter || used.body || printed.delimiter
                    ELSE quote_literal(used.body)
                END
        END
    FROM (
        SELECT COALESCE(d.id, b.id), b.body
        FROM (SELECT d.id FROM clerk.eject_dependents() AS d WHERE d.kind = 'function' AND d.problem IS NULL) AS d
        FULL JOIN (SELECT b.id, b.body FROM clerk.eject_bodies(target) AS b WHERE b.problem IS NULL) AS b ON b.id = d.id
    ) AS used (id, body)
    JOIN pg_proc AS p ON p.oid = used.id,
    LATERAL (SELECT clerk.eject_printed('function', used.id, target)) AS whole (definition),
    LATERAL (SELECT whole.definition, substring(whole.definition FROM '(\$(?:function|procedure)x*\$)\n$')) AS printed (definition, delimiter)
    ORDER BY 2
$body$;
COMMENT ON FUNCTION clerk.eject_functions(text) IS
    'The statements of clerk.eject() that change functions of the application. Nothing for NULL. VOLATILE: sets search_path meanwhile. Callable by the owner.';

CREATE FUNCTION clerk.eject_trigger(id oid, relation text, target text, replace boolean) RETURNS TABLE (number integer, statement text)
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT wanted.number, wanted.statement
    FROM pg_trigger AS t, LATERAL (VALUES
        (1, CASE WHEN replace THEN format('DROP TRIGGER %I ON %s', t.tgname, relation) END),
        (2, clerk.eject_printed('trigger', t.oid, target)),
        (3, format('ALTER TABLE %s %s TRIGGER %I', relation,
            CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END, t.tgname)),
        (4, format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, relation, obj_description(t.oid, 'pg_trigger')))
    ) AS wanted (number, statement)
    WHERE t.oid = id AND wanted.statement IS NOT NULL
      AND (wanted.number <> 3 OR t.tgenabled <> 'O') AND (wanted.number <> 4 OR obj_description(t.oid, 'pg_trigger') IS NOT NULL)
$body$;
COMMENT ON FUNCTION clerk.eject_trigger(oid, text, text, boolean) IS
    'The statements that make a trigger on a table again, on its counterpart or, after dropping it, where it is. None for NULL. VOLATILE: sets search_path meanwhile. Callable by the owner.';

CREATE FUNCTION clerk.eject_application(target text) RETURNS TABLE (step text, object text, statement text)
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT wanted.step, d.object, wanted.statement
    FROM clerk.eject_dependents() AS d,
    LATERAL (
        SELECT 1, 1, 'application view', format('CREATE OR REPLACE VIEW %s%s AS%s%s', c.oid::regclass,
            ' WITH (' || array_to_string(c.reloptions, ', ') || ')', E'\n', clerk.eject_printed('view', c.oid, target))
        FROM pg_class AS c WHERE d.kind = 'view' AND c.oid = d.relation
        UNION ALL
        SELECT 2, 1, d.kind, format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s%s', d.relation::regclass, k.conname,
            clerk.eject_printed('constraint', k.oid, target),
            -- Who is asking was never true or false of a row that is there.
            CASE WHEN d.kind = 'check' AND k.convalidated THEN ' NOT VALID' END)
        FROM pg_constraint AS k WHERE d.kind IN ('foreign key', 'check') AND k.oid = d.id
        UNION ALL
        SELECT 2, 2, d.kind, format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, d.relation::regclass, obj_description(k.oid, 'pg_constraint'))
        FROM pg_constraint AS k
        WHERE d.kind IN ('foreign key', 'check') AND k.oid = d.id AND obj_description(k.oid, 'pg_constraint') IS NOT NULL
        UNION ALL
        SELECT 3, 1, d.kind, format('ALTER TABLE ONLY %s ALTER COLUMN %I SET DEFAULT %s', d.relation::regclass, a.attname,
            clerk.eject_printed('default', d.id, target))
        FROM pg_attrdef AS f JOIN pg_attribute AS a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
        WHERE d.kind = 'default' AND f.oid = d.id
        UNION ALL
        SELECT 4, 1, d.kind, format('ALTER POLICY %I ON %s%s%s', p.polname, d.relation::regclass,
            ' USING (' || clerk.eject_printed('policy using', p.oid, target) || ')',
            ' WITH CHECK (' || clerk.eject_printed('policy check', p.oid, target) || ')')
        FROM pg_policy AS p WHERE d.kind = 'policy' AND p.oid = d.id
        UNION ALL
        SELECT 5, t.number, 'application trigger', t.statement
        FROM clerk.eject_trigger(d.id, d.relation::regclass::text, target, true) AS t WHERE d.kind = 'trigger'
    ) AS wanted (kind_number, number, step, statement)
    WHERE d.problem IS NULL
    ORDER BY wanted.kind_number, d.object, wanted.number
$body$;
COMMENT ON FUNCTION clerk.eject_application(text) IS
    'The statements of clerk.eject() that change what the application has besides functions. Nothing for NULL. VOLATILE: sets search_path meanwhile. Callable by the owner.';

-- What the owner added to the mirror's tables comes along last, so that filling them sets nothing off and publishes nothing.
CREATE FUNCTION clerk.eject_additions(target text) RETURNS TABLE (step text, object text, statement text, as_owner boolean)
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT wanted.step, made.identity, wanted.statement, wanted.as_owner
    FROM clerk.eject_moved() AS m,
    LATERAL (SELECT format('%I.%I', target, m.name)) AS made (identity),
    LATERAL (
        SELECT t.tgname, s.number, 'trigger', s.statement, true
        FROM pg_trigger AS t, clerk.eject_trigger(t.oid, made.identity, target, false) AS s
        WHERE m.kind = 'table' AND t.tgrelid = m.id AND NOT t.tgisinternal AND NOT clerk.eject_stays('pg_trigger', t.oid)
        UNION ALL
        SELECT pub.pubname, 1, 'publication', format('ALTER PUBLICATION %I ADD TABLE ONLY %s%s%s', pub.pubname, made.identity,
            (
                SELECT ' (' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ')'
                FROM pg_attribute AS a WHERE a.attrelid = m.id AND a.attnum = ANY (r.prattrs::smallint[])
            ),
            ' WHERE (' || clerk.eject_printed('publication', r.oid, target) || ')'), false
        FROM pg_publication_rel AS r JOIN pg_publication AS pub ON pub.oid = r.prpubid
        WHERE m.kind = 'table' AND r.prrelid = m.id
        UNION ALL
        SELECT '', 1, 'statistics', format('ANALYZE %s', made.identity), true WHERE m.kind = 'table'
    ) AS wanted (name, number, step, statement, as_owner)
    ORDER BY m.name, wanted.step DESC, wanted.name, wanted.number
$body$;
COMMENT ON FUNCTION clerk.eject_additions(text) IS
    'The statements of clerk.eject() for triggers on the mirror''s tables and their places in publications, and ANALYZE. Nothing for NULL. VOLATILE: sets search_path meanwhile. Callable by the owner.';
