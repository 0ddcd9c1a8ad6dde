-- clerk.doctor(): Supabase Vault, where it keeps secrets of ours.

COMMENT ON FUNCTION clerk.unreadable_secrets() IS
    'The secrets in a vault that cannot be used now: kind, fingerprint and name of each, the reason (no vault, no right, no name, several names, not decrypted, wrong form), the same as a sentence, and the next step. Shows no secret. STABLE. Callable by the owner.';

-- A view's functions are called with the rights of whoever reads it.
CREATE FUNCTION clerk.vault_functions() RETURNS TABLE (id oid)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT DISTINCT d.refobjid
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_rewrite AS r ON r.ev_class = c.oid
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_proc'::regclass
    WHERE n.nspname = 'vault' AND c.relname = 'decrypted_secrets'
$body$;
COMMENT ON FUNCTION clerk.vault_functions() IS
    'The functions that vault.decrypted_secrets calls. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.vault_grants() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT string_agg(format('GRANT %s TO %I;', missing.what, current_user), ' ' ORDER BY missing.number)
    FROM (
        SELECT 1, 'USAGE ON SCHEMA vault' FROM pg_namespace AS n
        WHERE n.nspname = 'vault' AND NOT has_schema_privilege(n.oid, 'USAGE')
        UNION ALL
        SELECT 2, 'SELECT ON vault.decrypted_secrets' FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'vault' AND c.relname = 'decrypted_secrets' AND NOT has_table_privilege(c.oid, 'SELECT')
        UNION ALL
        SELECT 3, format('EXECUTE ON FUNCTION %s', f.id::regprocedure) FROM clerk.vault_functions() AS f
        WHERE NOT has_function_privilege(f.id, 'EXECUTE')
    ) AS missing (number, what)
$body$;
COMMENT ON FUNCTION clerk.vault_grants() IS
    'The statements that let the current role, which is the owner in clerk.doctor(), read vault.decrypted_secrets. NULL: it may. STABLE. Callable by the owner.';

-- Never one that drops the reference: what is in the vault is the secret that Clerk uses.
CREATE FUNCTION clerk.mend_of_vault(reason text, vault_name text, example text, hint text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT COALESCE(
        CASE reason
            WHEN 'no right' THEN clerk.vault_grants()
            WHEN 'no vault' THEN 'CREATE EXTENSION supabase_vault; -- then put the secret into it under the same name'
            WHEN 'no name' THEN format(
                'SELECT vault.create_secret(%L, %L); -- as parameters, because statements are logged. To look: SELECT name FROM vault.secrets',
                example, vault_name)
            WHEN 'not decrypted' THEN format(
                'SELECT vault.update_secret(s.id, %L) FROM vault.secrets AS s WHERE s.name = %L; -- if it was encrypted with another root key, which no dump has. To look: SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name = %2$L',
                example, vault_name)
            WHEN 'wrong form' THEN format(
                'SELECT vault.update_secret(s.id, %L) FROM vault.secrets AS s WHERE s.name = %L; -- as parameters, because statements are logged. To look: SELECT decrypted_secret FROM vault.decrypted_secrets WHERE name = %2$L',
                example, vault_name)
        END, hint)
$body$;
COMMENT ON FUNCTION clerk.mend_of_vault(text, text, text, text) IS
    'What mends a secret in a vault that cannot be used, for the reason that clerk.unreadable_secrets() gives; hint where no statement does. STABLE. Callable by the owner.';

CREATE FUNCTION clerk.vault_readers() RETURNS TABLE (reader name)
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
AS $body$
    SELECT r.rolname
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, pg_roles AS r
    WHERE n.nspname = 'vault' AND c.relname = 'decrypted_secrets'
      AND NOT r.rolsuper AND NOT starts_with(r.rolname, 'pg_')
      AND NOT pg_has_role(r.oid, (SELECT own.nspowner FROM pg_namespace AS own WHERE own.nspname = 'clerk'), 'MEMBER')
      AND has_schema_privilege(r.oid, n.oid, 'USAGE')
      AND has_any_column_privilege(r.oid, c.oid, 'SELECT')
      AND NOT EXISTS (SELECT FROM clerk.vault_functions() AS f WHERE NOT has_function_privilege(r.oid, f.id, 'EXECUTE'))
$body$;
COMMENT ON FUNCTION clerk.vault_readers() IS
    'The roles besides superusers and the owner that may read every secret of the vault. STABLE. Callable by the owner.';
