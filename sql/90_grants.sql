-- Who owns what, and who may call what. Last, so that it covers every object.

-- The objects of a trusted extension belong to the bootstrap superuser unless we say otherwise, and a function that runs as
-- its owner must not run as that.
DO LANGUAGE plpgsql $owner$
DECLARE
    one_relation pg_catalog.regclass;
    one_function pg_catalog.regprocedure;
BEGIN
    -- Sequences of identity columns follow their tables.
    FOR one_relation IN
        SELECT c.oid FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace OPERATOR(pg_catalog.=) 'clerk'::pg_catalog.regnamespace::pg_catalog.oid
          AND (c.relkind OPERATOR(pg_catalog.=) 'r' OR c.relkind OPERATOR(pg_catalog.=) 'v')
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO %s', one_relation, '@extowner@'::pg_catalog.regrole);
    END LOOP;
    FOR one_function IN
        SELECT p.oid FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'clerk'::pg_catalog.regnamespace::pg_catalog.oid
          -- They do what only a superuser may, and run no code of anybody else.
          AND p.proname OPERATOR(pg_catalog.<>) ALL (ARRAY['guard_postgrest', 'set_authenticator_pre_config', 'write_realtime_keys'])
    LOOP
        EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO %s', one_function, '@extowner@'::pg_catalog.regrole);
    END LOOP;
END
$owner$;

-- Default privileges of the database may have given other roles rights on what was just made.
DO LANGUAGE plpgsql $grantees$
DECLARE
    grantee pg_catalog.regrole;
BEGIN
    FOR grantee IN
        SELECT DISTINCT entry.grantee
        FROM (
            SELECT n.nspacl FROM pg_catalog.pg_namespace AS n
            WHERE n.oid OPERATOR(pg_catalog.=) 'clerk'::pg_catalog.regnamespace::pg_catalog.oid
            UNION ALL SELECT c.relacl FROM pg_catalog.pg_class AS c
            WHERE c.relnamespace OPERATOR(pg_catalog.=) 'clerk'::pg_catalog.regnamespace::pg_catalog.oid
            UNION ALL SELECT p.proacl FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace OPERATOR(pg_catalog.=) 'clerk'::pg_catalog.regnamespace::pg_catalog.oid
        ) AS object (acl), pg_catalog.aclexplode(object.acl) AS entry
        WHERE entry.grantee OPERATOR(pg_catalog.<>) ALL (ARRAY[0, '@extowner@'::pg_catalog.regrole::pg_catalog.oid])
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA clerk FROM %s CASCADE', grantee);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA clerk FROM %s CASCADE', grantee);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA clerk FROM %s CASCADE', grantee);
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL ROUTINES IN SCHEMA clerk FROM %s CASCADE', grantee);
    END LOOP;
END
$grantees$;

-- Everybody may ask who they are. Nobody else may create anything in our schema.
REVOKE ALL ON SCHEMA clerk FROM PUBLIC;
GRANT USAGE ON SCHEMA clerk TO PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA clerk FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA clerk FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA clerk FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    clerk.current_user_id, clerk.current_session_id, clerk.current_org_id, clerk.current_org_slug, clerk.current_org_role,
    clerk.current_org_permissions, clerk.current_actor_id, clerk.current_actor_type, clerk.current_claims, clerk.claim, clerk.has_role,
    clerk.has_permission, clerk.has_feature, clerk.has_plan, clerk.has_reverification, clerk.has, clerk.whoami,
    clerk.authenticate, clerk.clear_authentication, clerk.check_request, clerk.pre_request
TO PUBLIC;
GRANT EXECUTE ON FUNCTION clerk.set_authenticator_pre_config, clerk.write_realtime_keys TO @extowner@;

-- On Supabase the roles of its API are there already.
DO LANGUAGE plpgsql $api_roles$
BEGIN
    PERFORM clerk.grant_service(r.oid) FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) 'service_role';
    PERFORM clerk.grant_reader(r.oid) FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) 'authenticated';
END
$api_roles$;
