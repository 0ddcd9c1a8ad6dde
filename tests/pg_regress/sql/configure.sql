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
SELECT * FROM clerk.configure(authorized_parties => ARRAY['https://app.example'], audiences => ARRAY['https://api.example']);
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

-- What the mirror stores of it. Its id is known from the key.
CREATE TEMPORARY VIEW mirror AS
SELECT instance_id, mirror, exclude_fields, keep_private_metadata, keep_event_attributes FROM clerk.instances;
SELECT * FROM mirror;
SELECT warnings FROM clerk.configure(
    mirror => '{sessions,users,users}', exclude_fields => '{unsafe_metadata,users.phone_numbers}', keep_private_metadata => true,
    keep_event_attributes => true, instance_id => 'ins_another');
SELECT * FROM mirror;
SELECT warnings FROM clerk.configure(exclude_fields => '{}', instance_id => '');
SELECT * FROM mirror;

\x off
-- What makes no sense is refused.
SELECT arguments, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[
    $$publishable_key => 'sk_test_abc'$$, $$publishable_key => 'pk_live_'$$, $$publishable_key => 'pk_test_Zm9v'$$,
    $$issuer => 'clerk.example.com'$$, $$issuer => 'http://clerk.example.com'$$, $$issuer => 'https://clerk.example.com/'$$,
    $$issuer => 'https://ada:secret@clerk.example.com'$$, $$issuer => 'https://clerk.exam ple.com'$$, $$issuer => ''$$,
    $$jwks_url => 'ftp://clerk.example.com'$$, $$jwks_url => 'http://example.com/jwks.json'$$, $$mirror => '{users,people}'$$,
    $$mirror => '{users,organization_memberships}'$$, $$exclude_fields => '{users.id}'$$, $$exclude_fields => '{people.name}'$$,
    $$exclude_fields => '{users.public_metadata.plan}'$$, $$instance_id => 'org_acme'$$
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

-- Settings of the mirror and its ledger.
\x on
SELECT * FROM clerk.configure_mirror();
SELECT * FROM clerk.configure_mirror('remove', payload_retention => '10 days', event_retention => '20 days', max_attempts => 3, notify => true);
SELECT * FROM clerk.configure_mirror(payload_retention => '0', notify => NULL);
\x off
SELECT arguments, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[
    $$deleted_users => 'forget'$$, $$payload_retention => '-1 day'$$, $$event_retention => '6 days'$$, $$payload_retention => '21 days'$$,
    'max_attempts => 0'
]) AS arguments, test.fault(format('SELECT clerk.configure_mirror(%s)', arguments)) AS fault \gx
SELECT clerk.set_identity_source('claims');
SELECT * FROM clerk.settings \gx

-- Webhook signing secrets. This one is of the Standard Webhooks specification.
SELECT clerk.add_webhook_signing_secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
SELECT clerk.add_webhook_signing_secret('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
SELECT fingerprint, issuer, vault_name, last_used_at, usable FROM clerk.webhook_signing_secrets();
SELECT arguments, fault.code, fault.message, fault.hint
FROM unnest(ARRAY[
    $$''$$, $$'whsec_'$$, $$'whsec_AAAA'$$, $$'whsec_!'$$, $$'sk_live_x'$$, $$'vault:'$$, $$'vault:hook'$$,
    $$'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'https://clerk.elsewhere.example'$$
]) AS arguments, test.fault(format('SELECT clerk.add_webhook_signing_secret(%s)', arguments)) AS fault \gx
SELECT * FROM test.fault($$SELECT clerk.drop_webhook_signing_secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')$$) \gx
SELECT clerk.drop_webhook_signing_secret(fingerprint) FROM clerk.webhook_signing_secrets();
SELECT count(*) FROM clerk.webhook_signing_secrets();

-- The key set is replaced whole; the instance's tokens are good for as long as their key is known.
SELECT issuer, kid, alg, origin FROM clerk.jwks;
SELECT clerk.import_jwks('https://clerk.test.example', jsonb_build_object('keys', jsonb_build_array(:'key'::jsonb || '{"kid": "ins_new"}'))::text);
SELECT issuer, kid, alg, origin FROM clerk.jwks;
SELECT code, detail FROM test.fault(format('SELECT clerk.verify_jwt(%L)', :'ada_token'));

SELECT * FROM test.fault('SELECT clerk.refresh_jwks()') \gx
SELECT * FROM test.fault($$SELECT clerk.refresh_jwks('https://clerk.new.example')$$) \gx
SELECT * FROM test.fault($$SELECT clerk.refresh_jwks('https://clerk.elsewhere.example')$$) \gx
SELECT * FROM test.fault($$SELECT clerk.set_identity_source('cookie')$$) \gx

SELECT clerk.set_identity_source('token');
SELECT clerk.set_identity_source('auto');
SELECT identity_source FROM clerk.settings;
SELECT clerk.remove_instance(NULL), clerk.set_identity_source(NULL);
SELECT clerk.remove_instance('https://clerk.test.example');
SELECT (SELECT count(*) FROM clerk.instances) AS instances, (SELECT count(*) FROM clerk.jwks) AS keys;
SELECT * FROM test.fault($$SELECT clerk.remove_instance('https://clerk.test.example')$$) \gx
SELECT * FROM test.fault('SELECT clerk.configure()') \gx
SELECT * FROM test.fault($$SELECT clerk.add_webhook_signing_secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')$$) \gx
RESET ROLE;
ROLLBACK;
