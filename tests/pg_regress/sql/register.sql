-- The register: every object of the extension, with all that decides what it does and who may use it. The list that is
-- checked in is this test's expected output; a change there is a change of the interface or of the security model.
-- The extension is installed by a role that is no superuser, so that it shows what belongs to whom.
\set home :DBNAME
\set administrator :USER
CREATE ROLE clerk_installer LOGIN;
CREATE DATABASE clerk_register OWNER clerk_installer ENCODING 'UTF8' TEMPLATE template0;
-- Default privileges would hand new objects to a bystander; the extension takes that back.
CREATE ROLE clerk_bystander;
\c clerk_register
ALTER DEFAULT PRIVILEGES FOR ROLE :administrator, clerk_installer GRANT USAGE ON SCHEMAS TO clerk_bystander;
ALTER DEFAULT PRIVILEGES FOR ROLE :administrator, clerk_installer GRANT ALL ON TABLES TO clerk_bystander;
ALTER DEFAULT PRIVILEGES FOR ROLE :administrator, clerk_installer GRANT ALL ON FUNCTIONS TO clerk_bystander;
\c - clerk_installer
CREATE EXTENSION clerk_sync;
\pset format unaligned
\pset tuples_only on

-- Without the row types of tables, which are members of their own from 17 on.
CREATE TEMPORARY VIEW member AS
SELECT d.classid, d.objid, d.objsubid
FROM pg_depend AS d
LEFT JOIN pg_type AS type ON d.classid = 'pg_type'::regclass AND type.oid = d.objid
LEFT JOIN pg_type AS element ON element.oid = type.typelem
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'clerk_sync')
  AND coalesce(nullif(type.typrelid, 0), nullif(element.typrelid, 0)) IS NULL;
-- What others than the owner may do.
CREATE FUNCTION pg_temp.granted(acl aclitem[], owner oid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(
        format('%s %s%s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type,
               CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END), ', ' ORDER BY grantee, privilege_type), 'nobody')
    FROM aclexplode(acl) WHERE grantee <> owner
$$;

-- The extension and its schema.
SELECT format('extension %s, owner %s, schema %s, relocatable %s', extname, extowner::regrole, extnamespace::regnamespace, extrelocatable)
FROM pg_extension WHERE extname = 'clerk_sync';
SELECT format('schema %s, owner %s, granted to others: %s', nspname, nspowner::regrole,
              pg_temp.granted(coalesce(nspacl, acldefault('n', nspowner)), nspowner))
FROM pg_namespace WHERE nspname = 'clerk';
SELECT format('dumped: %s %s', config.tab::regclass, coalesce(nullif(config.condition, ''), 'whole'))
FROM pg_extension, unnest(extconfig, extcondition) AS config (tab, condition) WHERE extname = 'clerk_sync' ORDER BY 1;

-- Every member.
SELECT format('%s %s', object.type, object.identity)
FROM member, pg_identify_object(classid, objid, objsubid) AS object
ORDER BY object.type COLLATE "C", object.identity COLLATE "C";

-- Functions.
SELECT format(E'%s(%s)\n    RETURNS %s\n    %s; owner %s; granted to others: %s',
    p.oid::regproc, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
    concat_ws(', ', l.lanname,
        CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
        CASE p.proparallel WHEN 's' THEN 'parallel safe' WHEN 'r' THEN 'parallel restricted' ELSE 'parallel unsafe' END,
        CASE WHEN p.proisstrict THEN 'strict' END, CASE WHEN p.proleakproof THEN 'leakproof' END,
        CASE WHEN p.prosecdef THEN 'security definer' END, 'set ' || array_to_string(p.proconfig, ', set ')),
    p.proowner::regrole, pg_temp.granted(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner))
FROM member JOIN pg_proc AS p ON p.oid = objid JOIN pg_language AS l ON l.oid = p.prolang
WHERE classid = 'pg_proc'::regclass
ORDER BY p.proname COLLATE "C";

-- Tables, their columns, constraints, indexes and triggers (D: disabled, O: ordinary, A: always).
SELECT format('%s, kind %s, persistence %s, row security %s; owner %s; granted to others: %s', c.oid::regclass, c.relkind, c.relpersistence,
              c.relrowsecurity, c.relowner::regrole, pg_temp.granted(coalesce(c.relacl, acldefault('r', c.relowner)), c.relowner))
