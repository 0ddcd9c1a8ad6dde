-- Who sees what of the mirror.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
CREATE ROLE service_role;
DO $$ BEGIN
    PERFORM clerk.grant_reader('authenticated');
    PERFORM clerk.grant_service('service_role');
END $$;
\pset format unaligned
\set ECHO all

-- Ada and Grace are in Acme; Bob is in Globex. Eve has left Acme, and an old token of hers left a placeholder behind. Dora is deleted,
-- Zoe is an id that something referred to. Umbrella is deleted, and a full listing showed Initech no more, nor Frank. Ada rejoined Acme
-- and Clerk never said that the older membership ended; her token told of Hooli before Clerk did. Grace's token told of Acme too.
\set now '2025-01-01 00:00:00+00'
\set then '2024-01-01 00:00:00+00'
INSERT INTO clerk.users (id, first_name, last_name, username, image_url, primary_email_address_id, primary_email_address, primary_email_verified,
    email_addresses, external_id, public_metadata, scim, private_metadata, data, created_at, updated_at, deleted_at, missing_at)
VALUES
    ('user_ada', 'Ada', 'L', 'ada', 'https://img.example/ada', 'idn_1', 'ada@example.com', true,
        '{ada@example.com,ada@old.example}', 'ext-1', '{"plan": "pro"}', '{"scim": "SECRET"}', '{"private": "SECRET"}', '{"data": "SECRET"}', :'then', :'now', NULL, NULL),
    ('user_grace', 'Grace', 'H', 'grace', 'https://img.example/grace', 'idn_2', 'SECRET@example.com', true,
        '{SECRET@example.com}', 'SECRET', '{"public": "SECRET"}', '{"scim": "SECRET"}', '{"private": "SECRET"}', '{"data": "SECRET"}', :'then', :'now', NULL, NULL),
    ('user_bob', 'Bob', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('user_eve', 'Eve', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('user_dora', 'Dora', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', :'then', :'then', :'now', NULL),
    ('user_frank', 'Frank', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', :'then', :'then', NULL, :'now');
INSERT INTO clerk.users (id) VALUES ('user_zoe');
INSERT INTO clerk.organizations (id, name, slug, members_count, public_metadata, private_metadata, data, created_at, updated_at, deleted_at, missing_at)
VALUES
    ('org_acme', 'Acme', 'acme', 2, '{"tier": 1}', '{"private": "SECRET"}', '{"data": "SECRET"}', :'then', :'now', NULL, NULL),
    ('org_globex', 'Globex', 'globex', 1, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('org_umbrella', 'Umbrella', NULL, NULL, NULL, NULL, '{}', :'then', :'then', :'then', NULL),
    ('org_initech', 'Initech', NULL, NULL, NULL, NULL, '{}', :'then', :'then', NULL, :'now');
INSERT INTO clerk.organizations (id) VALUES ('org_hooli');
INSERT INTO clerk.organization_memberships (id, organization_id, user_id, role, role_name, permissions, public_metadata, private_metadata, data,
    created_at, updated_at, deleted_at, missing_at)
VALUES
    ('orgmem_ada1', 'org_acme', 'user_ada', 'org:member', 'Member', NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('orgmem_ada2', 'org_acme', 'user_ada', 'org:admin', 'Admin', '{org:sys_memberships:manage}', '{"seat": 1}', '{"private": "SECRET"}', '{"data": "SECRET"}', :'now', :'then', NULL, NULL),
    ('orgmem_ada3', 'org_umbrella', 'user_ada', 'org:admin', NULL, NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('orgmem_ada4', 'org_initech', 'user_ada', 'org:admin', NULL, NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('orgmem_ada5', 'org_hooli', 'user_ada', NULL, NULL, NULL, NULL, NULL, '{}', NULL, '-infinity', NULL, NULL),
    ('orgmem_grace', 'org_acme', 'user_grace', 'org:member', 'Member', NULL, '{"public": "SECRET"}', '{"private": "SECRET"}', '{}', NULL, :'now', NULL, NULL),
    ('placeholder_grace', 'org_acme', 'user_grace', NULL, NULL, NULL, NULL, NULL, '{}', NULL, '-infinity', NULL, NULL),
    ('orgmem_bob', 'org_globex', 'user_bob', 'org:admin', 'Admin', NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('orgmem_eve1', 'org_acme', 'user_eve', NULL, NULL, NULL, NULL, NULL, '{}', :'then', '-infinity', :'now', NULL),
    ('placeholder_eve', 'org_acme', 'user_eve', NULL, NULL, NULL, NULL, NULL, '{}', NULL, '-infinity', NULL, NULL),
    ('orgmem_eve2', 'org_umbrella', 'user_eve', 'org:admin', NULL, NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('orgmem_eve3', 'org_globex', 'user_eve', NULL, NULL, NULL, NULL, NULL, '{}', :'then', :'then', NULL, :'now'),
    ('orgmem_dora', 'org_acme', 'user_dora', 'org:member', NULL, NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL),
    ('orgmem_frank', 'org_acme', 'user_frank', 'org:member', NULL, NULL, NULL, NULL, '{}', :'then', :'now', NULL, NULL);
INSERT INTO clerk.organization_invitations (id, organization_id, email_address, status, user_id, private_metadata, updated_at, deleted_at) VALUES
    ('orginv_1', 'org_acme', 'SECRET@example.com', 'pending', NULL, '{"private": "SECRET"}', :'now', NULL),
    ('orginv_2', 'org_acme', 'dora@example.com', 'accepted', 'user_dora', NULL, :'now', NULL),
    ('orginv_3', 'org_umbrella', 'bob@example.com', 'pending', NULL, NULL, :'now', NULL),
    ('orginv_4', 'org_acme', 'bob@example.com', NULL, NULL, NULL, :'then', :'now');
INSERT INTO clerk.organization_domains (id, organization_id, name, updated_at, deleted_at) VALUES
    ('orgdmn_1', 'org_acme', 'acme.example', :'now', NULL), ('orgdmn_2', 'org_umbrella', 'umbrella.example', :'now', NULL),
    ('orgdmn_3', 'org_acme', 'acme.test', :'then', :'now');
INSERT INTO clerk.invitations (id, email_address, updated_at, deleted_at) VALUES ('inv_1', 'SECRET@example.com', :'now', NULL), ('inv_2', NULL, :'then', :'now');
INSERT INTO clerk.roles (id, key, updated_at, deleted_at) VALUES ('role_1', 'org:admin', :'now', NULL), ('role_2', 'org:old', :'then', :'now');
INSERT INTO clerk.permissions (id, key, updated_at, deleted_at) VALUES ('perm_1', 'org:a:b', :'now', NULL), ('perm_2', 'org:a:c', :'then', :'now');
INSERT INTO clerk.sessions (id, user_id, updated_at, deleted_at) VALUES
    ('sess_1', 'user_ada', :'now', NULL), ('sess_2', 'user_dora', :'now', NULL), ('sess_3', 'user_ada', :'then', :'now');
INSERT INTO clerk.waitlist_entries (id, updated_at, deleted_at) VALUES ('wait_1', :'now', NULL), ('wait_2', :'then', :'now');
INSERT INTO clerk.subscriptions (id, payer_user_id, payer_organization_id, updated_at, deleted_at) VALUES
    ('csub_1', 'user_ada', NULL, :'now', NULL), ('csub_2', 'user_dora', NULL, :'now', NULL), ('csub_3', NULL, 'org_umbrella', :'now', NULL),
    ('csub_4', 'user_ada', NULL, :'then', :'now');
INSERT INTO clerk.subscription_items (id, subscription_id, payer_user_id, payer_organization_id, updated_at, deleted_at) VALUES
    ('csub_item_1', 'csub_1', 'user_ada', NULL, :'now', NULL), ('csub_item_2', 'csub_2', 'user_dora', NULL, :'now', NULL),
    ('csub_item_3', 'csub_3', NULL, 'org_umbrella', :'now', NULL), ('csub_item_4', 'csub_4', 'user_ada', NULL, :'now', NULL),
    ('csub_item_5', 'csub_1', 'user_ada', NULL, :'then', :'now');
INSERT INTO clerk.payment_attempts (id, payer_user_id, updated_at, deleted_at) VALUES
    ('payatt_1', 'user_ada', :'now', NULL), ('payatt_2', 'user_dora', :'now', NULL), ('payatt_3', 'user_ada', :'then', :'now');

-- What exists: rows that are not tombstones, and whose organization or person is none either; billing stays.
CREATE FUNCTION test.existing(OUT view text, OUT ids text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    FOR view IN SELECT relname FROM pg_class WHERE relnamespace = 'clerk'::regnamespace AND relname ~ '^existing_' ORDER BY relname COLLATE "C" LOOP
        EXECUTE format('SELECT string_agg(id, '' '' ORDER BY id COLLATE "C") FROM clerk.%I', view) INTO ids;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT * FROM test.existing();
-- One for each table, with every column of it but what is the mirror's own business, or private.
SELECT t.relname, a.attname FROM pg_class AS t
LEFT JOIN pg_class AS v ON v.relnamespace = t.relnamespace AND v.relname = 'existing_' || t.relname
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0
WHERE t.relnamespace = 'clerk'::regnamespace AND t.relkind = 'r' AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = t.oid AND attname = 'missing_at')
  AND a.attname NOT IN ('observed_at', 'last_seen_at', 'deleted_at', 'missing_at', 'synced_at', 'deleted', 'older')
  AND NOT EXISTS (SELECT FROM pg_attribute AS shown WHERE shown.attrelid = v.oid AND (shown.attname, shown.atttypid) = (a.attname, a.atttypid))
ORDER BY t.relname COLLATE "C", a.attnum;

-- People.
SELECT set_config('clerk.jwt', :'ada_token', true) <> '' AS ada \gset
SET LOCAL ROLE authenticated;
\x on
SELECT * FROM clerk.me;
\x off
SELECT * FROM clerk.profiles ORDER BY id;
SELECT * FROM clerk.my_memberships ORDER BY id;
SELECT * FROM clerk.my_organizations ORDER BY id;
SELECT id FROM clerk.profiles WHERE id IN ('user_ada', 'user_grace', 'user_bob', 'user_eve', 'user_dora', 'user_zoe') ORDER BY id;
RESET ROLE;
SELECT set_config('clerk.jwt', :'grace_token', true) <> '' AS grace \gset
SET LOCAL ROLE authenticated;
SELECT id, primary_email_address FROM clerk.me;
SELECT id FROM clerk.profiles ORDER BY id;
SELECT id, role FROM clerk.my_memberships;
SELECT id, role FROM clerk.my_organizations;

-- Somebody who left, somebody who is deleted, somebody of whom nothing but the id is known, somebody of whom not even that.
CREATE TEMPORARY VIEW my AS SELECT
    (SELECT id FROM clerk.me) AS me, (SELECT updated_at FROM clerk.me) AS updated_at,
    (SELECT string_agg(id, ' ' ORDER BY id) FROM clerk.profiles) AS profiles, (SELECT count(*) FROM clerk.my_memberships) AS memberships,
    (SELECT count(*) FROM clerk.my_organizations) AS organizations;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_eve", "sid": "sess_1"}';
SELECT * FROM my;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_dora", "sid": "sess_1"}';
SELECT * FROM my;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_zoe", "sid": "sess_1"}';
SELECT * FROM my;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_new", "sid": "sess_1"}';
SELECT * FROM my;
-- Nobody: no claims, a pending session, another issuer.
SET LOCAL request.jwt.claims = '{"role": "anon"}';
SELECT * FROM my;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1", "sts": "pending"}';
SELECT * FROM my;
SET LOCAL request.jwt.claims = '{"iss": "https://project.example/auth/v1", "sub": "user_ada", "sid": "sess_1"}';
SELECT * FROM my;

-- A condition that tells what it is given learns of no row that it could not see, not even when rows are read one after the other.
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL request.jwt.claims = '{"iss": "https://clerk.test.example", "sub": "user_ada", "sid": "sess_1"}';
CREATE FUNCTION pg_temp.tell(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
    RAISE NOTICE 'told of %', value;
    RETURN true;
END
$$;
SELECT count(*) FROM clerk.me WHERE pg_temp.tell(id);
SELECT count(*) FROM clerk.profiles WHERE pg_temp.tell(first_name);
SELECT count(*) FROM clerk.my_memberships WHERE pg_temp.tell(id);
SELECT count(*) FROM clerk.my_organizations WHERE pg_temp.tell(name);
RESET ROLE;

-- What the roles of an API may read and write. Nothing private is among what the signed-in may read; strangers may read nothing.
SELECT r.rolname, string_agg(c.relname, ' ' ORDER BY c.relname COLLATE "C") AS reads
FROM pg_roles AS r CROSS JOIN pg_class AS c
WHERE r.rolname IN ('anon', 'authenticated', 'service_role') AND c.relnamespace = 'clerk'::regnamespace
  AND c.relkind IN ('r', 'v') AND has_any_column_privilege(r.oid, c.oid, 'SELECT')
GROUP BY r.rolname ORDER BY r.rolname COLLATE "C";
SELECT r.rolname, c.relname AS writes
FROM pg_roles AS r CROSS JOIN pg_class AS c
WHERE r.rolname IN ('anon', 'authenticated', 'service_role') AND c.relnamespace = 'clerk'::regnamespace
  AND c.relkind IN ('r', 'v') AND (has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE, REFERENCES'));
SELECT r.rolname, string_agg(p.proname, ' ' ORDER BY p.proname COLLATE "C") AS calls
FROM pg_roles AS r CROSS JOIN pg_proc AS p
WHERE r.rolname IN ('anon', 'authenticated', 'service_role') AND p.pronamespace = 'clerk'::regnamespace
  AND has_function_privilege(r.oid, p.oid, 'EXECUTE') AND NOT has_function_privilege('public', p.oid, 'EXECUTE')
GROUP BY r.rolname ORDER BY r.rolname COLLATE "C";
SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'clerk'::regnamespace AND has_column_privilege('authenticated', c.oid, a.attnum, 'SELECT')
  AND (a.attname ~ '^(private_metadata|scim|unsafe)' OR a.attname IN ('data', 'payload', 'secret'));

-- Strangers.
SET LOCAL ROLE anon;
SELECT view, fault.code, fault.message
FROM unnest('{me,profiles,my_memberships,my_organizations,existing_users,users}'::text[]) AS view, test.fault('SELECT FROM clerk.' || view) AS fault;
RESET ROLE;

-- service_role reads all, and is nobody in particular.
SET LOCAL ROLE service_role;
SET LOCAL request.jwt.claims = '{"role": "service_role"}';
SELECT private_metadata, scim FROM clerk.users WHERE id = 'user_ada';
SELECT id, data FROM clerk.existing_users WHERE email_addresses @> ARRAY['ada@old.example'];
SELECT count(*) FROM clerk.profiles;
SELECT fault.code, fault.message FROM test.fault('DELETE FROM clerk.users') AS fault;
RESET ROLE;

-- Taken back.
DO $$ BEGIN
    PERFORM clerk.revoke_reader('authenticated');
    PERFORM clerk.revoke_service('service_role');
END $$;
SELECT r.rolname, c.relname FROM pg_roles AS r CROSS JOIN pg_class AS c
WHERE r.rolname IN ('authenticated', 'service_role') AND c.relnamespace = 'clerk'::regnamespace
  AND c.relkind IN ('r', 'v') AND has_any_column_privilege(r.oid, c.oid, 'SELECT');
SELECT r.rolname, p.proname FROM pg_roles AS r CROSS JOIN pg_proc AS p
WHERE r.rolname IN ('authenticated', 'service_role') AND p.pronamespace = 'clerk'::regnamespace
  AND has_function_privilege(r.oid, p.oid, 'EXECUTE') AND NOT has_function_privilege('public', p.oid, 'EXECUTE');
SELECT clerk.grant_reader(NULL), clerk.revoke_reader(NULL), clerk.grant_service(NULL), clerk.revoke_service(NULL);
ROLLBACK;
