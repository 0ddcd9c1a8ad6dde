-- clerk.doctor(): what somebody added to the extension's tables, and foreign keys with an action that never happens. Included
-- after everything that makes a table, a view or a part of one.

-- pg_dump takes of an extension's tables the rows and nothing else: what was added to a table is not in the dump, and the rows of a table
-- with another column cannot be restored.
CREATE FUNCTION clerk.parts() RETURNS TABLE (relation oid, kind text, name name)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH member AS (
        SELECT c.oid FROM pg_extension AS e
        JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
        JOIN pg_class AS c ON c.oid = d.objid
        WHERE e.extname = 'clerk_sync' AND c.relkind IN ('r', 'v')
    )
    SELECT m.oid, part.kind, part.name
    FROM member AS m, LATERAL (
        SELECT 'COLUMN', a.attname FROM pg_attribute AS a WHERE a.attrelid = m.oid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT 'CONSTRAINT', k.conname FROM pg_constraint AS k WHERE k.conrelid = m.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
        UNION ALL
        SELECT 'INDEX', c.relname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = m.oid AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.conrelid = m.oid)
        UNION ALL
        SELECT 'TRIGGER', t.tgname FROM pg_trigger AS t WHERE t.tgrelid = m.oid AND NOT t.tgisinternal
        UNION ALL
        SELECT 'RULE', r.rulename FROM pg_rewrite AS r WHERE r.ev_class = m.oid
        UNION ALL
        SELECT 'POLICY', p.polname FROM pg_policy AS p WHERE p.polrelid = m.oid
        UNION ALL
        SELECT 'PUBLICATION', p.pubname FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid WHERE r.prrelid = m.oid
    ) AS part (kind, name)
$body$;
COMMENT ON FUNCTION clerk.parts() IS
    'The columns, constraints, indexes without a constraint, triggers, rules and policies of the extension''s tables and views, and the publications that name them. STABLE. Callable by the owner.';

-- Not dumped: a restored database has what its CREATE EXTENSION made. An update script adds what it makes.
CREATE TABLE clerk.own_parts (
    relation text,
    kind text,
    name text,
    PRIMARY KEY (relation, kind, name)
);
COMMENT ON TABLE clerk.own_parts IS 'The parts of our tables and views that the extension itself made. clerk.doctor() lists what else they have.';
COMMENT ON COLUMN clerk.own_parts.relation IS 'Table or view, without its schema.';
COMMENT ON COLUMN clerk.own_parts.kind IS 'COLUMN, CONSTRAINT, INDEX, TRIGGER, RULE or POLICY.';
COMMENT ON COLUMN clerk.own_parts.name IS 'Its name.';
INSERT INTO clerk.own_parts (relation, kind, name)
SELECT c.relname, p.kind, p.name
FROM clerk.parts() AS p JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) p.relation;

CREATE FUNCTION clerk.doctor_additions() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH addition AS (
        SELECT p.relation, p.kind, p.name, format('%s %I of %s', lower(p.kind), p.name, p.relation::regclass) AS what
        FROM clerk.parts() AS p JOIN pg_class AS c ON c.oid = p.relation
        WHERE NOT EXISTS (SELECT FROM clerk.own_parts AS o WHERE o.relation = c.relname AND o.kind = p.kind AND o.name = p.name)
    )
    (
        SELECT 'nothing added to its tables', 'warning', a.what,
            'only what the extension made: a dump leaves out what was added, and cannot be restored where it is a column',
            CASE a.kind
                WHEN 'COLUMN' THEN format(
                    'Copy it, with the ids, to a table of your own that refers to %s. Then run ALTER TABLE %1$s DROP COLUMN %I;',
                    a.relation::regclass, a.name)
                WHEN 'CONSTRAINT' THEN format('ALTER TABLE %s DROP CONSTRAINT %I;', a.relation::regclass, a.name)
                WHEN 'INDEX' THEN format('DROP INDEX clerk.%I; -- a dump cannot keep it: note that you need it, and make it again after a restore', a.name)
                WHEN 'PUBLICATION' THEN format('ALTER PUBLICATION %I DROP TABLE %s; -- whoever subscribes to its changes gets none then; or note it, and add the table again after a restore', a.name, a.relation::regclass)
                WHEN 'TRIGGER' THEN format('DROP TRIGGER %I ON %s; -- in its place register a handler with clerk.on_event()', a.name, a.relation::regclass)
                ELSE format('DROP %s %I ON %s;', a.kind, a.name, a.relation::regclass)
            END,
            CASE a.kind
                WHEN 'PUBLICATION' THEN (SELECT clerk.sql_as(pg_get_userbyid(p.pubowner)) FROM pg_publication AS p WHERE p.pubname = a.name)
                ELSE clerk.sql_as_owner()
            END
        FROM addition AS a ORDER BY a.what COLLATE "C"
    )
    UNION ALL
    SELECT 'nothing added to its tables', 'ok', 'nothing', 'only what the extension made', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM addition)
$body$;
COMMENT ON FUNCTION clerk.doctor_additions() IS
    'Check of clerk.doctor(): what was added to the extension''s tables and views. STABLE. Callable by the owner.';

-- Rows of the mirror are marked as deleted and never removed, so no action of a foreign key is ever taken.
CREATE FUNCTION clerk.doctor_foreign_keys() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH waiting AS (
        SELECT k.oid, k.conname, k.conrelid, c.relowner,
            CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END AS action
        FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confdeltype IN ('c', 'n', 'd')
          AND k.confrelid IN (SELECT m.id FROM clerk.eject_moved() AS m WHERE m.kind = 'table')
    )
    (
        SELECT 'foreign keys to the mirror', 'warning',
            format('%I of %s: ON DELETE %s never happens, because rows of the mirror are never removed', w.conname, w.conrelid::regclass, w.action),
            'foreign keys without an action, and a handler or a condition for what is to happen when Clerk deletes something',
            format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s; -- and see "When Clerk deletes something" in docs/mirror.md',
                w.conrelid::regclass, w.conname,
                regexp_replace(pg_get_constraintdef(w.oid), ' ON DELETE (CASCADE|SET NULL|SET DEFAULT)( \([^()]*\))?', '')),
            clerk.sql_as(pg_get_userbyid(w.relowner))
        FROM waiting AS w ORDER BY w.conrelid::regclass::text COLLATE "C", w.conname
    )
    UNION ALL
    SELECT 'foreign keys to the mirror', 'ok', 'none has an ON DELETE action', 'foreign keys without an action', NULL, NULL
    WHERE NOT EXISTS (SELECT FROM waiting)
$body$;
COMMENT ON FUNCTION clerk.doctor_foreign_keys() IS
    'Check of clerk.doctor(): foreign keys of the application with an action that never happens. STABLE. Callable by the owner.';
