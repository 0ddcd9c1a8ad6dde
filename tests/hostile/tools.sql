-- What a hostile owner does to objects of the extension, run as that owner. Each function commits to one idea and raises where
-- PostgreSQL refuses it.
CREATE SCHEMA tools;

-- Nothing reads the tables any more, so that they can be changed.
CREATE FUNCTION tools.drop_views() RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    one regclass;
BEGIN
    FOR one IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind = 'v' LOOP
        EXECUTE format('ALTER EXTENSION clerk_sync DROP VIEW %s', one);
    END LOOP;
    FOR one IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind = 'v' LOOP
        IF EXISTS (SELECT FROM pg_class AS c WHERE c.oid = one) THEN
            EXECUTE format('DROP VIEW %s CASCADE', one);
        END IF;
    END LOOP;
END
$body$;

-- Drops what keeps a table from being changed: constraints but the keys, conditions of triggers, indexes of expressions,
-- generated columns.
CREATE FUNCTION tools.free(home regclass) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    one record;
BEGIN
    PERFORM tools.drop_views();
    FOR one IN SELECT c.conname, c.conrelid::regclass AS of FROM pg_constraint AS c
               WHERE c.contype IN ('c', 'f') AND home IN (c.conrelid, c.confrelid) LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', one.of, one.conname);
    END LOOP;
    FOR one IN SELECT t.tgname FROM pg_trigger AS t WHERE t.tgrelid = home AND NOT t.tgisinternal AND t.tgqual IS NOT NULL LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', one.tgname, home);
    END LOOP;
    FOR one IN SELECT i.indexrelid::regclass AS name FROM pg_index AS i
               WHERE i.indrelid = home AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) LOOP
        EXECUTE format('DROP INDEX %s', one.name);
    END LOOP;
    FOR one IN SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = home AND a.attgenerated <> '' AND NOT a.attisdropped LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP EXPRESSION', home, one.attname);
    END LOOP;
    -- A value that is the same everywhere must not meet a unique index.
    EXECUTE format('DELETE FROM %s WHERE ctid <> (SELECT min(ctid) FROM %1$s)', home);
END
$body$;

-- As well for one column, which does not number rows any more.
CREATE FUNCTION tools.free(home regclass, name name) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    numbers text := pg_get_serial_sequence(home::text, name);
BEGIN
    PERFORM tools.free(home);
    IF numbers IS NOT NULL THEN
        EXECUTE format('ALTER EXTENSION clerk_sync DROP SEQUENCE %s', numbers);
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', home, name);
    END IF;
END
$body$;

CREATE FUNCTION tools.change_type(home regclass, name name, type text, value text) RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM tools.free(home, name);
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', home, name);
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING %s', home, name, type, value);
END
$body$;

