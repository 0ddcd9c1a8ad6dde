-- whoami(): who the database thinks is asking, and what may be wrong with that.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

-- All but the seconds that are left.
CREATE VIEW test.whoami AS
SELECT source, database_role, issuer, user_id, org_id, org_role, seconds_left > 3600 AS hours_left, problems FROM clerk.whoami();
ALTER VIEW test.whoami SET (security_invoker = true);
GRANT SELECT ON test.whoami TO PUBLIC;
\x on
SET LOCAL ROLE authenticated;
SELECT * FROM test.whoami;
SELECT set_config('clerk.jwt', :'ada_token', true) <> '' AS set;
SELECT * FROM test.whoami;
SELECT set_config('clerk.jwt', :'stranger_token', true) <> '' AS set;
SELECT * FROM test.whoami;
SELECT set_config('clerk.jwt', :'pending_token', true) <> '' AS set;
SELECT * FROM test.whoami;

SET LOCAL request.jwt.claims = '{"role": "anon"}';
SELECT * FROM test.whoami;
SET LOCAL clerk.jwt = '';
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.elsewhere.example", "sub": "user_ada", "sid": "sess_1"}';
SELECT * FROM test.whoami;
SET LOCAL request.jwt.claims = 'not JSON';
SELECT * FROM test.whoami;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "mch_1"}';
SELECT * FROM test.whoami;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "sts": "pending"}';
SELECT * FROM test.whoami;

-- The most common mistake: a Clerk token without a role claim runs as anon.
RESET ROLE;
SET LOCAL ROLE anon;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "exp": 32503680000}';
SELECT * FROM test.whoami;

-- The keys that Supabase makes, in place of the user's token.
SET LOCAL request.jwt.claims = '{"iss": "supabase-demo", "role": "anon", "iat": 1641769200, "exp": 1799535600}';
SELECT problems FROM test.whoami;
RESET ROLE;
SET LOCAL request.jwt.claims = '{"iss": "supabase", "role": "service_role"}';
SELECT problems FROM test.whoami;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "exp": 32503680000}';

-- Policies do not apply to a superuser; and without an instance nobody is anybody.
RESET ROLE;
SELECT problems FROM test.whoami;
SELECT clerk.remove_instance('https://clerk.test.example');
SET LOCAL ROLE authenticated;
SELECT * FROM test.whoami;
RESET ROLE;
ROLLBACK;
