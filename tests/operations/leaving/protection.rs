//! Ejected tables are as closed as ours were.

use std::collections::BTreeSet;

use clerk_tests::Sql;
use postgres::Client;

use super::scene::{Scene, leave};

/// Who may do what with each relation and column, and which rows rules choose.
fn protection(client: &mut Client, schema: &str) -> BTreeSet<String> {
    let rows = client
        .query(
            "WITH relation AS (
                 SELECT c.oid, c.relname, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.reloptions FROM pg_class AS c
                 WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'v')
             ), who (role) AS (VALUES ('anon'), ('authenticated'), ('service_role'), ('stranger'), ('app'))
             SELECT format('%s %s %s', role, p, r.relname) FROM relation AS r, who,
                 unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
                 WHERE has_table_privilege(role, r.oid, p)
             UNION ALL
             SELECT format('%s %s %s.%s', role, p, r.relname, a.attname) FROM relation AS r, who, unnest(ARRAY['SELECT', 'UPDATE']) AS p, pg_attribute AS a
                 WHERE a.attrelid = r.oid AND a.attnum > 0 AND has_column_privilege(role, r.oid, a.attnum, p)
             UNION ALL
             SELECT format('%s is %s''s, %s %s, %s', r.relname, r.relowner::regrole, r.relrowsecurity, r.relforcerowsecurity, r.reloptions) FROM relation AS r
             UNION ALL
             SELECT format('%s %s %s %s %s %s %s', p.tablename, p.policyname, p.permissive, p.roles, p.cmd,
                 replace(p.qual, 'clerk_data.', 'clerk.'), replace(p.with_check, 'clerk_data.', 'clerk.'))
                 FROM pg_policies AS p WHERE p.schemaname = $1
             UNION ALL
             SELECT format('%s %s schema', role, p) FROM who, unnest(ARRAY['USAGE', 'CREATE']) AS p WHERE has_schema_privilege(role, $1::text::regnamespace, p)",
            &[&schema],
        )
        .expect("privileges can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

#[test]
fn grants_policies_and_owners_are_the_same() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    // As in a Supabase project, where the API's roles get everything that is made.
    owner.run(
        r#"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO anon, authenticated, service_role;
           ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
           ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO anon, authenticated, service_role;
           ALTER TABLE clerk.sessions ENABLE ROW LEVEL SECURITY;
           CREATE POLICY "own clerk.users" ON clerk.sessions FOR SELECT TO authenticated USING (user_id = (SELECT clerk.current_user_id()));
           CREATE POLICY "none" ON clerk.sessions AS RESTRICTIVE FOR UPDATE TO app, PUBLIC USING (id <> 'clerk.me') WITH CHECK ((SELECT clerk.has_role('admin')));
           GRANT SELECT (id, status, user_id) ON clerk.sessions TO authenticated WITH GRANT OPTION;
           GRANT SELECT, REFERENCES ON clerk.roles TO stranger"#,
    );
    let before = protection(&mut owner, "clerk");
    owner.run("SELECT clerk.eject(dry_run => false)");
    let after = protection(&mut owner, "clerk_data");
    // Tables of ours that are no part of the mirror have no counterpart, and nobody else could read them.
    let mirrored: BTreeSet<String> = before
        .into_iter()
        .filter(|line| after.contains(line) || !belongs_to_machinery(line))
        .collect();
    assert_eq!(after, mirrored);
    for closed in [
        "anon SELECT me",
        "authenticated SELECT users",
        "authenticated SELECT users.private_metadata",
        "anon CREATE schema",
    ] {
        assert!(!after.contains(closed), "{closed}");
    }
    for open in [
        "authenticated SELECT me",
        "authenticated SELECT sessions.status",
        "service_role SELECT users",
        "stranger REFERENCES roles",
        "stranger USAGE schema",
    ] {
        assert!(after.contains(open), "{open}");
    }
    assert!(
        after
            .iter()
            .any(|line| line.starts_with("me is project's") && line.contains("security_barrier=true"))
    );
}

/// Everything whose last words are about a table that is not mirrored: none of it is granted to these roles.
fn belongs_to_machinery(line: &str) -> bool {
    line.contains(" is project's")
}

