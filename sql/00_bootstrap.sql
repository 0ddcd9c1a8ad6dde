-- Refuses to install where the extension could not be right or safe.
DO LANGUAGE plpgsql $check$
DECLARE
    home pg_catalog.pg_namespace;
BEGIN
    -- Claims are UTF-8; another encoding would refuse or change true ones.
    IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) 'UTF8' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = pg_catalog.format('clerk_sync needs a database with encoding UTF8, not %s', pg_catalog.getdatabaseencoding()),
            HINT = 'Create a database with ENCODING ''UTF8'' and install clerk_sync there.';
    END IF;

    SELECT * INTO STRICT home FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'clerk';

    -- Somebody else's schema, or objects that wait in it, could take part in what our functions do.
    IF home.nspowner OPERATOR(pg_catalog.<>) '@extowner@'::pg_catalog.regrole::pg_catalog.oid THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = pg_catalog.format('schema "clerk" belongs to role %s, and clerk_sync is being installed by %s',
                home.nspowner::pg_catalog.regrole, '@extowner@'::pg_catalog.regrole),
            HINT = pg_catalog.format('To restore a dump, do it in the role of the owner: pg_restore --role=%1$s, or SET ROLE %1$s before the script. '
                'Otherwise install as that role, or run ALTER SCHEMA clerk RENAME TO … first.', home.nspowner::pg_catalog.regrole);
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace OPERATOR(pg_catalog.=) home.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_proc AS p WHERE p.pronamespace OPERATOR(pg_catalog.=) home.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_type AS t WHERE t.typnamespace OPERATOR(pg_catalog.=) home.oid)
        OR EXISTS (SELECT FROM pg_catalog.pg_operator AS o WHERE o.oprnamespace OPERATOR(pg_catalog.=) home.oid)
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = 'schema "clerk" exists and is not empty',
            DETAIL = 'Setting up the Clerk foreign data wrapper makes a schema of that name.',
            HINT = 'Run ALTER SCHEMA clerk RENAME TO clerk_fdw, then CREATE EXTENSION clerk_sync again.';
    END IF;
    IF EXISTS (
        SELECT FROM pg_catalog.aclexplode(home.nspacl) AS acl
        WHERE acl.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
          AND acl.grantee OPERATOR(pg_catalog.<>) home.nspowner
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'other roles may create objects in schema "clerk"',
            HINT = 'Run CREATE SCHEMA IF NOT EXISTS clerk and REVOKE CREATE ON SCHEMA clerk FROM … for each of them, PUBLIC included; then try again.';
    END IF;
END
$check$;
