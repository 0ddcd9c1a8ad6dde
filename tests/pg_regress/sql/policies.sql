-- Row level security with the helpers: users, organizations, permissions.
\getenv srcdir PG_ABS_SRCDIR
\set ECHO none
\i :srcdir/setup.sql
\set ECHO all

CREATE TABLE test.documents (
    id integer PRIMARY KEY, org_id text DEFAULT clerk.current_org_id(), owner_id text DEFAULT clerk.current_user_id(), title text
);
INSERT INTO test.documents VALUES
    (1, NULL, 'user_ada', 'of Ada'), (2, NULL, 'user_grace', 'of Grace'), (3, 'org_acme', 'user_ada', 'of Acme'),
    (4, 'org_other', 'user_bob', 'of others'), (5, NULL, NULL, 'of nobody');
ALTER TABLE test.documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY read_own ON test.documents FOR SELECT TO authenticated, anon USING (owner_id = clerk.current_user_id());
CREATE POLICY read_organization ON test.documents FOR SELECT TO authenticated USING (org_id = (SELECT clerk.current_org_id()));
CREATE POLICY write ON test.documents FOR INSERT TO authenticated
    WITH CHECK (owner_id = clerk.current_user_id() AND (org_id IS NULL OR clerk.has_permission('org:documents:write')));
CREATE POLICY remove ON test.documents FOR DELETE TO authenticated
    USING (org_id = clerk.current_org_id() AND clerk.has_role('admin'));
GRANT SELECT, INSERT, DELETE ON test.documents TO authenticated, anon;

-- Ada is an administrator of Acme and may write.
SET LOCAL ROLE authenticated;
SELECT clerk.authenticate(:'ada_token');
SELECT * FROM test.documents ORDER BY id;
INSERT INTO test.documents (id, title) VALUES (6, 'written by Ada') RETURNING *;
INSERT INTO test.documents (id, owner_id, title) VALUES (7, 'user_grace', 'in the name of Grace');

-- Grace is a member.
SELECT clerk.authenticate(:'grace_token');
SELECT * FROM test.documents ORDER BY id;
INSERT INTO test.documents (id, title) VALUES (8, 'written by Grace');
INSERT INTO test.documents (id, org_id, title) VALUES (8, NULL, 'a note of Grace') RETURNING *;
DELETE FROM test.documents WHERE org_id = 'org_acme' RETURNING id;

SELECT clerk.authenticate(:'ada_token');
DELETE FROM test.documents WHERE org_id = 'org_acme' RETURNING id;

-- Nobody: no row and no error, also not those of nobody.
SELECT clerk.clear_authentication();
SELECT count(*) AS without_anything FROM test.documents;
SET LOCAL request.jwt.claims = '{"role": "authenticated", "iss": "http://localhost:9999/auth/v1", "sub": "7d1f2a34-0000-4000-8000-000000000000"}';
SELECT count(*) AS of_gotrue FROM test.documents;
RESET ROLE;
SET LOCAL ROLE anon;
SET LOCAL request.jwt.claims = '{"role": "anon"}';
SELECT count(*) AS of_anon FROM test.documents;

-- A faulty token is an error, not an empty answer.
SET LOCAL request.jwt.claims = '';
SELECT set_config('clerk.jwt', :'expired_token', true) <> '' AS set;
SELECT code, detail FROM test.fault('SELECT count(*) FROM test.documents');
RESET ROLE;
ROLLBACK;
