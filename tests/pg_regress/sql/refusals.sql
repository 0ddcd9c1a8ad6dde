-- Claims of a configured issuer that are no session's: class 28 with Clerk's reason in DETAIL.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

SET LOCAL ROLE authenticated;
\x on
SELECT what, fault.*
FROM (VALUES
    (1, 'no session id: a template token', '{"iss": "https://clerk.test.example", "sub": "user_ada"}'),
    (2, 'an empty session id', '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": ""}'),
    (3, 'a session id that is null', '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": null}'),
    (4, 'no subject', '{"iss": "https://clerk.test.example", "sid": "sess_1"}'),
    (5, 'an empty subject', '{"iss": "https://clerk.test.example", "sub": "", "sid": "sess_1"}'),
    (6, 'a subject that is a number', '{"iss": "https://clerk.test.example", "sub": 1, "sid": "sess_1"}'),
    (7, 'a machine', '{"iss": "https://clerk.test.example", "sub": "mch_1", "jti": "mt_1"}'),
    (8, 'an OAuth access token', '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "client_id": "c"}'),
    (9, 'an ID token', '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "aud": "client_1"}'),
    (10, 'an audience that is no text', '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "aud": {}}')
) AS bad (number, what, claims), test.fault_of_claims(claims) AS fault
ORDER BY number;

-- The helpers, has_…() and claim() agree that this is nobody to answer for.
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada"}';
SELECT statement, fault.code, fault.detail
FROM unnest(ARRAY[
    'SELECT clerk.current_user_id()', 'SELECT clerk.current_session_id()', 'SELECT clerk.current_org_id()',
    'SELECT clerk.current_org_slug()', 'SELECT clerk.current_org_role()', 'SELECT clerk.current_org_permissions()',
    'SELECT clerk.current_actor_id()', 'SELECT clerk.current_claims()', 'SELECT clerk.claim(''sub'')',
    'SELECT clerk.has_role(''admin'')', 'SELECT clerk.has_permission(''a:b'')', 'SELECT clerk.has_feature(''a'')',
    'SELECT clerk.has_plan(''a'')', 'SELECT clerk.has_reverification(''strict'')', 'SELECT clerk.has(role => ''admin'')'
]) AS statement, test.fault(statement) AS fault;

-- Authorized parties.
RESET ROLE;
SELECT environment FROM clerk.configure(authorized_parties => ARRAY['https://app.example']);
SET LOCAL ROLE authenticated;
SELECT fault.* FROM test.fault_of_claims('{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "azp": "https://evil.example"}') AS fault;
SELECT fault.* FROM test.fault_of_claims('{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1"}') AS fault;
SELECT fault.* FROM test.fault_of_claims('{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "azp": "https://app.example"}') AS fault;

-- What an instance may allow.
RESET ROLE;
SELECT environment FROM clerk.configure(
    authorized_parties => '{}', audiences => ARRAY['https://api.example'], accept_template_tokens => true,
    treat_pending_as_signed_out => false);
SET LOCAL ROLE authenticated;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "aud": ["https://api.example"], "org_id": "org_acme", "org_role": "org:admin"}';
SELECT clerk.current_user_id(), clerk.current_session_id() IS NULL AS no_session, clerk.current_org_id() IS NULL AS no_organization,
       clerk.has_role('admin');
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "sts": "pending"}';
SELECT clerk.current_user_id();
RESET ROLE;
ROLLBACK;
