-- Tokens that are verified here: verify_jwt(), clerk.jwt, authenticate() and where identity comes from.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

SET LOCAL ROLE administrator;
SELECT clerk.verify_jwt(:'ada_token');
SELECT clerk.verify_jwt(NULL) IS NULL AS of_null, clerk.verify_jwt(:'template_token', 'template') ->> 'sub' AS template,
       clerk.verify_jwt(:'m2m_token', 'm2m') ->> 'sub' AS m2m, clerk.verify_jwt(:'oauth_token', 'oauth') ->> 'sub' AS oauth;

\x on
-- Each refusal once.
SELECT what, fault.*
FROM (VALUES
    (1, 'expired', :'expired_token', 'session'),
    (2, 'signed by a stranger', :'stranger_token', 'session'),
    (3, 'of an unknown key', :'unknown_key_token', 'session'),
    (4, 'of an unknown issuer', :'foreign_token', 'session'),
    (5, 'a template token', :'template_token', 'session'),
    (6, 'an M2M token', :'m2m_token', 'session'),
    (7, 'an OAuth token', :'oauth_token', 'session'),
    (8, 'a session token as an M2M token', :'ada_token', 'm2m'),
    (9, 'a session token as an OAuth token', :'ada_token', 'oauth'),
    (10, 'empty', '', 'session'),
    (11, 'no JWT', 'Bearer abc', 'session'),
    (12, 'opaque', 'mt_0123456789', 'session'),
    (13, 'encrypted', 'a.b.c.d.e', 'session'),
    (14, 'of an unknown type', :'ada_token', 'cookie')
) AS bad (number, what, token, type),
    LATERAL (
        SELECT f.code, f.detail, regexp_replace(f.message, '\(\d+ s (ago|from now)\)', '(… s \1)') AS message, f.hint
        FROM test.fault(format('SELECT clerk.verify_jwt(%L, %L)', token, type)) AS f
    ) AS fault
ORDER BY number;
\x off

-- clerk.jwt needs no privilege, only a genuine token.
RESET ROLE;
SET LOCAL ROLE authenticated;
SELECT set_config('clerk.jwt', :'ada_token', true) <> '' AS set;
SELECT clerk.current_user_id(), clerk.current_org_role(), clerk.has_permission('org:documents:write');
-- A faulty one is an error, never another identity.
SELECT set_config('clerk.jwt', :'stranger_token', true) <> '' AS set;
SELECT code, detail FROM test.fault('SELECT clerk.current_user_id()');
SELECT set_config('clerk.jwt', :'expired_token', true) <> '' AS set;
SELECT code, detail FROM test.fault('SELECT clerk.current_user_id()');
SELECT code, detail FROM test.fault($$SELECT clerk.has_role('admin')$$);
SELECT set_config('clerk.jwt', :'pending_token', true) <> '' AS set;
SELECT clerk.current_user_id() IS NULL AS nobody;

SELECT clerk.authenticate(:'grace_token');
SELECT clerk.current_user_id(), clerk.current_org_role();
-- A refused token changes nothing; a pending session signs in nobody.
SELECT code, detail FROM test.fault(format('SELECT clerk.authenticate(%L)', :'stranger_token'));
SELECT clerk.current_user_id();
SELECT clerk.authenticate(:'pending_token') IS NULL AS pending, clerk.current_user_id() IS NULL AS nobody;
SELECT clerk.authenticate(:'ada_token');
SELECT clerk.authenticate(NULL) IS NULL AS of_null, clerk.current_user_id();
SELECT clerk.clear_authentication();
SELECT clerk.current_user_id() IS NULL AS nobody;

-- auto: what PostgREST set counts, and a token that was left behind does not.
SELECT set_config('clerk.jwt', :'ada_token', true) <> '' AS set;
SET LOCAL request.jwt.claims = '{"role": "anon"}';
SELECT clerk.current_user_id() IS NULL AS nobody;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_grace", "sid": "sess_2"}';
SELECT clerk.current_user_id();
SELECT * FROM test.fault(format('SELECT clerk.authenticate(%L)', :'ada_token')) \gx

-- token: forged claims do not count.
RESET ROLE;
SELECT clerk.set_identity_source('token');
SET LOCAL ROLE authenticated;
SELECT clerk.current_user_id();
SET LOCAL clerk.jwt = '';
SELECT clerk.current_user_id() IS NULL AS nobody;

-- claims: tokens do not count.
RESET ROLE;
SELECT clerk.set_identity_source('claims');
SET LOCAL ROLE authenticated;
SELECT set_config('clerk.jwt', :'ada_token', true) <> '' AS set;
SELECT clerk.current_user_id();
SET LOCAL request.jwt.claims = '';
SELECT clerk.current_user_id() IS NULL AS nobody;
RESET ROLE;
ROLLBACK;
