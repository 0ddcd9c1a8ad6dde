-- inspect_jwt(): every check of a token, and never an error.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

CREATE FUNCTION test.inspect(token text) RETURNS TABLE (name text, passed boolean, detail text)
LANGUAGE sql AS $$
    SELECT i."check", i.passed, regexp_replace(i.detail, '\(\d+ s (ago|from now)\)', '(… s \1)')
    FROM clerk.inspect_jwt(token) AS i
$$;
SET LOCAL ROLE administrator;
\pset format unaligned
SELECT * FROM test.inspect(:'ada_token');
SELECT * FROM test.inspect(:'expired_token') WHERE NOT passed;
SELECT * FROM test.inspect(:'stranger_token') WHERE NOT passed;
SELECT * FROM test.inspect(:'unknown_key_token') WHERE NOT passed;
SELECT * FROM test.inspect(:'foreign_token') WHERE NOT passed;
SELECT * FROM test.inspect(:'template_token') WHERE NOT passed;
SELECT * FROM test.inspect(:'m2m_token') WHERE NOT passed;
SELECT * FROM test.inspect(:'oauth_token') WHERE NOT passed;
SELECT bad.*, i.* FROM unnest(ARRAY['', 'abc', 'a.b', '..', 'e30.e30.', '*.e30.e30', 'mt_1']) AS bad (token), test.inspect(token) AS i;
SELECT count(*) AS of_null FROM clerk.inspect_jwt(NULL);
RESET ROLE;
ROLLBACK;
