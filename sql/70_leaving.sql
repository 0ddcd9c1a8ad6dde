-- Leaving: the data, the policies and all that refers to us go on without the extension.

-- The new schema is the owner's from its first moment, whoever calls: what the owner hung on the mirror (a check, an index on an
-- expression) runs while it is copied, and must not run as a superuser. Nobody but the owner may call this, and to the owner it gives
-- nothing.
CREATE FUNCTION clerk.eject_as_owner(statement text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    EXECUTE statement;
END
$body$;
COMMENT ON FUNCTION clerk.eject_as_owner(text) IS
    'Runs a statement of clerk.eject() as the owner of the extension. Raises what the statement raises; 22004 for NULL. VOLATILE. Callable by the owner.';

-- Whoever runs the statements that eject() and uninstall() print must not run what others put into the names and bodies in it.
CREATE FUNCTION clerk.as_comment(words text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $body$ SELECT '-- ' || regexp_replace(words, '[\r\n]+', ' ', 'g') $body$;
COMMENT ON FUNCTION clerk.as_comment(text) IS
    'Words as a comment of SQL, in one line. NULL for NULL. IMMUTABLE. Callable by the owner.';

CREATE FUNCTION clerk.check_eject(target text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF target IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'schema must not be NULL',
            HINT = 'Name a schema that does not exist yet, such as clerk_data.';
    END IF;
    IF target IN ('', 'clerk', 'information_schema') OR starts_with(target, 'pg_') OR octet_length(target) > 63 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s cannot be the schema of the ejected tables', quote_ident(target)),
            HINT = 'Name a schema that does not exist yet, such as clerk_data.';
    END IF;
    IF EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = target) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = format('schema %I exists already', target),
            HINT = 'Name one that does not exist yet: everything in it will be new, and nobody''s else.';
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.check_eject(text) IS
    'Raises if clerk.eject() cannot make this schema: 22004, 22023, or 42P06 if there is one already. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.eject_plan(target text) RETURNS TABLE (step text, object text, statement text, as_owner boolean)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    -- Copies are of one moment. Deliveries that come meanwhile wait a second, are stored, and are tried again later.
    RETURN QUERY SELECT 'lock', 'the mirror', format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', string_agg(m.id::regclass::text, ', ' ORDER BY m.name)), true
        FROM clerk.eject_moved() AS m WHERE m.kind = 'table';
    RETURN QUERY SELECT p.*, true FROM clerk.eject_schema(target) AS p;
    RETURN QUERY SELECT p.*, true FROM clerk.eject_identity(target) AS p;
    RETURN QUERY SELECT p.*, true FROM clerk.eject_tables(target) AS p;
    RETURN QUERY SELECT p.*, true FROM clerk.eject_views(target) AS p;
    RETURN QUERY SELECT p.*, true FROM clerk.eject_relation_grants(target) AS p;
    RETURN QUERY SELECT p.*, false FROM clerk.eject_functions(target) AS p;
    RETURN QUERY SELECT p.*, false FROM clerk.eject_application(target) AS p;
    RETURN QUERY SELECT p.* FROM clerk.eject_additions(target) AS p;
END
$body$;
COMMENT ON FUNCTION clerk.eject_plan(text) IS
    'Every statement of clerk.eject() in order, and whether it runs as the owner or the caller. Nothing for NULL. VOLATILE: sets search_path meanwhile. Callable by the owner.';

CREATE FUNCTION clerk.eject(schema text DEFAULT 'clerk_data', dry_run boolean DEFAULT true)
    RETURNS TABLE (step text, object text, statement text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    -- Bodies change in nothing but a schema's name, and not all of them are meant for this search path.
    SET check_function_bodies = off
    -- A row that a policy hides from its table's owner must not be lost silently.
    SET row_security = off
    SET standard_conforming_strings = on
AS $body$
DECLARE
    pretend CONSTANT boolean := COALESCE(dry_run, true);
    refused text[] := ARRAY[]::text[];
    found record;
    planned record;
BEGIN
    PERFORM clerk.check_eject(schema);
    FOR found IN SELECT r.object, r.reason, r.hint FROM clerk.eject_refusals(schema) AS r LOOP
        refused := refused || format('%s: %s', found.object, found.reason);
        step := 'refused';
        object := found.object;
        statement := clerk.as_comment(format('%s. %s', found.reason, found.hint));
        RETURN NEXT;
    END LOOP;
    IF refused <> '{}' AND NOT pretend THEN
        RAISE EXCEPTION USING
            ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = format('%s cannot go on without the extension as they are', CASE cardinality(refused) WHEN 1 THEN '1 thing' ELSE cardinality(refused) || ' things' END),
            DETAIL = array_to_string(refused, E'\n'),
            HINT = format('SELECT * FROM clerk.eject(%L) says of each what to do.', schema);
    END IF;

    IF NOT pretend THEN
        PERFORM clerk.tell_postgrest_to_read(repeat => true);
    END IF;
    FOR planned IN SELECT p.step, p.object, p.statement, p.as_owner FROM clerk.eject_plan(schema) AS p LOOP
        IF pretend THEN
            NULL;
        ELSIF planned.as_owner THEN
            PERFORM clerk.eject_as_owner(planned.statement);
        ELSE
            EXECUTE planned.statement;
        END IF;
        step := planned.step;
        object := planned.object;
        statement := planned.statement;
        RETURN NEXT;
    END LOOP;

    IF NOT pretend THEN
        PERFORM clerk.check_ejected(schema);
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.eject(text, boolean) IS
    'Copies the mirror into plain tables and views of a new schema, with keys, indexes, comments, grants and policies, beside the identity helpers as plain SQL over request.jwt.claims; and has foreign keys, policies, defaults, checks, views, functions and triggers of the application use those instead of the extension. Returns each step with its statement. With dry_run, the default also for NULL, it only says so, and what it would refuse. It takes effect as a whole or not at all. Who calls it needs the rights of whom the changed objects belong to. Raises 22004 for NULL as the schema, 22023 for a name that no schema should have, 42P06 if there is such a schema, 2BP01 if something cannot be rewritten or is not the caller''s. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.check_ejected(target text) RETURNS void
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    left_over CONSTANT text[] := ARRAY(
        SELECT d.object FROM clerk.eject_dependents() AS d
        UNION SELECT b.object FROM clerk.eject_bodies(target) AS b
        ORDER BY 1
    );
BEGIN
    IF left_over <> '{}' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = 'something still uses the extension after rewriting',
            DETAIL = array_to_string(left_over, E'\n'),
            HINT = 'Nothing was changed. Drop these first, and make them again afterwards.';
    END IF;
END
$body$;
COMMENT ON FUNCTION clerk.check_ejected(text) IS
    'Raises 2BP01 if anything outside the extension still uses it. Does nothing for NULL. STABLE. Callable by the owner.';
