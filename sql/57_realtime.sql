-- Handing Clerk's keys to Supabase's Realtime, whose tenants are rows in the same database.

-- The other function that stays a superuser's. It writes as the owner of Realtime's table, in a security-restricted operation.
CREATE FUNCTION clerk.write_realtime_keys(jwks jsonb) RETURNS jsonb
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_write_realtime_keys';
COMMENT ON FUNCTION clerk.write_realtime_keys(jsonb) IS
    'Part of clerk.sync_realtime_keys(): makes this the jwt_jwks of every tenant that has another, and answers {"tenants", "changed"}. Belongs to a superuser, and writes as the owner of _realtime.tenants. NULL for NULL. Raises 55000 if that is not Realtime''s table, or if others than its owner decide what runs when it is written; 42501 as clerk.set_authenticator_pre_config(). Callable by the owner.';

CREATE FUNCTION clerk.sync_realtime_keys() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_sync_realtime_keys';
COMMENT ON FUNCTION clerk.sync_realtime_keys() IS
    'Gives the tenants of Supabase''s Realtime in this database (_realtime.tenants) Clerk''s keys and the operator''s own, as PostgREST has them. Realtime heeds them within 30 s. From then on clerk.maintain() does the same, because Realtime sets its tenant back when it starts. Writes nothing that is equal; answers {"tenants", "changed"}. Raises 55000 before clerk.connect_postgrest() was given the operator''s keys and where there is no table of Realtime''s, 42501 as that function. VOLATILE. Callable by the owner.';

CREATE FUNCTION clerk.disconnect_realtime() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_disconnect_realtime';
COMMENT ON FUNCTION clerk.disconnect_realtime() IS
    'Leaves the tenants of Realtime the operator''s own keys only, and ends what clerk.sync_realtime_keys() began; answers as that. NULL, and nothing is written, if the operator''s keys are not known. Raises as it. VOLATILE. Callable by the owner.';
