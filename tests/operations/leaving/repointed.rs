//! References to the mirror keep their names, rules and state.

use clerk_tests::Sql;
use postgres::Client;

use super::scene::{Scene, leave};

const TABLES: &str = r#"
    CREATE TABLE public.plain (id int, user_id text REFERENCES clerk.users);
    CREATE TABLE public.ruled (id int, a text, b text,
        CONSTRAINT "Odd ""clerk.users"" name" FOREIGN KEY (a) REFERENCES clerk.users (id) MATCH FULL ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE,
        CONSTRAINT later FOREIGN KEY (b) REFERENCES clerk.organizations (id) ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED);
    COMMENT ON CONSTRAINT later ON public.ruled IS 'about clerk.organizations';
    CREATE TABLE public.lenient (user_id text);
    INSERT INTO public.lenient VALUES ('user_unknown');
    ALTER TABLE public.lenient ADD CONSTRAINT lenient FOREIGN KEY (user_id) REFERENCES clerk.users NOT VALID;
    CREATE TABLE public.parts (id int, user_id text REFERENCES clerk.users ON DELETE SET NULL) PARTITION BY RANGE (id);
    CREATE TABLE public.parts_1 PARTITION OF public.parts FOR VALUES FROM (1) TO (10);
    CREATE TABLE public.parts_2 PARTITION OF public.parts FOR VALUES FROM (10) TO (20);
    CREATE TABLE public.parent (org text DEFAULT clerk.current_org_id(), CONSTRAINT mine CHECK (org IS DISTINCT FROM clerk.current_user_id()));
    CREATE TABLE public.child (also text DEFAULT clerk.current_user_id()) INHERITS (public.parent);
    CREATE VIEW public.defaulted AS SELECT id, user_id FROM public.plain;
    ALTER VIEW public.defaulted ALTER COLUMN user_id SET DEFAULT clerk.current_user_id();
    INSERT INTO public.parts VALUES (1, 'user_ada'), (11, 'user_bob');
    INSERT INTO public.ruled VALUES (1, 'user_ada', 'org_acme');
"#;

fn references(client: &mut Client, schema: &str) -> Vec<String> {
    client.value_of(
        "SELECT array_agg(format('%s %s %s %s %s %s', k.conrelid::regclass, k.conname, k.convalidated, k.conislocal,
             replace(pg_get_constraintdef(k.oid), $1 || '.', '@.'), obj_description(k.oid, 'pg_constraint')) ORDER BY k.conrelid::regclass::text, k.conname)
         FROM pg_constraint AS k WHERE k.contype = 'f' AND k.confrelid::regclass::text LIKE $1 || '.%' AND k.conrelid::regclass::text NOT LIKE 'clerk.%'",
        &[&schema],
    )
}

#[test]
fn foreign_keys_are_the_same_on_the_copies() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    owner.run(TABLES);
    let before = references(&mut owner, "clerk");
    assert_eq!(before.len(), 2 + 1 + 2 + 1 + 3, "{before:#?}");
    leave(&mut owner, "clerk_data");
    assert_eq!(references(&mut owner, "clerk_data"), before);

    // They work.
    assert_eq!(
        owner
            .failure("INSERT INTO public.plain VALUES (1, 'user_unknown')")
            .sqlstate,
        "23503"
    );
    assert_eq!(
        owner
            .failure("INSERT INTO public.lenient VALUES ('user_unknown')")
            .sqlstate,
        "23503"
    );
    owner.run("INSERT INTO public.plain VALUES (1, 'user_carl')");
    assert_eq!(
        owner
            .failure("DELETE FROM clerk_data.users WHERE id = 'user_carl'")
            .sqlstate,
        "23503"
    );
    owner.run("DELETE FROM clerk_data.users WHERE id = 'user_bob'");
    let parts: Vec<Option<String>> = owner.value("SELECT array_agg(user_id ORDER BY id) FROM public.parts");
    assert_eq!(parts, [Some("user_ada".to_owned()), None]);
}

#[test]
fn inherited_checks_and_defaults_change_once_and_everywhere() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    owner.run(TABLES);
    owner.run("INSERT INTO public.parent VALUES ('org_acme')");
    leave(&mut owner, "clerk_data");
    let checks: Vec<String> = owner.value(
        "SELECT array_agg(format('%s %s %s %s', conrelid::regclass, conislocal, coninhcount, pg_get_constraintdef(oid)) ORDER BY conrelid::regclass::text)
         FROM pg_constraint WHERE conname = 'mine'",
    );
    let check = "CHECK ((org IS DISTINCT FROM clerk_data.current_user_id())) NOT VALID";
    assert_eq!(
        checks,
        [format!("child f 1 {check}"), format!("parent t 0 {check}")]
    );
    let defaults: Vec<String> = owner.value(
        "SELECT array_agg(format('%s %s', d.adrelid::regclass, pg_get_expr(d.adbin, d.adrelid)) ORDER BY d.adrelid::regclass::text, pg_get_expr(d.adbin, d.adrelid)) FROM pg_attrdef AS d
         WHERE d.adrelid::regclass::text IN ('parent', 'child', 'defaulted')",
    );
    assert_eq!(
        defaults,
        [
            "child clerk_data.current_org_id()",
            "child clerk_data.current_user_id()",
            "defaulted clerk_data.current_user_id()",
            "parent clerk_data.current_org_id()"
        ]
    );
}
