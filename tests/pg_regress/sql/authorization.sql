-- has() and its parts, by the rules of Clerk's SDKs.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

SET LOCAL ROLE authenticated;
SELECT set_config('request.jwt.claims', '{
    "iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "v": 2, "fva": [5, -1],
    "fea": "o:posts,u:export,uo:search", "pla": "o:pro,u:basic",
    "o": {"id": "org_acme", "rol": "admin", "per": "read,write", "fpm": "3,0,1"}
}', true) <> '' AS set;

SELECT role, clerk.has_role(role)
FROM unnest(ARRAY['admin', 'org:admin', 'org:org:admin', 'member', 'Admin', 'org:', '', NULL]) WITH ORDINALITY AS asked (role, number)
ORDER BY number;
SELECT permission, clerk.has_permission(permission)
FROM unnest(ARRAY[
    'org:posts:read', 'posts:write', 'org:search:read', 'org:search:write', 'org:export:read', 'org:posts', 'posts', 'org:posts:delete',
    'org:sys_memberships:read', '', NULL
]) WITH ORDINALITY AS asked (permission, number)
ORDER BY number;
SELECT feature, clerk.has_feature(feature)
FROM unnest(ARRAY[
    'posts', 'export', 'search', 'o:posts', 'org:posts', 'organization:posts', 'u:posts', 'user:export', 'o:export', 'o:search', 'u:search',
    'x:posts', 'posts:read', 'other', 'o:', '', NULL
]) WITH ORDINALITY AS asked (feature, number)
ORDER BY number;
SELECT plan, clerk.has_plan(plan)
FROM unnest(ARRAY['pro', 'basic', 'org:pro', 'user:pro', 'user:basic', 'free', '', NULL]) WITH ORDINALITY AS asked (plan, number)
ORDER BY number;

-- All that is asked must hold; '*' is not asked, NULL is false, asking nothing is false.
SELECT clerk.has(role => 'admin', permission => 'posts:read', feature => 'export', plan => 'pro', reverification => 'strict') AS all_five,
       clerk.has(role => 'admin', plan => 'free') AS one_fails, clerk.has(role => '*', plan => 'pro') AS not_asked,
       clerk.has(role => NULL, plan => 'pro') AS of_null, clerk.has() AS nothing;

-- Reverification: an age of exactly the minutes is too old; without a second factor the first one counts.
SELECT fva, clerk.has_reverification('strict') AS strict, clerk.has_reverification('moderate') AS moderate,
       clerk.has_reverification('lax') AS lax, clerk.has_reverification('strict_mfa') AS strict_mfa,
       clerk.has_reverification('first_factor', 5) AS first_5, clerk.has_reverification('first_factor', 6) AS first_6,
       clerk.has_reverification('multi_factor', 60) AS multi_60
FROM unnest(ARRAY[
         '[5, -1]', '[9, 10]', '[10, 9]', '[60, 59]', '[-1, 0]', '[-1, -1]', '[0, 1439]', '[0, 1440]', '["0", "0"]', '[0]', 'null'
     ]) AS fva,
     set_config('request.jwt.claims', format(
         '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "fva": %s}', fva), true);

-- A demand nobody can meet is a mistake of the policy, also when nobody is signed in.
SET LOCAL request.jwt.claims = '';
SELECT statement, fault.code, fault.message
FROM unnest(ARRAY[
    $$SELECT clerk.has_reverification('stricter')$$, $$SELECT clerk.has_reverification('first_factor')$$,
    $$SELECT clerk.has_reverification('first_factor', 0)$$, $$SELECT clerk.has_reverification('strict', 5)$$,
    $$SELECT clerk.has(reverification => 'second_factor:soon')$$, $$SELECT clerk.has(reverification => 'strict:5')$$
]) AS statement, test.fault(statement) AS fault \gx
SELECT clerk.has_reverification(NULL) AS of_null, clerk.has_reverification('strict') AS nobody;
RESET ROLE;
ROLLBACK;