CREATE FUNCTION tools.put(home regclass, name name, value text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    key name;
BEGIN
    PERFORM tools.free(home, name);
    IF value = 'NULL' THEN
        FOR key IN SELECT c.conname FROM pg_constraint AS c WHERE c.conrelid = home AND c.contype IN ('p', 'u') LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', home, key);
        END LOOP;
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', home, name);
    END IF;
    EXECUTE format('UPDATE %s SET %I = %s', home, name, value);
END
$body$;

CREATE FUNCTION tools.drop_column(home regclass, name name) RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM tools.free(home, name);
    EXECUTE format('ALTER TABLE %s DROP COLUMN %I CASCADE', home, name);
END
$body$;

CREATE FUNCTION tools.add_again(home regclass, name name, definition text) RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
    PERFORM tools.drop_column(home, name);
    EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', home, name, definition);
END
$body$;

-- Puts something else of the same name in the place of a table.
CREATE FUNCTION tools.replace(home regclass, kind text, is_member boolean) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    ours text := (SELECT c.relname FROM pg_class AS c WHERE c.oid = home);
    fake text := format('clerk.%I', ours);
    former text := format('clerk.%I', 'former ' || ours);
    columns text := (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
                     FROM pg_attribute AS a WHERE a.attrelid = home AND a.attnum > 0 AND NOT a.attisdropped);
BEGIN
    EXECUTE format('ALTER EXTENSION clerk_sync DROP TABLE %s', fake);
    EXECUTE format('ALTER TABLE %s RENAME TO %I', fake, 'former ' || ours);
    CASE kind
        WHEN 'nothing' THEN NULL;
        WHEN 'view' THEN EXECUTE format('CREATE VIEW %s AS SELECT * FROM %s', fake, former);
        WHEN 'materialized view' THEN EXECUTE format('CREATE MATERIALIZED VIEW %s AS SELECT * FROM %s', fake, former);
        WHEN 'partitioned table' THEN
            EXECUTE format('CREATE TABLE %s (%s) PARTITION BY HASH (%I)', fake, columns,
                           (SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = home AND a.attnum = 1));
        WHEN 'foreign table' THEN EXECUTE format('CREATE FOREIGN TABLE %s (%s) SERVER nowhere', fake, columns);
        WHEN 'sequence' THEN EXECUTE format('CREATE SEQUENCE %s', fake);
        WHEN 'type' THEN EXECUTE format('CREATE TYPE %s AS (%s)', fake, columns);
        WHEN 'index' THEN
            EXECUTE format('CREATE INDEX %I ON %s (%I)', ours, former,
                           (SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = home AND a.attnum = 1));
        WHEN 'table' THEN EXECUTE format('CREATE TABLE %s AS SELECT * FROM %s', fake, former);
        WHEN 'empty table' THEN EXECUTE format('CREATE TABLE %s (%s)', fake, columns);
        WHEN 'table of numbers' THEN
            EXECUTE format('CREATE TABLE %s AS SELECT %s', fake,
                           (SELECT string_agg(format('140737488355328 AS %I', a.attname), ', ' ORDER BY a.attnum)
                            FROM pg_attribute AS a WHERE a.attrelid = home AND a.attnum > 0 AND NOT a.attisdropped));
        WHEN 'child' THEN EXECUTE format('CREATE TABLE %s () INHERITS (%s)', fake, former);
        WHEN 'unlogged table' THEN EXECUTE format('CREATE UNLOGGED TABLE %s AS SELECT * FROM %s', fake, former);
    END CASE;
    IF is_member THEN
        EXECUTE format('ALTER EXTENSION clerk_sync ADD %s %s',
                       CASE kind WHEN 'view' THEN 'VIEW' WHEN 'materialized view' THEN 'MATERIALIZED VIEW' WHEN 'sequence' THEN 'SEQUENCE'
                           WHEN 'type' THEN 'TYPE' WHEN 'foreign table' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, fake);
    END IF;
END
$body$;

-- Puts another index in the place of a table's primary key.
CREATE FUNCTION tools.change_index(home regclass, kind text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    ours text := (SELECT i.indexrelid::regclass::text FROM pg_index AS i WHERE i.indrelid = home AND i.indisprimary);
    short text := split_part(ours, '.', 2);
    first name := (SELECT a.attname FROM pg_attribute AS a JOIN pg_index AS i ON a.attnum = i.indkey[0] AND a.attrelid = i.indrelid
                   WHERE i.indrelid = home AND i.indisprimary);
BEGIN
    PERFORM tools.free(home);
    IF kind = 'another collation' THEN
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE text COLLATE public.backwards', home, first);
        RETURN;
    ELSIF kind = 'renamed' THEN
        EXECUTE format('ALTER INDEX %s RENAME TO mine', ours);
        RETURN;
    END IF;
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %s CASCADE', home, short);
    CASE kind
        WHEN 'none' THEN NULL;
        WHEN 'hash' THEN EXECUTE format('CREATE INDEX %s ON %s USING hash (%I)', short, home, first);
        WHEN 'expression' THEN EXECUTE format('CREATE UNIQUE INDEX %s ON %s (lower(%I::text))', short, home, first);
        WHEN 'partial' THEN EXECUTE format('CREATE UNIQUE INDEX %s ON %s (%I) WHERE %3$I IS NULL', short, home, first);
        WHEN 'pattern' THEN EXECUTE format('CREATE UNIQUE INDEX %s ON %s (%I text_pattern_ops)', short, home, first);
        WHEN 'another table''s' THEN
            EXECUTE 'CREATE TABLE clerk.mine (a bigint, b text)';
            EXECUTE format('CREATE UNIQUE INDEX %s ON clerk.mine (a)', short);
        WHEN 'deferrable' THEN EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY (%I) DEFERRABLE INITIALLY DEFERRED', home, short, first);
        WHEN 'with more' THEN EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY (%I) INCLUDE (%3$I)', home, short, first);
        WHEN 'of a number' THEN
            EXECUTE format('ALTER TABLE %s ADD COLUMN mine bigint GENERATED ALWAYS AS IDENTITY', home);
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY (mine)', home, short);
        WHEN 'of two' THEN
            EXECUTE format('ALTER TABLE %s ADD COLUMN mine bigint GENERATED ALWAYS AS IDENTITY', home);
            EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY (mine, %I)', home, short, first);
    END CASE;
END
$body$;

-- One row becomes two, or none.
CREATE FUNCTION tools.multiply(home regclass, copies integer) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    one record;
BEGIN
    PERFORM tools.free(home);
    FOR one IN SELECT c.conname FROM pg_constraint AS c WHERE c.conrelid = home AND c.contype IN ('p', 'u') LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', home, one.conname);
    END LOOP;
    FOR one IN SELECT i.indexrelid::regclass AS name FROM pg_index AS i WHERE i.indrelid = home AND i.indisunique LOOP
        EXECUTE format('DROP INDEX %s', one.name);
    END LOOP;
    IF copies = 0 THEN
        EXECUTE format('DELETE FROM %s WHERE true', home);
    ELSE
        EXECUTE format('INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT t.* FROM %1$s AS t', home);
    END IF;
END
$body$;

-- Ringing it has the launcher come.
CREATE TABLE tools.bell (rung integer);
INSERT INTO tools.bell VALUES (0);
CREATE TRIGGER ring AFTER UPDATE ON tools.bell FOR EACH ROW EXECUTE FUNCTION clerk.trust_changed();

CREATE FUNCTION tools.mine() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN RAISE 'mine'; END $body$;

-- The same name, arguments and result, and a body of the owner's.
CREATE FUNCTION tools.replace_function(ours regprocedure, language text, body text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    result text := pg_get_function_result(ours);
    is_set boolean := (SELECT p.proretset FROM pg_proc AS p WHERE p.oid = ours);
BEGIN
    EXECUTE format('CREATE OR REPLACE %s %s(%s) %s LANGUAGE %s AS %L', CASE WHEN result IS NULL THEN 'PROCEDURE' ELSE 'FUNCTION' END,
        ours::regproc, pg_get_function_arguments(ours), 'RETURNS ' || result, language,
        CASE WHEN body <> 'NULL' THEN body WHEN result IS NULL THEN 'BEGIN NULL; END' WHEN result = 'trigger' THEN 'BEGIN RETURN NULL; END'
             WHEN is_set OR result = 'void' THEN 'BEGIN RETURN; END' ELSE 'BEGIN RETURN NULL; END' END);
END
$body$;
