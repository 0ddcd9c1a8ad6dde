-- configure() and its companions, without a network.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

SET LOCAL ROLE administrator;
CREATE TEMPORARY VIEW instances AS
SELECT issuer, other_issuers, environment, publishable_key, jwks_url, authorized_parties, allow_missing_azp, audiences,
       accept_template_tokens, treat_pending_as_signed_out
FROM clerk.instances ORDER BY issuer;
\x on
SELECT * FROM instances;
-- An omitted argument leaves its setting alone.
SELECT * FROM clerk.configure(authorized_parties => ARRAY['https://app.example', NULL], audiences => ARRAY['https://api.example']);
SELECT * FROM clerk.configure(allow_missing_azp => true);
SELECT * FROM clerk.configure(accept_template_tokens => true, treat_pending_as_signed_out => false);
SELECT * FROM instances;
SELECT warnings FROM clerk.configure(authorized_parties => '{}', audiences => '{}', allow_missing_azp => false);
SELECT * FROM instances;

-- A second instance; the environments differ.
SELECT * FROM test.fault($$SELECT clerk.configure(issuer => 'https://a-b-13.clerk.accounts.dev', jwks_url => '')$$);
SELECT * FROM clerk.configure(publishable_key => 'pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk', jwks_url => '', additional => true);
SELECT * FROM test.fault('SELECT clerk.configure(allow_missing_azp => true)');
SELECT * FROM test.fault($$SELECT clerk.configure(issuer => 'https://clerk.test.example', other_issuers => ARRAY['https://foo-bar-13.clerk.accounts.dev'])$$);
SELECT clerk.remove_instance('https://foo-bar-13.clerk.accounts.dev');

-- A change of domain: both issuers are one instance, and its keys stay.
SELECT * FROM clerk.configure(issuer => 'https://clerk.new.example', jwks_url => '', other_issuers => ARRAY['https://clerk.test.example']);
SELECT * FROM instances;
SELECT clerk.verify_jwt(:'ada_token') ->> 'iss' AS iss;

\x off
-- What makes no sense is refused.
SELECT arguments, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[
    $$publishable_key => 'sk_test_abc'$$, $$publishable_key => 'pk_live_'$$, $$publishable_key => 'pk_test_Zm9v'$$,
    $$issuer => 'clerk.example.com'$$, $$issuer => 'http://clerk.example.com'$$, $$issuer => 'https://clerk.example.com/'$$,
    $$issuer => 'https://ada:secret@clerk.example.com'$$, $$issuer => 'https://clerk.exam ple.com'$$, $$issuer => ''$$,
    $$jwks_url => 'ftp://clerk.example.com'$$, $$jwks_url => 'http://example.com/jwks.json'$$
]) AS arguments, test.fault(format('SELECT clerk.configure(%s)', arguments)) AS fault \gx

-- Keys that are not fit to verify with.
SELECT what, fault.code, fault.message
FROM (VALUES
    (1, 'private', jsonb_build_array(:'key'::jsonb || '{"d": "AQAB"}')),
    (2, 'symmetric', '[{"kty": "oct", "k": "c2VjcmV0", "kid": "ins_test"}]'),
    (3, 'short', jsonb_build_array(:'key'::jsonb || jsonb_build_object('n', left(:'key'::jsonb ->> 'n', 168)))),
    (4, 'twice', jsonb_build_array(:'key'::jsonb, :'key'::jsonb)),
    (5, 'without a kid', jsonb_build_array(:'key'::jsonb - 'kid')),
    (6, 'for encryption', jsonb_build_array(:'key'::jsonb || '{"use": "enc"}')),
    (7, 'none', '[]')
) AS bad (number, what, keys),
    test.fault(format('SELECT clerk.import_jwks(%L, %L)', 'https://clerk.test.example', jsonb_build_object('keys', keys))) AS fault
ORDER BY number;
SELECT * FROM test.fault($$SELECT clerk.import_jwks('https://clerk.test.example', '[]')$$) \gx
SELECT * FROM test.fault($$SELECT clerk.import_jwks('https://clerk.elsewhere.example', '{"keys": []}')$$) \gx
SELECT clerk.import_jwks(NULL, '{}') IS NULL AS of_null;

-- The key set is replaced whole; the instance's tokens are good for as long as their key is known.
SELECT issuer, kid, alg, origin FROM clerk.jwks;
SELECT clerk.import_jwks('https://clerk.test.example', jsonb_build_object('keys', jsonb_build_array(:'key'::jsonb || '{"kid": "ins_new"}')));
SELECT issuer, kid, alg, origin FROM clerk.jwks;
SELECT code, detail FROM test.fault(format('SELECT clerk.verify_jwt(%L)', :'ada_token'));

SELECT * FROM test.fault('SELECT clerk.refresh_jwks()') \gx
SELECT * FROM test.fault($$SELECT clerk.refresh_jwks('https://clerk.new.example')$$) \gx
SELECT * FROM test.fault($$SELECT clerk.refresh_jwks('https://clerk.elsewhere.example')$$) \gx
SELECT * FROM test.fault($$SELECT clerk.set_identity_source('cookie')$$) \gx

SELECT clerk.set_identity_source('token');
SELECT clerk.set_identity_source('auto');
SELECT * FROM clerk.settings;
SELECT clerk.remove_instance(NULL), clerk.set_identity_source(NULL);
SELECT clerk.remove_instance('https://clerk.test.example');
SELECT (SELECT count(*) FROM clerk.instances) AS instances, (SELECT count(*) FROM clerk.jwks) AS keys;
SELECT * FROM test.fault($$SELECT clerk.remove_instance('https://clerk.test.example')$$) \gx
SELECT * FROM test.fault('SELECT clerk.configure()') \gx
RESET ROLE;
ROLLBACK;
