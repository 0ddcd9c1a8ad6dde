-- What other extensions and services have made, and go by names that anybody who can create a schema may take first. A view or a
-- function of a stranger's would run with the rights of whoever looks.

CREATE FUNCTION clerk.is_genuine(schema name, relation name) RETURNS boolean
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT EXISTS (
        SELECT FROM pg_namespace AS n
        JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = relation
        JOIN pg_roles AS home ON home.oid = n.nspowner JOIN pg_roles AS own ON own.oid = c.relowner
        WHERE n.nspname = schema
          AND (home.rolsuper OR home.rolname = current_user) AND (own.rolsuper OR own.rolname = current_user)
    )
$body$;
COMMENT ON FUNCTION clerk.is_genuine(name, name) IS
    'Whether there is such a table or view, and it and its schema belong to a superuser or to the current role: only then may it be read. Nobody else can put another in its place. NULL for NULL. STABLE. Callable by the owner.';
