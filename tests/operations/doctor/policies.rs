//! What the mends make of policies: the same, for Clerk's ids.

use clerk_tests::Sql;
use postgres::Client;

use super::project::{Finding, Project};

/// A project with Supabase's helpers of old and a table of people.
fn scene() -> Project {
    let project = Project::start();
    project.superuser().run(
        "CREATE SCHEMA auth; GRANT USAGE ON SCHEMA auth TO PUBLIC;
         CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
         CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT NULL::jsonb';
         CREATE TABLE public.people (id uuid PRIMARY KEY);
         ALTER TABLE public.people ENABLE ROW LEVEL SECURITY",
    );
    project
}

fn mend_all(project: &Project, check: &str) -> usize {
    let complaints: Vec<Finding> = project
        .complaints()
        .into_iter()
        .filter(|finding| finding.check == check)
        .collect();
    for finding in &complaints {
        finding.mend(project);
    }
    complaints.len()
}

/// Name, command, kind, roles and conditions of every policy on a table, without line breaks.
fn policies(client: &mut Client, table: &str) -> Vec<String> {
    let rows = client
        .query(
            "SELECT concat_ws(' | ', policyname, cmd, permissive, array_to_string(roles, ','), qual, with_check)
             FROM pg_policies WHERE schemaname = 'public' AND tablename = $1 ORDER BY policyname",
            &[&table],
        )
        .expect("policies can be listed");
    rows.iter()
        .map(|row| {
            row.get::<_, String>(0)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn how_a_session_prints_and_reads_sql_hides_nothing() {
    let project = scene();
    let mut superuser = project.superuser();
    superuser.run(
        "CREATE TABLE public.documents (id int, user_id uuid, owner_id text);
         CREATE POLICY theirs ON public.documents USING (user_id = auth.uid() OR owner_id = clerk.current_user_id())",
    );
    let look = "SELECT array_agg(format('%s %s: %s', area, \"check\", found)) FROM clerk.doctor() WHERE area IN ('policies', 'tables') AND status <> 'ok'";
    let plain: Vec<String> = superuser.value(look);
    assert_eq!(plain.len(), 2, "{plain:#?}");
    superuser.run("SET quote_all_identifiers = on; SET escape_string_warning = off; SET standard_conforming_strings = off");
    let same: Vec<String> = superuser.value(look);
    assert_eq!(same, plain);
    let planned: i64 = superuser.value("SELECT count(*) FROM clerk.eject()");
    assert!(planned > 100, "{planned}");
}

#[test]
fn policies_with_auth_uid_are_the_same_with_clerk_ids() {
    let project = scene();
    let mut superuser = project.superuser();
    superuser.run(
        "CREATE TABLE public.documents (id int, user_id uuid DEFAULT auth.uid() REFERENCES public.people, title text);
         INSERT INTO public.people VALUES ('00000000-0000-0000-0000-000000000001');
         INSERT INTO public.documents VALUES (1, '00000000-0000-0000-0000-000000000001', 'old');
         CREATE INDEX ON public.documents (user_id);
         CREATE TABLE public.shares (document_id int, user_id uuid); CREATE INDEX ON public.shares (user_id);
         ALTER TABLE public.documents ENABLE ROW LEVEL SECURITY; ALTER TABLE public.shares ENABLE ROW LEVEL SECURITY;
         CREATE POLICY \"Own rows\" ON public.documents FOR SELECT TO authenticated, service_role USING (user_id = (SELECT auth.uid()));
         CREATE POLICY changes ON public.documents FOR UPDATE USING (auth.uid() = user_id) WITH CHECK (auth.uid()::text = user_id::text);
         CREATE POLICY shared ON public.documents AS RESTRICTIVE USING (EXISTS (
             SELECT FROM public.shares AS s WHERE s.document_id = documents.id AND s.user_id = auth.uid()));
         CREATE POLICY titles ON public.documents FOR INSERT WITH CHECK (title <> '');
         CREATE POLICY all_shares ON public.shares USING (user_id IS NOT NULL)",
    );
    assert_eq!(mend_all(&project, "auth.uid()"), 1);
    assert_eq!(
        policies(&mut superuser, "documents"),
        [
            "Own rows | SELECT | PERMISSIVE | authenticated,service_role | (user_id = ( SELECT clerk.current_user_id() AS uid))",
            "changes | UPDATE | PERMISSIVE | public | (clerk.current_user_id() = user_id) | (clerk.current_user_id() = user_id)",
            "shared | ALL | RESTRICTIVE | public | (EXISTS ( SELECT FROM shares s WHERE ((s.document_id = documents.id) AND (s.user_id = clerk.current_user_id()))))",
            "titles | INSERT | PERMISSIVE | public | (title <> ''::text)",
        ]
    );
    assert_eq!(
        policies(&mut superuser, "shares"),
        ["all_shares | ALL | PERMISSIVE | public | (user_id IS NOT NULL)"]
    );
    let types: Vec<String> = superuser.value(
        "SELECT array_agg(format_type(atttypid, atttypmod) ORDER BY attrelid::regclass::text) FROM pg_attribute
         WHERE attname = 'user_id' AND attrelid IN ('public.documents'::regclass, 'public.shares'::regclass)",
    );
    assert_eq!(types, ["text", "text"]);
    // The row is there still, with its id.
    let kept: String = superuser.value("SELECT user_id FROM public.documents");
    assert_eq!(kept, "00000000-0000-0000-0000-000000000001");
    let default: String = superuser.value(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'public.documents'::regclass",
    );
    assert_eq!(default, "clerk.current_user_id()");
    assert_eq!(project.complaints(), []);
}

#[test]
fn casts_of_clerk_ids_go_in_every_form() {
    let project = scene();
    let mut superuser = project.superuser();
    superuser.run(
        "CREATE TABLE public.notes (id int, owner_id uuid, org_id uuid); CREATE INDEX ON public.notes (owner_id); CREATE INDEX ON public.notes (org_id);
         ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
         CREATE POLICY a ON public.notes USING (owner_id = clerk.current_user_id()::uuid);
         CREATE POLICY b ON public.notes USING (owner_id = (SELECT clerk.current_user_id()::uuid));
         CREATE POLICY c ON public.notes USING (owner_id = (SELECT clerk.current_user_id())::uuid);
         CREATE POLICY d ON public.notes USING (owner_id = (auth.jwt()->>'sub')::uuid);
         CREATE POLICY e ON public.notes USING (owner_id = (SELECT (auth.jwt()->>'sub')::uuid));
         CREATE POLICY f ON public.notes USING (owner_id = (SELECT auth.jwt()->>'sub')::uuid);
         CREATE POLICY g ON public.notes USING (owner_id = (current_setting('request.jwt.claims', true)::jsonb->>'sub')::uuid);
         CREATE POLICY h ON public.notes USING (clerk.current_org_id() = org_id::text);
         CREATE POLICY i ON public.notes USING (owner_id = (nullif(current_setting('request.jwt.claims', true), '')::jsonb->>'sub')::uuid)",
    );
    assert_eq!(mend_all(&project, "uuid"), 1);
    assert_eq!(
        policies(&mut superuser, "notes"),
        [
            "a | ALL | PERMISSIVE | public | (owner_id = clerk.current_user_id())",
            "b | ALL | PERMISSIVE | public | (owner_id = ( SELECT clerk.current_user_id() AS current_user_id))",
            "c | ALL | PERMISSIVE | public | (owner_id = ( SELECT clerk.current_user_id() AS current_user_id))",
            "d | ALL | PERMISSIVE | public | (owner_id = clerk.current_user_id())",
            "e | ALL | PERMISSIVE | public | (owner_id = ( SELECT clerk.current_user_id() AS uuid))",
            "f | ALL | PERMISSIVE | public | (owner_id = ( SELECT clerk.current_user_id() AS current_user_id))",
            "g | ALL | PERMISSIVE | public | (owner_id = clerk.current_user_id())",
            "h | ALL | PERMISSIVE | public | (clerk.current_org_id() = org_id)",
            "i | ALL | PERMISSIVE | public | (owner_id = clerk.current_user_id())",
        ]
    );
    assert_eq!(project.complaints(), []);
}

#[test]
fn a_mend_that_cannot_be_made_changes_nothing() {
    let project = scene();
    let mut superuser = project.superuser();
    // A view holds the column to its type.
    superuser.run(
        "CREATE TABLE public.tasks (user_id uuid); CREATE INDEX ON public.tasks (user_id); ALTER TABLE public.tasks ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON public.tasks USING (user_id = auth.uid());
         CREATE VIEW public.mine AS SELECT user_id FROM public.tasks",
    );
    let before = policies(&mut superuser, "tasks");
    let complaint = project.complaints().remove(0);
    let mend = complaint.mend.clone().expect("it has a mend");
    assert!(superuser.batch_execute(&mend).is_err());
    superuser.run("ROLLBACK");
    assert_eq!(policies(&mut superuser, "tasks"), before);
    superuser.run("DROP VIEW public.mine");
    complaint.mend(&project);
    assert_eq!(project.complaints(), []);
}

#[test]
fn what_is_not_ours_to_judge_is_left_alone() {
    let project = scene();
    project.superuser().run(
        "CREATE TABLE auth.identities (user_id uuid); ALTER TABLE auth.identities ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON auth.identities USING (user_id = auth.uid());
         CREATE FUNCTION public.uid() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x'::text $$;
         CREATE TABLE public.fine (id uuid, user_id text, author text, tenant uuid); ALTER TABLE public.fine ENABLE ROW LEVEL SECURITY;
         CREATE INDEX ON public.fine (user_id, author); CREATE INDEX ON public.fine USING hash (author);
         CREATE POLICY a ON public.fine USING (user_id = (SELECT clerk.current_user_id()));
         CREATE POLICY b ON public.fine USING (author = clerk.current_user_id());
         CREATE POLICY c ON public.fine USING (user_id = public.uid());
         CREATE POLICY d ON public.fine USING (tenant = '00000000-0000-0000-0000-000000000001'::uuid);
         CREATE POLICY e ON public.fine FOR INSERT WITH CHECK (author = clerk.current_user_id());
         CREATE TABLE public.inserted (author text); ALTER TABLE public.inserted ENABLE ROW LEVEL SECURITY;
         CREATE POLICY f ON public.inserted FOR INSERT WITH CHECK (author = clerk.current_user_id());
         CREATE SCHEMA internal; CREATE TABLE internal.plain (id int); GRANT SELECT ON internal.plain TO anon;
         CREATE TABLE public.nobodys (id int)",
    );
    assert_eq!(project.complaints(), []);
}
