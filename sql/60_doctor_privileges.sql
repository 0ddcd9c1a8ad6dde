-- clerk.doctor(): who may do more than they should, and who less.

CREATE FUNCTION clerk.doctor_secrets() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH kept AS (
        SELECT c.oid, c.relowner, c.relacl, c.relrowsecurity FROM pg_class AS c
        WHERE c.oid IN (to_regclass('clerk.secrets'), to_regclass('clerk.postgrest_keys'))
    ), granted AS (
        SELECT DISTINCT k.oid, entry.grantee
        FROM kept AS k, LATERAL (
            SELECT k.relacl
            UNION ALL SELECT a.attacl FROM pg_attribute AS a WHERE a.attrelid = k.oid
        ) AS list (acl), aclexplode(list.acl) AS entry
        WHERE entry.grantee <> k.relowner
    ), reader AS (
        -- Row level security, if it is on, keeps such a role out unless it bypasses that.
        SELECT DISTINCT r.rolname, r.rolname LIKE 'supabase\_%' AS is_supabases
        FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
        WHERE m.roleid = 'pg_read_all_data'::regrole AND NOT r.rolsuper
          AND NOT EXISTS (SELECT FROM kept AS k WHERE pg_has_role(r.oid, k.relowner, 'MEMBER'))
          AND EXISTS (SELECT FROM kept AS k WHERE r.rolbypassrls OR NOT k.relrowsecurity)
    )
    SELECT 'granted to nobody', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'failed' END,
        COALESCE(
            string_agg(format('%s: %s', g.oid::regclass, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END), ', ' ORDER BY g.oid, g.grantee),
            'nobody'
        ),
        'no role but the owner has rights on the tables of secrets',
        string_agg(
            format('REVOKE ALL ON TABLE %s FROM %s;', g.oid::regclass, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END),
            ' ' ORDER BY g.oid, g.grantee
        ),
        clerk.sql_as_owner()
    FROM granted AS g

    UNION ALL
    -- Newer images of Supabase let service_role read the vault, so that is for the operator to judge.
    SELECT 'granted to nobody', CASE WHEN bool_or(v.reader IN ('anon', 'authenticated')) THEN 'failed' ELSE 'note' END,
        format('vault.decrypted_secrets, where Clerk''s secrets are too: %s', string_agg(v.reader, ', ' ORDER BY v.reader)),
        'no role but the owner reads the vault; Supabase gives it to service_role',
        CASE
            WHEN bool_or(v.reader IN ('anon', 'authenticated')) THEN 'REVOKE SELECT ON vault.decrypted_secrets FROM PUBLIC, anon, authenticated;'
            ELSE 'Where one of these roles is not to have the secrets: SELECT clerk.add_webhook_signing_secret(''whsec_…''), or set_secret_key(), keeps them where only the owner reads.'
        END,
        CASE WHEN bool_or(v.reader IN ('anon', 'authenticated')) THEN clerk.sql_as_superuser() ELSE clerk.sql_as_owner() END
    FROM clerk.vault_readers() AS v WHERE EXISTS (SELECT FROM clerk.secrets AS s WHERE s.vault_name IS NOT NULL)
    HAVING count(*) > 0

    UNION ALL
    SELECT 'read by nobody',
        CASE
            WHEN NOT EXISTS (SELECT FROM reader) THEN 'ok'
            WHEN NOT EXISTS (SELECT FROM reader AS r WHERE NOT r.is_supabases) OR NOT EXISTS (SELECT FROM clerk.secrets AS s WHERE s.secret IS NOT NULL) THEN 'note'
            ELSE 'warning'
        END,
        COALESCE('may read every table: ' || (SELECT string_agg(r.rolname, ', ' ORDER BY r.rolname) FROM reader AS r), 'nobody'),
        'no role that reads every table (pg_read_all_data), or every secret in a vault (vault:NAME)',
        -- Services of Supabase need it.
        COALESCE(
            (SELECT string_agg(format('REVOKE pg_read_all_data FROM %I;', r.rolname), ' ' ORDER BY r.rolname) FROM reader AS r WHERE NOT r.is_supabases),
            'Let nobody log in as them but Supabase''s services, which need it, or keep the secrets in a vault (vault:NAME).'
        ),
        CASE WHEN EXISTS (SELECT FROM reader AS r WHERE NOT r.is_supabases) THEN clerk.sql_as_superuser() ELSE clerk.sql_as_owner() END

    UNION ALL
    -- Everybody can read what ALTER DATABASE and ALTER ROLE store.
    SELECT 'none in settings', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'failed' END,
        COALESCE(
            string_agg(format('%s of %s', s.name, concat_ws(' in ', 'role ' || s.rolname, 'database ' || s.datname)), ', ' ORDER BY s.name, s.rolname, s.datname),
            'none'
        ),
        'no secret among the settings of roles and databases, which everybody can read',
        -- Without its own keys here, that setting may be all that PostgREST has.
        CASE
            WHEN bool_or(s.name = 'pgrst.jwt_secret') AND NOT EXISTS (SELECT FROM clerk.postgrest_keys)
                THEN 'Give PostgREST the secret in its environment first (PGRST_JWT_SECRET): without, it would refuse every token. Then run '
            ELSE ''
        END || string_agg(
            CASE
                WHEN s.rolname IS NULL THEN format('ALTER DATABASE %I RESET %s;', s.datname, s.quoted)
                WHEN s.datname IS NULL THEN format('ALTER ROLE %I RESET %s;', s.rolname, s.quoted)
                ELSE format('ALTER ROLE %I IN DATABASE %I RESET %s;', s.rolname, s.datname, s.quoted)
            END, ' ' ORDER BY s.name, s.rolname, s.datname
        ) || CASE WHEN bool_or(s.name = 'app.settings.jwt_secret') THEN ' -- functions of yours that read app.settings.jwt_secret have none then' ELSE '' END,
        clerk.sql_as_superuser()
    FROM (
        SELECT split_part(entry, '=', 1), regexp_replace(split_part(entry, '=', 1), '([^.]+)', '"\1"', 'g'), r.rolname, d.datname
        FROM pg_db_role_setting AS s
        LEFT JOIN pg_roles AS r ON r.oid = s.setrole LEFT JOIN pg_database AS d ON d.oid = s.setdatabase, unnest(s.setconfig) AS entry
        WHERE (s.setdatabase = 0 OR d.datname = current_database())
          AND (entry LIKE 'app.settings.jwt\_secret=_%' OR entry LIKE 'pgrst.jwt\_secret=_%' OR entry LIKE 'clerk.http\_proxy=%@%')
    ) AS s (name, quoted, rolname, datname)
