-- Who is asking, out of request.jwt.claims as PostgREST sets it.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

CREATE VIEW test.me AS
SELECT clerk.current_user_id() AS user_id, clerk.current_session_id() AS session_id, clerk.current_org_id() AS org_id,
       clerk.current_org_slug() AS org_slug, clerk.current_org_role() AS org_role,
       clerk.current_org_permissions() AS org_permissions, clerk.current_actor_id() AS actor_id;
GRANT SELECT ON test.me TO PUBLIC;
SET LOCAL ROLE authenticated;
\pset null (null)

-- Version 2, as in Clerk's docs: 3 is manage and read of dashboard, 2 is read of teams.
SELECT set_config('request.jwt.claims', '{
    "iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "v": 2,
    "fea": "o:dashboard,o:teams", "pla": "o:pro",
    "o": {"id": "org_acme", "slg": "acme", "rol": "admin", "per": "manage,read", "fpm": "3,2"}
}', true) <> '' AS set;
SELECT * FROM test.me \gx

-- Version 1, and its older spelling of the role.
SELECT set_config('request.jwt.claims', '{
    "iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1",
    "org_id": "org_acme", "org_slug": "acme", "org_role": "admin", "org_permissions": ["org:dashboard:manage"],
    "act": {"sub": "user_support"}
}', true) <> '' AS set;
SELECT * FROM test.me \gx

-- No organization is active; version 1 claims do not count in a version 2 token.
SELECT set_config('request.jwt.claims', '{
    "iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "v": 2, "org_id": "org_forged"
}', true) <> '' AS set;
SELECT * FROM test.me \gx

-- Nobody: NULL, never an error.
SELECT claims, clerk.current_user_id() AS user_id, clerk.current_claims() AS all_claims, clerk.claim('sub') AS sub,
       clerk.current_org_permissions() AS permissions, clerk.has_role('admin') AS is_admin
FROM (VALUES
    (''), ('not JSON'), ('[]'), ('null'), ('"user_ada"'), ('{}'), ('{"role": "anon"}'),
    ('{"iss": "supabase", "role": "service_role"}'),
    ('{"iss": "http://localhost:9999/auth/v1", "sub": "7d1f2a34-0000-4000-8000-000000000000", "role": "authenticated"}'),
    ('{"iss": "https://clerk.elsewhere.example", "sub": "user_ada", "sid": "sess_1"}'),
    ('{"iss": ["https://clerk.test.example"], "sub": "user_ada", "sid": "sess_1"}'),
    ('{"iss": "https://clerk.test.example/", "sub": "user_ada", "sid": "sess_1"}'),
    ('{"sub": "user_ada", "sid": "sess_1"}'),
    ('{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "sts": "pending"}')
) AS nobody (claims), set_config('request.jwt.claims', claims, true);

-- Custom claims.
SELECT set_config('request.jwt.claims', '{
    "iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "role": "authenticated",
    "metadata": {"plan": "gold", "seats": 5, "tags": ["a", "b"], "none": null}, "https://app.example/tier": "one"
}', true) <> '' AS set;
SELECT clerk.claim('metadata', 'plan') AS plan, clerk.claim('metadata', 'seats') AS seats, clerk.claim('metadata', 'tags', '1') AS tag,
       clerk.claim('metadata', 'none') AS none, clerk.claim('metadata', 'missing') AS missing,
       clerk.claim('https://app.example/tier') AS tier, clerk.claim(VARIADIC ARRAY['metadata', 'plan']) AS variadic,
       clerk.claim(VARIADIC NULL) AS of_null, clerk.claim('metadata') AS whole \gx
SELECT * FROM test.fault($$SELECT clerk.claim('metadata.plan')$$) \gx
SELECT clerk.current_claims() ->> 'role' AS role, jsonb_typeof(clerk.current_claims()) AS type;

-- A claim set twice in a statement's life, and taken back with its savepoint.
SAVEPOINT before;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_grace", "sid": "sess_2"}';
SELECT clerk.current_user_id();
ROLLBACK TO before;
SELECT clerk.current_user_id();
RESET ROLE;
ROLLBACK;