#[test]
fn everything_of_a_table_comes_along() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    owner.run(
        r#"ALTER TABLE clerk.users ADD COLUMN "Own clerk.me" integer DEFAULT 7, ADD CONSTRAINT "not clerk.me" CHECK (id <> 'clerk.me'),
               ADD CONSTRAINT "unique clerk.users" UNIQUE ("Own clerk.me", id);
           COMMENT ON COLUMN clerk.users."Own clerk.me" IS 'ours';
           CREATE UNIQUE INDEX "clerk.users ON clerk.users" ON clerk.users (lower(id) DESC NULLS LAST) INCLUDE (username) WHERE id <> 'clerk.users';
           ALTER TABLE clerk.users REPLICA IDENTITY FULL;
           ALTER TABLE clerk.roles ADD FOREIGN KEY (instance_id) REFERENCES clerk.users (id)"#,
    );
    let shape = |owner: &mut Client, schema: &str| -> Vec<String> {
        owner.value_of(
            "WITH relation AS (SELECT c.oid, c.relname, c.relreplident FROM pg_class AS c
                 WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'v')
                   AND EXISTS (SELECT FROM pg_class AS d WHERE d.relnamespace = 'clerk_data'::regnamespace AND d.relname = c.relname))
             SELECT array_agg(line ORDER BY line) FROM (
                 SELECT format('%s.%s %s %s %s %s %s %s', r.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated,
                     (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d WHERE d.adrelid = r.oid AND d.adnum = a.attnum),
                     CASE WHEN col_description(r.oid, a.attnum) !~ 'clerk\\.|configure' THEN col_description(r.oid, a.attnum) END)
                 FROM relation AS r JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
                 UNION ALL
                 SELECT format('%s %s %s', r.relname, k.conname, regexp_replace(pg_get_constraintdef(k.oid), 'REFERENCES \\w+\\.', 'REFERENCES ')) FROM relation AS r JOIN pg_constraint AS k ON k.conrelid = r.oid
                 UNION ALL
                 SELECT regexp_replace(pg_get_indexdef(i.indexrelid), ' ON \\w+\\.(\\w+) USING', ' ON \\1 USING') || i.indisprimary FROM relation AS r JOIN pg_index AS i ON i.indrelid = r.oid
                 UNION ALL
                 SELECT format('%s %s', r.relname, r.relreplident) FROM relation AS r
             ) AS all_of (line)",
            &[&schema],
        )
    };
    owner.run("SELECT clerk.eject(dry_run => false)");
    let (before, after) = (shape(&mut owner, "clerk"), shape(&mut owner, "clerk_data"));
    assert!(before.len() > 300, "all of the mirror is looked at");
    // What serves erasure stays behind.
    let comes_along = |line: &&String| !line.contains("clerk.address_hash(");
    let missing: Vec<&String> = before
        .iter()
        .filter(comes_along)
        .filter(|line| !after.contains(line))
        .collect();
    let added: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(missing.is_empty() && added.is_empty(), "{missing:#?} {added:#?}");
    for table in ["users", "organizations", "organization_memberships", "sessions"] {
        let different: i64 = owner.value(&format!(
            "SELECT count(*) FROM (TABLE clerk.{table} EXCEPT ALL TABLE clerk_data.{table}) AS x"
        ));
        assert_eq!(different, 0, "{table}");
    }
    let users: i64 = owner.value("SELECT count(*) FROM clerk_data.users WHERE deleted");
    assert_eq!(users, 1, "tombstones are rows like others");
    let comment: String = owner.value("SELECT obj_description('clerk_data.existing_users'::regclass)");
    assert_eq!(comment, "Users that Clerk has now.");
    leave(&mut scene.owner(), "another");
}

#[test]
fn publications_and_triggers_follow_the_mirror() {
    let scene = Scene::new();
    let mut superuser = scene.db.superuser();
    let mut owner = scene.owner();
    owner.run(
        "CREATE TABLE public.profiles (id text PRIMARY KEY, name text);
         CREATE FUNCTION public.welcome() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO public.profiles VALUES (new.id, new.first_name); RETURN new; END $$;
         CREATE TRIGGER welcome AFTER INSERT ON clerk.users FOR EACH ROW WHEN (new.id LIKE 'user\\_%') EXECUTE FUNCTION public.welcome();
         CREATE TRIGGER asleep AFTER INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.welcome();
         ALTER TABLE clerk.users DISABLE TRIGGER asleep; COMMENT ON TRIGGER asleep ON clerk.users IS 'sleeps';
         CREATE PUBLICATION ours FOR TABLE clerk.users (id, first_name), clerk.organizations WHERE (id <> 'clerk.users')",
    );
    let published = "SELECT array_agg(format('%s %s %s', tablename, attnames, rowfilter) ORDER BY tablename) FROM pg_publication_tables WHERE pubname = 'ours' AND schemaname = ";
    let before: Vec<String> = owner.value(&format!("{published} 'clerk'"));
    leave(&mut owner, "clerk_data");
    assert_eq!(
        owner.value::<Vec<String>>(&format!("{published} 'clerk_data'")),
        before
    );
    let copied: i64 = owner.value("SELECT count(*) FROM public.profiles");
    assert_eq!(copied, 0, "copying sets nothing off");
    superuser.run("INSERT INTO clerk_data.users (id, first_name) VALUES ('user_eve', 'Eve')");
    let made: Vec<String> = owner.value("SELECT array_agg(name) FROM public.profiles");
    assert_eq!(made, ["Eve"]);
    let comment: String = owner.value("SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgname = 'asleep' AND tgenabled = 'D'");
    assert_eq!(comment, "sleeps");
}
