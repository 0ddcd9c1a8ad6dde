-- expose_api() and hide_api(): what PostgREST may show.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
DO $$ BEGIN
    PERFORM clerk.grant_reader('authenticated');
END $$;
-- As in a Supabase project, where the API's roles get everything that is made in public.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated;
\pset format unaligned
-- What is there, with the rights of others than the owner.
CREATE VIEW test.exposed AS
SELECT p.pronamespace::regnamespace AS schema, format('%s %s, %s%s', p.oid::regprocedure, p.prorettype::regtype, l.lanname,
        CASE p.provolatile WHEN 's' THEN ', stable' WHEN 'v' THEN ', volatile' END) AS object,
    NOT p.prosecdef AS as_caller, p.proconfig AS options, p.proargnames AS argument_names, obj_description(p.oid, 'pg_proc') AS comment,
    (SELECT string_agg(acl::text, ' ' ORDER BY acl::text COLLATE "C") FROM unnest(p.proacl) AS acl
     WHERE NOT starts_with(acl::text, 'postgres=')) AS acl
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.proname ~ '^clerk_'
UNION ALL
SELECT c.relnamespace::regnamespace, c.oid::regclass::text, 'security_invoker=on' = ANY (c.reloptions), c.reloptions, NULL, obj_description(c.oid, 'pg_class'),
    (SELECT string_agg(acl::text, ' ' ORDER BY acl::text COLLATE "C") FROM unnest(c.relacl) AS acl
     WHERE NOT starts_with(acl::text, 'postgres='))
FROM pg_class AS c WHERE c.relname ~ '^clerk_' AND c.relkind IN ('r', 'v');
-- Which schemas show what, and who may take deliveries in.
CREATE VIEW test.state AS
SELECT coalesce((SELECT string_agg(format('%s: %s', schema, objects), '; ' ORDER BY schema)
        FROM (SELECT schema::text, string_agg(split_part(split_part(object, '(', 1), '.', -1), ' ' ORDER BY object) AS objects
              FROM test.exposed GROUP BY schema) AS by_schema), 'nothing') AS exposed,
    has_function_privilege('anon', 'clerk.receive_webhook(text, jsonb)', 'EXECUTE') AS anon_delivers;
\set ECHO all

-- All of it, in public. Everything runs as its caller, and exactly whom it is for may use it.
SELECT clerk.expose_api();
SELECT object, as_caller, options, argument_names, acl FROM test.exposed ORDER BY object COLLATE "C";
SELECT comment FROM test.exposed ORDER BY object COLLATE "C";
SELECT * FROM test.state;

-- Once more changes nothing, and takes back what others were given meanwhile. Now there is a service_role.
CREATE TEMPORARY TABLE before AS SELECT * FROM test.exposed;
GRANT ALL ON public.clerk_me TO PUBLIC;
GRANT ALL ON public.clerk_me TO anon WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION public.clerk_ensure_current_user() TO anon;
CREATE ROLE service_role;
SELECT clerk.expose_api();
SELECT object, acl FROM (TABLE test.exposed EXCEPT TABLE before) AS changed;

-- They do their work.
SET LOCAL ROLE anon;
SET LOCAL request.jwt.claims = '{"role": "anon"}';
SELECT clerk_webhook('{}')::jsonb - 'message' AS answer, current_setting('response.status') AS status;
SET LOCAL request.headers = '';
SELECT clerk_webhook('{}')::jsonb - 'message' AS answer, current_setting('response.status') AS status;
SET LOCAL request.headers = '{"svix-id": "msg_1", "svix-timestamp": "soon", "svix-signature": "v1,AAAA"}';
SELECT clerk_webhook('{}')::jsonb - 'message' AS answer, current_setting('response.status') AS status;
SET LOCAL request.headers = 'not JSON';
SELECT clerk_webhook('{}')::jsonb - 'message' AS answer, current_setting('response.status') AS status;
SET LOCAL request.headers = '["an array"]';
SELECT clerk_webhook('[]')::jsonb - 'message' AS answer, current_setting('response.status') AS status;
SET LOCAL request.headers = '{"svix-id": "\u0000"}';
SELECT clerk_webhook(NULL)::jsonb - 'message' AS answer, current_setting('response.status') AS status;
SET LOCAL request.headers = '{"svix-id": "msg_1", "svix-timestamp": "0", "svix-signature": "v1,AAAA"}';
SELECT clerk_webhook(to_json(repeat('x', 1048577)))::jsonb - 'message' AS answer, current_setting('response.status') AS status;
SELECT statement, fault.code, fault.message
FROM unnest(ARRAY['SELECT FROM clerk_me', 'SELECT FROM clerk_profiles', 'SELECT FROM clerk_my_organizations',
    'SELECT clerk_ensure_current_user()', 'SELECT clerk.ensure_current_user()', 'SELECT clerk.apply_event(''{}'')']) AS statement,
    test.fault(statement) AS fault;
