-- Mistakes that people make with keys, webhooks and the mirror, and what they are told.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all
CREATE FUNCTION public.handle(event jsonb) RETURNS void LANGUAGE sql AS '';

CREATE FUNCTION test.told(mistake text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n  ', mistake, fault.code || ': ' || fault.message, fault.hint) FROM test.fault('SELECT ' || mistake) AS fault
$$;
\pset format unaligned
\pset tuples_only on

-- What stands around a key, a placeholder in its place, a part of it.
SELECT test.told(mistake) FROM unnest(ARRAY[
    $$clerk.set_secret_key('"sk_live_a1B2abcdefghijklmnopqrstuvwxyz0123456789AB"')$$,
    $$clerk.set_secret_key('CLERK_SECRET_KEY=sk_live_a1B2abcdefghijklmnopqrstuvwxyz0123456789AB')$$,
    $$clerk.set_secret_key('sk_live_...')$$,
    $$clerk.set_secret_key('sk_live_a1B2abcdefghijkl')$$,
    $$clerk.set_secret_key('sk_test_a1B2abcdefghijklmnopqrstuvwxyz0123456789AB')$$,
    $$clerk.add_webhook_signing_secret('''whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw''')$$,
    $$clerk.add_webhook_signing_secret('export CLERK_WEBHOOK_SIGNING_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"')$$,
    $$clerk.add_webhook_signing_secret('whsec_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx')$$,
    $$clerk.configure(publishable_key => '"pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk"')$$,
    $$clerk.configure(publishable_key => 'NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_test_Zm9vLWJhci0xMy5jbGVyay5hY2NvdW50cy5kZXYk')$$,
    $$clerk.configure(publishable_key => 'pk_live_...')$$,
    $$clerk.verify_jwt('Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.AA')$$,
    $$clerk.verify_jwt('"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.AA"')$$
]) AS mistake;
SET clerk.jwt = '''eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.AA''';
SELECT problems[1] FROM clerk.whoami();
RESET clerk.jwt;
-- Blanks and line ends do not matter.
SELECT clerk.set_secret_key(E' sk_live_a1B2abcdefghijklmnopqrstuvwxyz0123456789AB\n');
SELECT issuer FROM clerk.configure(publishable_key => E' pk_live_Y2xlcmsudGVzdC5leGFtcGxlJA\n');
SELECT publishable_key FROM clerk.instances;

-- Names that nothing has.
SELECT test.told(mistake) FROM unnest(ARRAY[
    $$clerk.configure(exclude_fields => '{phone_number}')$$,
    $$clerk.configure(exclude_fields => '{organizations.first_name}')$$,
    $$clerk.configure(exclude_fields => '{birthday}')$$,
    $$clerk.on_event('user.create', 'public.handle')$$,
    $$clerk.on_event('user.created,user.deleted', 'public.handle')$$,
    $$clerk.on_event('user', 'public.handle')$$,
    $$clerk.on_event('users.*', 'public.handle')$$,
    $$clerk.on_event('agentTask.started', 'public.handle')$$
]) AS mistake;
SELECT clerk.on_event('agentTask.started*', 'public.handle') > 0;
SELECT pattern FROM clerk.event_handlers;

-- A procedure that commits, in a transaction; and an argument that must be said.
CALL clerk.backfill();
CALL clerk.reconcile("full" => true);
SELECT test.told($$clerk.remove_instance('https://clerk.test.example', forget_rows => NULL)$$);
ROLLBACK;
