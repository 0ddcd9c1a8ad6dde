//! Supabase's services beside the project: their roles, schemas, tables and functions, as far as the doctor meets them.

use clerk_tests::Sql;

use super::project::Project;

/// Owners, columns and roles as in the images: Auth, Storage, Realtime and the vault.
const SERVICES: &str = r#"
    CREATE ROLE supabase_admin SUPERUSER LOGIN;
    CREATE ROLE supabase_auth_admin LOGIN NOINHERIT CREATEROLE;
    CREATE ROLE supabase_storage_admin LOGIN NOINHERIT CREATEROLE;
    CREATE ROLE supabase_realtime_admin NOLOGIN NOINHERIT;
    CREATE ROLE supabase_read_only_user LOGIN BYPASSRLS;
    GRANT pg_read_all_data TO supabase_read_only_user;
    ALTER DEFAULT PRIVILEGES FOR ROLE project, supabase_admin IN SCHEMA public
        GRANT ALL ON TABLES TO anon, authenticated, service_role;

    CREATE SCHEMA auth AUTHORIZATION supabase_admin;
    GRANT USAGE ON SCHEMA auth TO PUBLIC;
    CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
    ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
    CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
        SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
            (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $$;
    CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS $$
        SELECT coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(current_setting('request.jwt.claims', true), ''))::jsonb $$;
    ALTER TABLE auth.users OWNER TO supabase_auth_admin;
    ALTER FUNCTION auth.uid OWNER TO supabase_auth_admin;
    ALTER FUNCTION auth.jwt OWNER TO supabase_auth_admin;

    CREATE SCHEMA storage AUTHORIZATION supabase_admin;
    GRANT USAGE ON SCHEMA storage TO anon, authenticated, service_role, project;
    GRANT ALL ON SCHEMA storage TO supabase_storage_admin;
    CREATE TABLE storage.buckets (id text PRIMARY KEY, name text NOT NULL, owner uuid, public boolean DEFAULT false, owner_id text);
    CREATE TABLE storage.objects (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), bucket_id text REFERENCES storage.buckets, name text, owner uuid, metadata jsonb,
        path_tokens text[] GENERATED ALWAYS AS (string_to_array(name, '/')) STORED, version text, owner_id text);
    CREATE UNIQUE INDEX bucketid_objname ON storage.objects (bucket_id, name);
    CREATE TABLE storage.migrations (id integer PRIMARY KEY, name varchar(100) UNIQUE NOT NULL);
    CREATE FUNCTION storage.foldername(name text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
        SELECT (string_to_array(name, '/'))[1:cardinality(string_to_array(name, '/')) - 1] $$;
    ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;
    ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
    ALTER TABLE storage.migrations ENABLE ROW LEVEL SECURITY;
    GRANT ALL ON ALL TABLES IN SCHEMA storage TO anon, authenticated, service_role, project;
    ALTER TABLE storage.buckets OWNER TO supabase_storage_admin;
    ALTER TABLE storage.objects OWNER TO supabase_storage_admin;
    ALTER TABLE storage.migrations OWNER TO supabase_storage_admin;
    ALTER FUNCTION storage.foldername OWNER TO supabase_storage_admin;
    -- What is right for Clerk's ids.
    CREATE POLICY right_already ON storage.objects FOR SELECT TO authenticated
        USING (bucket_id = 'letters' AND owner_id = (SELECT clerk.current_user_id()));

    CREATE SCHEMA realtime AUTHORIZATION supabase_admin;
    GRANT USAGE ON SCHEMA realtime TO anon, authenticated, service_role, project;
    CREATE TABLE realtime.messages (topic text NOT NULL, extension text NOT NULL, payload jsonb, event text, id uuid NOT NULL DEFAULT gen_random_uuid());
    ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, INSERT, UPDATE ON realtime.messages TO anon, authenticated, service_role;
    CREATE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('realtime.topic', true), '') $$;
    ALTER TABLE realtime.messages OWNER TO supabase_realtime_admin;
    ALTER FUNCTION realtime.topic OWNER TO supabase_realtime_admin;
    CREATE PUBLICATION supabase_realtime;

    CREATE SCHEMA _realtime AUTHORIZATION supabase_admin;
    CREATE TABLE _realtime.tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), external_id text, jwt_secret text, jwt_jwks jsonb);
    INSERT INTO _realtime.tenants (external_id) VALUES ('realtime-dev');
    ALTER TABLE _realtime.tenants OWNER TO supabase_admin;

    CREATE SCHEMA vault AUTHORIZATION supabase_admin;
    CREATE TABLE vault.secrets (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text UNIQUE, secret text NOT NULL);
    CREATE FUNCTION vault._crypto_aead_det_decrypt(message text) RETURNS text LANGUAGE sql
        RETURN convert_from(decode(message, 'hex'), 'UTF8');
    CREATE VIEW vault.decrypted_secrets AS
        SELECT s.id, s.name, s.secret, vault._crypto_aead_det_decrypt(s.secret) AS decrypted_secret FROM vault.secrets AS s;
    CREATE FUNCTION vault.create_secret(new_secret text, new_name text) RETURNS uuid LANGUAGE sql AS $$
        INSERT INTO vault.secrets (secret, name) VALUES (encode(convert_to(new_secret, 'UTF8'), 'hex'), new_name) RETURNING id $$;
    CREATE FUNCTION vault.update_secret(secret_id uuid, new_secret text) RETURNS void LANGUAGE sql AS $$
        UPDATE vault.secrets SET secret = encode(convert_to(new_secret, 'UTF8'), 'hex') WHERE id = secret_id $$;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vault FROM PUBLIC;
    ALTER TABLE vault.secrets OWNER TO supabase_admin;
    ALTER VIEW vault.decrypted_secrets OWNER TO supabase_admin;
    GRANT USAGE ON SCHEMA vault TO project, service_role;
    GRANT SELECT ON vault.secrets, vault.decrypted_secrets TO project, service_role;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vault TO project, service_role;

    -- An extension with a table that people may write policies for.
    CREATE EXTENSION citext;
    CREATE TABLE public.of_an_extension (id int, owner_id text);
    ALTER EXTENSION citext ADD TABLE public.of_an_extension;
    ALTER TABLE public.of_an_extension ENABLE ROW LEVEL SECURITY;
    CREATE POLICY theirs ON public.of_an_extension USING (owner_id = (SELECT clerk.current_user_id()));