SELECT clerk_whoami()->>'problems' AS problems;
RESET ROLE;
SELECT set_config('request.jwt.claims', '', true), set_config('clerk.jwt', :'ada_token', true) <> '' AS ada \gset
SET LOCAL ROLE authenticated;
SELECT clerk_ensure_current_user();
SELECT id FROM clerk_me;
SELECT id FROM clerk_profiles;
SELECT id FROM clerk_my_organizations;
SELECT clerk_whoami()->>'user_id' AS user_id;
SELECT fault.code, fault.message FROM test.fault('SELECT clerk_webhook(''{}'')') AS fault;
SELECT fault.code, fault.message FROM test.fault('UPDATE clerk_me SET first_name = ''''') AS fault;
RESET ROLE;

-- In two schemas; one of them with a name that must be quoted. Only the last to go takes anon's right with it.
CREATE SCHEMA "An ""API""";
SELECT clerk.expose_api('An "API"', ARRAY['clerk_webhook', 'clerk_me']);
SELECT * FROM test.state;
GRANT USAGE ON SCHEMA "An ""API""" TO anon, authenticated, service_role;
SELECT clerk.expose_api('An "API"', ARRAY['clerk_me']);
SELECT clerk.hide_api();
SELECT * FROM test.state;
SELECT clerk.hide_api('An "API"');
SELECT * FROM test.state;
SELECT clerk.hide_api();
-- Without the webhook, anon is not let in.
SELECT clerk.expose_api(include => ARRAY['clerk_profiles', 'clerk_whoami']);
SELECT * FROM test.state;
SELECT clerk.expose_api(include => '{}');
SELECT clerk.hide_api();

-- What cannot be.
\pset null NULL
SELECT argument, fault.code, fault.message, fault.hint
FROM unnest(ARRAY['''public'', ''{clerk_me,clerk_you}''', '''public'', ''{NULL}''', '''clerk''', '''pg_catalog''', '''pg_temp''',
    '''information_schema''', '''nowhere''', '''Public''', 'NULL']) AS argument, test.fault(format('SELECT clerk.expose_api(%s)', argument)) AS fault;
SELECT argument, fault.code, fault.message
FROM unnest(ARRAY['''clerk''', '''nowhere''', 'NULL']) AS argument, test.fault(format('SELECT clerk.hide_api(%s)', argument)) AS fault;

-- What has the name and is not ours is left alone, and so is what others passed off as ours. Functions differ by arguments too.
CREATE FUNCTION public.clerk_webhook(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
SELECT clerk.expose_api(include => ARRAY['clerk_webhook', 'clerk_me']);
SELECT clerk.hide_api();
DROP FUNCTION public.clerk_webhook;
CREATE TABLE public.clerk_me (mine text);
SELECT fault.* FROM test.fault('SELECT clerk.expose_api()') AS fault;
DROP TABLE public.clerk_me;
GRANT CREATE ON SCHEMA public TO anon;
SET LOCAL ROLE anon;
CREATE FUNCTION public.clerk_webhook(json) RETURNS json LANGUAGE sql AS 'SELECT $1';
COMMENT ON FUNCTION public.clerk_webhook IS 'Made by clerk.expose_api(); clerk.hide_api() removes it.';
RESET ROLE;
SELECT fault.* FROM test.fault('SELECT clerk.expose_api()') AS fault;
SELECT clerk.hide_api();
SELECT * FROM test.state;
DROP FUNCTION public.clerk_webhook;

-- What something depends on is not torn away.
SELECT clerk.expose_api();
CREATE VIEW public.mine AS SELECT id FROM public.clerk_me;
SELECT fault.code, fault.message FROM test.fault('SELECT clerk.hide_api()') AS fault;
SELECT * FROM test.state;

-- It is the owner's to decide.
SET LOCAL ROLE administrator;
SELECT statement, fault.code, fault.message
FROM unnest(ARRAY['SELECT clerk.expose_api()', 'SELECT clerk.hide_api()', 'SELECT clerk.exposed_api()', 'SELECT clerk.api_objects()',
    'SELECT clerk.check_api(''public'')', 'SELECT clerk.make_api_object(''public'', ''clerk_me'')', 'SELECT clerk.grant_reader(''anon'')',
    'SELECT clerk.revoke_reader(''anon'')', 'SELECT clerk.grant_service(''anon'')', 'SELECT clerk.revoke_service(''anon'')',
    'SELECT clerk.change_reader(''anon'', true)', 'SELECT clerk.change_service(''anon'', true)',
    'SELECT clerk.change_grants(''anon'', true, ''{}'', ''{}'')']) AS statement, test.fault(statement) AS fault;
RESET ROLE;
ROLLBACK;
