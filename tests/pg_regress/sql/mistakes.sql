-- Ordinary mistakes about instances, keys, tokens and policies, and what a person is told.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

SET LOCAL ROLE administrator;
-- Origins that no browser sends.
SELECT party, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[
    'https://app.example.com/', 'https://app.example.com/dashboard', 'app.example.com', '*', 'https://*.example.com',
    'https://a.example.com,https://app.example.com', 'https://App.example.com', 'https://app.example.com:443', ''
]) WITH ORDINALITY AS pasted (party, number),
    test.fault(format('SELECT clerk.configure(authorized_parties => %L)', ARRAY[party])) AS fault
ORDER BY number \gx
-- Blanks and line ends around a value are dropped.
SELECT warnings FROM clerk.configure(authorized_parties => ARRAY[E' https://app.example.com\n']);
SELECT authorized_parties FROM clerk.instances;

-- A token without azp, as a browser's first request has it, and one of another origin.
SELECT what, fault.code, fault.message, fault.detail, fault.hint
FROM (VALUES
    (1, 'no azp', '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "v": 2}'),
    (2, 'another', '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "azp": "https://b.example.com"}')
) AS bad (number, what, claims), LATERAL set_config('request.jwt.claims', claims, true) AS set,
    test.fault('SELECT clerk.current_user_id()' || left(set, 0)) AS fault
ORDER BY number \gx
SET LOCAL request.jwt.claims = '';