"#;

/// A healthy project with Supabase's services in its database.
pub fn beside_supabase() -> Project {
    let project = Project::start();
    project.superuser().run(SERVICES);
    project.owner().run("SELECT clerk.sync_realtime_keys()");
    project
}

/// All that belongs to the services and to other extensions, but for policies, which are the application's.
pub fn what_is_theirs(project: &Project) -> Vec<String> {
    project.superuser().value(
        r#"WITH theirs AS (
            SELECT c.* FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('auth', 'storage', 'realtime', '_realtime', 'vault')
               OR EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
                          WHERE d.objid = c.oid AND d.deptype = 'e' AND e.extname <> 'clerk_sync' AND n.nspname = 'public')
        ), line AS (
            SELECT format('%s of %s: %s, row level security %s', t.oid::regclass, t.relowner::regrole, t.relacl, t.relrowsecurity) FROM theirs AS t
            UNION ALL
            SELECT format('%s.%s %s not null %s default %s', t.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                pg_get_expr(d.adbin, d.adrelid))
            FROM theirs AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
            UNION ALL
            SELECT format('%s on %s: %s', k.conname, t.oid::regclass, pg_get_constraintdef(k.oid)) FROM theirs AS t JOIN pg_constraint AS k ON k.conrelid = t.oid
            UNION ALL
            SELECT pg_get_indexdef(i.indexrelid) FROM theirs AS t JOIN pg_index AS i ON i.indrelid = t.oid
            UNION ALL
            SELECT format('trigger %s on %s', g.tgname, t.oid::regclass) FROM theirs AS t JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
            UNION ALL
            SELECT format('%s of %s, %s', pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl)
            FROM pg_proc AS p WHERE p.pronamespace::regnamespace::text IN ('auth', 'storage', 'realtime', '_realtime', 'vault')
            UNION ALL
            SELECT format('%s is in %s', m.member::regrole, m.roleid::regrole) FROM pg_auth_members AS m WHERE m.member::regrole::text LIKE 'supabase%'
            UNION ALL
            SELECT format('%s has %s', s.setrole::regrole, s.setconfig) FROM pg_db_role_setting AS s WHERE s.setrole::regrole::text LIKE 'supabase%'
        )
        SELECT array_agg(line.format ORDER BY line.format COLLATE "C") FROM line"#,
    )
}