$body$;
COMMENT ON FUNCTION clerk.doctor_secrets() IS
    'Checks of clerk.doctor(): that nobody can read secrets. STABLE. Callable by the owner.';

-- What each of the API's roles is given by name, besides what everybody may use.
CREATE FUNCTION clerk.api_grants() RETURNS TABLE (grantee name, object text, is_function boolean, is_wanted boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT 'service_role'::name, g.object, g.is_function, true FROM clerk.granted_by('clerk.change_service') AS g
    UNION ALL
    SELECT 'authenticated', g.object, g.is_function, true FROM clerk.granted_by('clerk.change_reader') AS g
    UNION ALL
    SELECT 'anon', 'clerk.receive_webhook', true, EXISTS (SELECT FROM clerk.exposed_api() AS e WHERE e.name = 'clerk_webhook')
$body$;
COMMENT ON FUNCTION clerk.api_grants() IS
    'What the roles anon, authenticated and service_role may be granted in schema clerk, and whether they should have it now. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_grants() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH helper AS (
        SELECT 'clerk.' || named.name AS object
        FROM unnest(ARRAY[
            'current_user_id', 'current_session_id', 'current_org_id', 'current_org_slug', 'current_org_role', 'current_org_permissions',
            'current_actor_id', 'current_actor_type', 'current_claims', 'claim', 'has_role', 'has_permission', 'has_feature', 'has_plan', 'has_reverification', 'has',
            'whoami', 'authenticate', 'clear_authentication', 'check_request', 'pre_request'
        ]) AS named (name)
    ), given AS (
        -- What is not the extension's has a row of its own, and is not the owner's to revoke.
        SELECT p.oid::regproc::text AS object, p.oid::regprocedure::text AS identity, 'ROUTINE' AS kind, entry.grantee, entry.privilege_type
        FROM pg_proc AS p, aclexplode(COALESCE(p.proacl, acldefault('f', p.proowner))) AS entry
        WHERE p.pronamespace = 'clerk'::regnamespace AND entry.grantee <> p.proowner
          AND EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
        UNION ALL
        SELECT c.oid::regclass::text, c.oid::regclass::text, 'TABLE', entry.grantee, entry.privilege_type
        FROM pg_class AS c, aclexplode(c.relacl) AS entry
        WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind IN ('r', 'v') AND entry.grantee <> c.relowner
          AND EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ), excess AS (
        SELECT g.identity, g.kind, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS grantee, g.privilege_type
        FROM given AS g LEFT JOIN pg_roles AS r ON r.oid = g.grantee
        WHERE (COALESCE(r.rolname, 'PUBLIC') IN ('PUBLIC', 'anon', 'authenticated')
                AND g.object NOT IN (SELECT h.object FROM helper AS h)
                AND g.object NOT IN (SELECT a.object FROM clerk.api_grants() AS a WHERE a.grantee = r.rolname))
            OR g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    ), lack AS (
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC;', h.object::regproc::regprocedure) AS mend, 'PUBLIC: ' || h.object AS what
        FROM helper AS h
        WHERE NOT EXISTS (SELECT FROM given AS g WHERE g.object = h.object AND g.grantee = 0)
        UNION ALL
        SELECT 'GRANT USAGE ON SCHEMA clerk TO PUBLIC;', 'PUBLIC: schema clerk'
        FROM pg_namespace AS n
        WHERE n.nspname = 'clerk'
          AND NOT EXISTS (SELECT FROM aclexplode(n.nspacl) AS entry WHERE entry.grantee = 0 AND entry.privilege_type = 'USAGE')
        UNION ALL
        SELECT DISTINCT
            CASE r.rolname
                WHEN 'service_role' THEN 'SELECT clerk.grant_service(''service_role'');'
                WHEN 'authenticated' THEN 'SELECT clerk.grant_reader(''authenticated'');'
                ELSE 'GRANT EXECUTE ON FUNCTION clerk.receive_webhook(text, jsonb) TO anon;'
            END, format('%s: %s', r.rolname, a.object)
        FROM clerk.api_grants() AS a JOIN pg_roles AS r ON r.rolname = a.grantee
        WHERE a.is_wanted AND NOT clerk.may_use(r.rolname, a.object, a.is_function)
        UNION ALL
        -- An administrator from before an update does not have what came with it.
        SELECT DISTINCT format('SELECT clerk.grant_admin(%L);', admin.oid::regrole), format('%s: %s', admin.rolname, g.object)
        FROM given AS configuring JOIN pg_roles AS admin ON admin.oid = configuring.grantee, clerk.granted_by('clerk.change_admin') AS g
        WHERE configuring.object = 'clerk.configure' AND NOT clerk.may_use(admin.rolname, g.object, g.is_function)
    )
    SELECT 'nothing too much', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'failed' END,
        COALESCE(string_agg(format('%s: %s on %s', e.grantee, e.privilege_type, e.identity), ', ' ORDER BY e.grantee, e.identity, e.privilege_type), 'nothing'),
        'everybody may only ask who they are, API roles use what is theirs, and nobody writes the tables or puts triggers on them',
        string_agg(
            format('REVOKE %s ON %s %s FROM %s;', e.privilege_type, e.kind, e.identity, e.grantee), ' ' ORDER BY e.grantee, e.identity, e.privilege_type
        ),
        clerk.sql_as_owner()
    FROM excess AS e

    UNION ALL
    SELECT 'nothing missing', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'failed' END,
        COALESCE(string_agg(l.what, ', ' ORDER BY l.what), 'nothing'),
        'what installing, clerk.grant_admin(), grant_service() and grant_reader() gave is still there',
        (SELECT string_agg(one.mend, ' ' ORDER BY one.mend) FROM (SELECT DISTINCT l.mend FROM lack AS l) AS one),
        clerk.sql_as_owner()
    FROM lack AS l