-- Other addresses of Clerk's in place of the issuer.
SELECT issuer, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[
    'https://happy-otter-12.clerk.accounts.dev/.well-known/jwks.json', 'https://Happy-Otter-12.clerk.accounts.dev',
    'https://happy-otter-12.accounts.dev', 'https://dashboard.clerk.com/apps/app_1/instances/ins_1', 'https://api.clerk.com/v1/jwks',
    'https://clerk.example.com:443', 'http://clerk.example.com', 'clerk.example.com', 'pk_test_Zm9v', 'sk_test_secret'
]) WITH ORDINALITY AS pasted (issuer, number),
    test.fault(format('SELECT clerk.configure(issuer => %L, jwks_url => '''', additional => true)', issuer)) AS fault
ORDER BY number \gx

-- A development instance that is replaced by production.
SAVEPOINT one_instance;
SELECT clerk.remove_instance('https://clerk.test.example');
SELECT issuer, environment FROM clerk.configure(publishable_key => 'pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk', jwks_url => '');
SELECT what, fault.code, fault.message, fault.hint
FROM (VALUES
    (1, 'the key alone', $$publishable_key => 'pk_live_Y2xlcmsuZXhhbXBsZS5jb20k'$$),
    (2, 'the key, and the old issuer as another', $$publishable_key => 'pk_live_Y2xlcmsuZXhhbXBsZS5jb20k', other_issuers => ARRAY['https://foo-bar-13.clerk.accounts.dev']$$),
    (3, 'the issuer, and the old one as another', $$issuer => 'https://clerk.example.com', other_issuers => ARRAY['https://foo-bar-13.clerk.accounts.dev']$$),
    (4, 'the new issuer as another', $$other_issuers => ARRAY['https://clerk.example.com']$$)
) AS wrong (number, what, arguments), test.fault(format('SELECT clerk.configure(%s)', arguments)) AS fault
ORDER BY number \gx
-- What the hint says.
SELECT clerk.remove_instance('https://foo-bar-13.clerk.accounts.dev');
SELECT issuer, environment FROM clerk.configure(publishable_key => 'pk_live_Y2xlcmsuZXhhbXBsZS5jb20k', jwks_url => '');
ROLLBACK TO one_instance;

-- Fetching is given up while there are keys that were fetched.
RESET ROLE;
UPDATE clerk.instances SET jwks_url = 'https://clerk.test.example/.well-known/jwks.json';
UPDATE clerk.jwks SET origin = 'fetched';
SET LOCAL ROLE administrator;
SELECT * FROM test.fault($$SELECT clerk.configure(jwks_url => '')$$) \gx
SELECT count(*) FROM clerk.jwks;
SELECT clerk.import_jwks('https://clerk.test.example', jsonb_build_object('keys', jsonb_build_array(:'key'::jsonb))::text);
SELECT jwks_url, keys FROM clerk.configure(jwks_url => '');

-- A public key as PEM, which Clerk's dashboard and CLERK_JWT_KEY have.
\set pem '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuOy3cGlUBYV9mzWGdsnC\nmlqTEksnZR7oQIWwKnIOZAWgWW9eu6mIef/mz8xqKy/2X7qw979Y5ep2/rrHBlqW\nsYMRzRc2z89Hzr9bi8y6S/OKHxtWieyA4WKbZGV8DhcoTzyT5tQUK6Mz4yAKIPQx\nL1vB5aDOvrb3kiA5oi4UvxPp22hHkhao37+3FU/i0M+Cdx3xkd/s1qlgJBJQ1+Ki\nkMGlxGSC7v8KNB4mpZN/CnaoaDWAWYhkuJ/q6+j6mySdp1VTnZ/kuBjP8UYZPA6i\nEbejjCrPtlcngF3sRqCCcZQaWkbTDVTZ3d1Xf5QOXtu/yYk9qAxjXf7x+fS9AbSQ\n1QIDAQAB\n-----END PUBLIC KEY-----'
SELECT what, fault.code, fault.message, fault.hint
FROM (VALUES (1, 'no kid', :'pem', NULL), (2, 'cut', left(:'pem', 300), 'ins_test'), (3, 'as a variable', 'CLERK_JWT_KEY=' || :'pem', 'ins_test'))
    AS wrong (number, what, keys, kid),
    test.fault(format('SELECT clerk.import_jwks(%L, %L, %L)', 'https://clerk.test.example', keys, kid)) AS fault
ORDER BY number \gx
SELECT clerk.import_jwks('https://clerk.test.example', :'pem', 'ins_test');
SELECT kid, alg, origin, n = :'key'::jsonb ->> 'n' AS same_modulus, e = :'key'::jsonb ->> 'e' AS same_exponent FROM clerk.jwks;
SELECT environment FROM clerk.configure(authorized_parties => '{}');
SELECT clerk.verify_jwt(:'ada_token') ->> 'sub' AS sub;
SELECT * FROM test.fault(format('SELECT clerk.import_jwks(%L, %L, %L)', 'https://clerk.test.example',
    jsonb_build_object('keys', jsonb_build_array(:'key'::jsonb)), 'ins_test')) \gx

-- A template's token in place of a session's.
RESET ROLE;
SELECT * FROM test.fault(format('SELECT clerk.authenticate(%L)', :'template_token')) \gx
SET LOCAL ROLE administrator;

-- How far the clocks may be apart.
SELECT clock_skew_seconds FROM clerk.settings;
SELECT environment FROM clerk.configure(clock_skew_seconds => 60);
SELECT clock_skew_seconds FROM clerk.settings;
SELECT seconds, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[-1, 61]) AS seconds, test.fault(format('SELECT clerk.configure(clock_skew_seconds => %s)', seconds)) AS fault \gx

-- In policies: paths as one text, minutes that are no number.
SELECT statement, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[
    $$SELECT clerk.claim('metadata->>plan')$$, $$SELECT clerk.claim('metadata->''a''->>''b''')$$, $$SELECT clerk.claim('metadata.plan')$$,
    $$SELECT clerk.has(reverification => 'lax:5m')$$, $$SELECT clerk.has(reverification => 'first_factor:5m')$$,
    $$SELECT clerk.has(reverification => '')$$
]) WITH ORDINALITY AS policy (statement, number), test.fault(statement) AS fault
ORDER BY number \gx

-- Whoever has nothing to ask for is denied; what is left out is not asked.
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "org_id": "org_1", "org_role": "admin"}';
SELECT clerk.has(role => 'admin') AS role, clerk.has(role => 'admin', permission => '') AS empty_permission,
       clerk.has(role => 'admin', feature => '') AS empty_feature, clerk.has(role => 'admin', plan => '') AS empty_plan,
       clerk.has(role => '') AS empty_role, clerk.has(role => 'admin', permission => '*') AS not_asked;

-- Agents and people who impersonate.
SELECT act, clerk.current_actor_id(), clerk.current_actor_type()
FROM unnest(ARRAY['null', '{"sub": "user_boss"}', '{"sub": "agent_1", "type": "agent"}', '{"sub": "user_boss", "type": "other"}']) AS act,
     set_config('request.jwt.claims', format(
         '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "act": %s}', act), true);
RESET ROLE;
ROLLBACK;