FROM member JOIN pg_class AS c ON c.oid = objid WHERE classid = 'pg_class'::regclass
ORDER BY c.relname COLLATE "C";
SELECT format('%s.%s %s%s%s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attnotnull THEN ' NOT NULL' END, ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid))
       || CASE WHEN a.attacl IS NULL THEN '' ELSE ' granted by column' END
FROM member JOIN pg_class AS c ON c.oid = objid JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE classid = 'pg_class'::regclass ORDER BY c.relname COLLATE "C", a.attnum;
-- From 18 on NOT NULL is a constraint too; above it shows in every version.
SELECT format('%s %s', r.conrelid::regclass, pg_get_constraintdef(r.oid))
FROM member JOIN pg_constraint AS r ON r.conrelid = objid AND r.contype <> 'n' WHERE classid = 'pg_class'::regclass
ORDER BY r.conrelid::regclass::text COLLATE "C", pg_get_constraintdef(r.oid) COLLATE "C";
SELECT pg_get_indexdef(i.indexrelid)
FROM member JOIN pg_index AS i ON i.indrelid = objid WHERE classid = 'pg_class'::regclass
ORDER BY pg_get_indexdef(i.indexrelid) COLLATE "C";
SELECT format('%s: %s', t.tgenabled, pg_get_triggerdef(t.oid))
FROM member JOIN pg_trigger AS t ON t.tgrelid = objid AND NOT t.tgisinternal WHERE classid = 'pg_class'::regclass
ORDER BY pg_get_triggerdef(t.oid) COLLATE "C";

SELECT format('%s: event trigger %s on %s for %s executes %s; owner is a superuser: %s', e.evtenabled, e.evtname, e.evtevent,
              array_to_string(e.evttags, ', '), e.evtfoid::regprocedure, (SELECT r.rolsuper FROM pg_roles AS r WHERE r.oid = e.evtowner))
FROM member JOIN pg_event_trigger AS e ON e.oid = objid WHERE classid = 'pg_event_trigger'::regclass;

-- What must hold of every object. Each of these finds the ones of which it does not.
-- Everything in the schema is the extension's, and everything belongs to who installed it.
SELECT format('%s is not the extension''s', p.oid::regprocedure) FROM pg_proc AS p
WHERE p.pronamespace = 'clerk'::regnamespace
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_proc'::regclass AND objid = p.oid);
SELECT format('%s is not the extension''s', c.oid::regclass) FROM pg_class AS c
WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind <> 'i'
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_class'::regclass AND objid = c.oid);
SELECT format('%s belongs to %s', p.oid::regprocedure, p.proowner::regrole) FROM pg_proc AS p
WHERE p.pronamespace = 'clerk'::regnamespace AND p.proowner <> 'clerk_installer'::regrole
  -- What only a superuser may do; none of them touches anything of the installer's.
  AND p.proname NOT IN ('guard_postgrest', 'set_authenticator_pre_config', 'write_realtime_keys');
SELECT format('%s belongs to %s', c.oid::regclass, c.relowner::regrole) FROM pg_class AS c
WHERE c.relnamespace = 'clerk'::regnamespace AND c.relowner <> 'clerk_installer'::regrole;
-- No overloads.
SELECT format('%s comes %s times', proname, count(*)) FROM pg_proc
WHERE pronamespace = 'clerk'::regnamespace GROUP BY proname HAVING count(*) > 1;
-- Comments, on columns too.
SELECT format('%s has no comment', p.oid::regprocedure) FROM pg_proc AS p
WHERE p.pronamespace = 'clerk'::regnamespace AND coalesce(obj_description(p.oid, 'pg_proc'), '') = '';
SELECT format('%s has no comment', c.oid::regclass) FROM pg_class AS c
WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind <> 'i' AND coalesce(obj_description(c.oid, 'pg_class'), '') = '';
SELECT format('%s.%s has no comment', c.oid::regclass, a.attname)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind NOT IN ('i', 'S') AND coalesce(col_description(c.oid, a.attnum), '') = '';
-- Who runs as the owner brings no search path along.
SELECT format('%s has no search path of its own', p.oid::regprocedure) FROM pg_proc AS p
WHERE p.pronamespace = 'clerk'::regnamespace AND p.prosecdef
  AND p.proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp'];
-- The helpers, which policies call once per row, are neither slowed down by SECURITY DEFINER or SET, nor kept from
-- parallel plans.
SELECT format('%s is no helper for policies', p.oid::regprocedure) FROM pg_proc AS p
WHERE p.pronamespace = 'clerk'::regnamespace AND (p.proname ~ '^(current|has)_' OR p.proname IN ('has', 'claim'))
  AND (p.provolatile, p.proparallel, p.prosecdef, p.proconfig IS NULL) <> ('s', 's', false, true);
-- Leakproof are the questions of one text, and nothing else.
SELECT format('%s is leakproof: %s', p.oid::regprocedure, p.proleakproof) FROM pg_proc AS p
WHERE p.pronamespace = 'clerk'::regnamespace
  AND p.proleakproof <> (p.proname ~ '^has_' AND p.pronargs = 1 AND p.proargtypes[0] = 'text'::regtype);

\c :home :administrator
DROP DATABASE clerk_register;
DROP ROLE clerk_installer, clerk_bystander;
