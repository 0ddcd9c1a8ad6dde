//! What reads `request.jwt.claims` as JSON and fails where it is empty.

use std::collections::BTreeSet;

use clerk_tests::Sql;

use super::project::{Finding, OWNER, Project};

fn complaints(project: &Project) -> Vec<Finding> {
    let complaints = project.complaints();
    complaints
        .into_iter()
        .filter(|finding| finding.area == "claims")
        .collect()
}

/// The function of Clerk's guide for Supabase until 2025 (clerk-docs#707), and what else can be written.
const BAD: &str = r#"
    CREATE FUNCTION public.requesting_user_id() RETURNS text LANGUAGE sql STABLE
    AS $$ select nullif(current_setting('request.jwt.claims', true)::json->>'sub', '')::text; $$;
    CREATE FUNCTION public.by_cast() RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT CAST(pg_catalog.current_setting( 'request.jwt.claims', TRUE) /* as it is */ AS jsonb) ->> 'sub' $$;
    CREATE FUNCTION public.coalesced() RETURNS jsonb LANGUAGE sql STABLE
    AS $$ SELECT coalesce(current_setting('request.jwt.claims', true), '{}')::jsonb $$;
    CREATE FUNCTION public.in_a_variable() RETURNS text LANGUAGE plpgsql STABLE
    AS $$ DECLARE claims CONSTANT jsonb := current_setting('request.jwt.claims', true); BEGIN RETURN claims->>'sub'; END $$;
    CREATE FUNCTION public.twice() RETURNS json LANGUAGE sql STABLE
    AS $$ SELECT (current_setting('request.jwt.claims'::text)::text)::pg_catalog.json -- nullif(x, '')
    $$;
    CREATE FUNCTION public.atomic() RETURNS text LANGUAGE sql STABLE
    RETURN current_setting('request.jwt.claims', true)::json->>'sub';
    CREATE TABLE public.tasks (
        id int GENERATED ALWAYS AS IDENTITY, name text, user_id text DEFAULT (current_setting('request.jwt.claims', true)::json->>'sub')
    );
    ALTER TABLE public.tasks ENABLE ROW LEVEL SECURITY;
    CREATE POLICY "Own tasks" ON public.tasks FOR UPDATE
        USING (name <> 'x') WITH CHECK (current_setting('request.jwt.claims', true)::json->>'sub' = user_id);
    CREATE VIEW public.who WITH (security_invoker = true) AS SELECT current_setting('request.jwt.claims', true)::jsonb->>'sub' AS sub"#;

const FINE: &str = r#"
    CREATE FUNCTION public.fine() RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT (nullif(current_setting('request.jwt.claims', true), ''))::json->>'sub' $$;
    CREATE FUNCTION public.fine_too() RETURNS json LANGUAGE sql STABLE
    AS $$ SELECT coalesce(NULLIF (current_setting('request.jwt.claims', true), ''), '{}')::json $$;
    CREATE FUNCTION public.says_so() RETURNS text LANGUAGE plpgsql STABLE
    AS $$ BEGIN -- current_setting('request.jwt.claims', true)::json raises
        RETURN 'do not write current_setting(''request.jwt.claims'', true)::json'; END $$;
    CREATE FUNCTION public.of_another() RETURNS json LANGUAGE sql STABLE AS $$ SELECT current_setting('my.claims', true)::json $$;
    CREATE FUNCTION public.as_text() RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT current_setting('request.jwt.claims', true) AS json $$"#;

#[test]
fn casts_of_the_claims_are_named_and_the_mends_mend_them() {
    let project = Project::start();
    let mut superuser = project.superuser();
    superuser.run(FINE);
    assert_eq!(complaints(&project), []);
    project.owner().run(BAD);
    let expected = [
        "function public.requesting_user_id()",
        "function public.by_cast()",
        "function public.coalesced()",
        "function public.in_a_variable()",
        "function public.twice()",
        "function public.atomic()",
        "default of public.tasks.user_id",
        "policy \"Own tasks\" on public.tasks",
        "view public.who",
    ];
    let found = complaints(&project);
    let named: BTreeSet<&str> = found
        .iter()
        .map(|one| one.found.split_once(" casts ").expect("it says what casts").0)
        .collect();
    assert_eq!(named, expected.into());
    let owner = format!("SQL as {OWNER}");
    for finding in found {
        assert_eq!(
            (finding.status.as_str(), &finding.mend_as),
            ("warning", &Some(owner.clone())),
            "{finding:?}"
        );
        finding.mend(&project);
    }
    assert_eq!(complaints(&project), []);

    // In a session in which the setting is '', all of it works, and with claims it gives what it gave.
    let mut session = project.superuser();
    session.run("BEGIN; SET LOCAL request.jwt.claims = '{}'; COMMIT");
    let value = "SELECT current_setting('request.jwt.claims', true)";
    assert_eq!(session.value::<String>(value), "");
    let all = "SELECT concat_ws(',', requesting_user_id(), by_cast(), coalesced()->>'sub', in_a_variable(), twice()->>'sub', atomic(),
                   (SELECT sub FROM who))";
    assert_eq!(session.value::<String>(all), "");
    let task = "INSERT INTO tasks (name) VALUES ('made by a nightly job') RETURNING user_id";
    assert_eq!(session.value::<Option<String>>(task), None);
    session.run(r#"SET request.jwt.claims = '{"sub": "user_ada"}'"#);
    assert_eq!(session.value::<String>(all), ["user_ada"; 7].join(","));
    assert_eq!(session.value::<Option<String>>(task).as_deref(), Some("user_ada"));
    let kept: Vec<String> = session.value(
        "SELECT ARRAY[(SELECT array_to_string(reloptions, ',') FROM pg_class WHERE oid = 'who'::regclass),
                      (SELECT cmd || ' ' || qual FROM pg_policies WHERE policyname = 'Own tasks')]",
    );
    assert_eq!(kept, ["security_invoker=true", "UPDATE (name <> 'x'::text)"]);
}

/// A literal in a policy is no call.
#[test]
fn a_text_about_auth_uid_is_no_use_of_it() {
    let project = Project::start();
    project.superuser().run(
        "CREATE TABLE public.notes (note text); ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY a ON public.notes USING (note <> 'never write auth.uid() here')",
    );
    assert_eq!(project.complaints(), []);
}