$body$;
COMMENT ON FUNCTION clerk.doctor_grants() IS
    'Checks of clerk.doctor(): grants on functions, tables and views of schema clerk. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.doctor_schema() RETURNS SETOF clerk.finding
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    WITH creator AS (
        SELECT CASE entry.grantee WHEN 0 THEN 'PUBLIC' ELSE entry.grantee::regrole::text END AS grantee
        FROM pg_namespace AS n, aclexplode(n.nspacl) AS entry
        WHERE n.nspname = 'clerk' AND entry.privilege_type = 'CREATE' AND entry.grantee <> n.nspowner
    ), stranger AS (
        SELECT object.identity, object.type, COALESCE(p.proowner, c.relowner) AS owner
        FROM (
            SELECT 'pg_proc'::regclass, p.oid FROM pg_proc AS p WHERE p.pronamespace = 'clerk'::regnamespace
            UNION ALL
            SELECT 'pg_class'::regclass, c.oid FROM pg_class AS c WHERE c.relnamespace = 'clerk'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
        ) AS o (catalog, id)
        LEFT JOIN pg_proc AS p ON o.catalog = 'pg_proc'::regclass AND p.oid = o.id
        LEFT JOIN pg_class AS c ON o.catalog = 'pg_class'::regclass AND c.oid = o.id,
            LATERAL pg_identify_object(o.catalog, o.id, 0) AS object
        WHERE NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = o.catalog AND d.objid = o.id AND d.deptype = 'e')
    )
    SELECT 'nobody creates in it', CASE WHEN count(*) = 0 THEN 'ok' ELSE 'failed' END,
        COALESCE(string_agg(c.grantee, ', ' ORDER BY c.grantee), 'nobody'), 'only the owner may create objects in schema clerk',
        string_agg(format('REVOKE CREATE ON SCHEMA clerk FROM %s;', c.grantee), ' ' ORDER BY c.grantee), clerk.sql_as_owner()
    FROM creator AS c

    UNION ALL
    SELECT 'nothing foreign in it', CASE WHEN count(s.identity) = 0 THEN 'ok' ELSE 'warning' END,
        COALESCE(string_agg(s.identity, ', ' ORDER BY s.identity), 'nothing'), 'only what belongs to the extension in schema clerk',
        -- Not to public: there an API may show them, and everybody may call functions.
        'CREATE SCHEMA IF NOT EXISTS not_clerk; ' || string_agg(format('ALTER %s %s SET SCHEMA not_clerk;', upper(s.type), s.identity), ' ' ORDER BY s.identity)
            || ' -- or any schema of yours that the API does not show',
        CASE WHEN bool_and(s.owner = n.nspowner) THEN clerk.sql_as_owner() ELSE clerk.sql_as_superuser() END
    FROM pg_namespace AS n LEFT JOIN stranger AS s ON true WHERE n.nspname = 'clerk'
$body$;
COMMENT ON FUNCTION clerk.doctor_schema() IS
    'Checks of clerk.doctor(): what else is in schema clerk. STABLE. Callable by the owner.';
