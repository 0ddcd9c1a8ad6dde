//! Beside Supabase's services: what is theirs is left as they made it, and the mends are right for it.

use clerk_tests::Sql;
use postgres::Client;
use serde_json::json;

use super::project::{Finding, Project, findings};
use super::supabase::{beside_supabase, what_is_theirs};

/// The findings of an area that need mending.
fn complaints(project: &Project, area: &str) -> Vec<Finding> {
    let complaints = project.complaints();
    complaints
        .into_iter()
        .filter(|finding| finding.area == area)
        .collect()
}

/// Name and conditions of every policy on a table but the ones of the scene.
fn policies(client: &mut Client, table: &str) -> Vec<String> {
    let rows = client
        .query(
            "SELECT format('%s: %s', policyname, concat_ws(' / ', qual, with_check)) FROM pg_policies
             WHERE format('%I.%I', schemaname, tablename) = $1 AND policyname <> 'right_already' ORDER BY policyname",
            &[&table],
        )
        .expect("policies can be listed");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The names that Storage shows to somebody. It passes the claims as the token has them.
fn listed(project: &Project, user: &str) -> Vec<String> {
    let mut storage = project.connect("authenticator");
    let claims = json!({
        "iss": project.clerk.issuer(), "sub": user, "sid": "sess_1", "v": 2, "azp": "https://app.example", "role": "authenticated",
    });
    let mut request = storage.transaction().expect("it begins");
    request
        .execute(
            "SELECT set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
            &[&claims.to_string()],
        )
        .expect("they can be set");
    request.value("SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM storage.objects")
}

#[test]
fn beside_the_services_a_healthy_project_has_nothing_to_mend() {
    let project = beside_supabase();
    assert_eq!(project.complaints(), []);
}

/// Storage keeps an id that is no uuid in owner_id, and leaves owner NULL.
#[test]
fn policies_of_storage_compare_owner_id() {
    let project = beside_supabase();
    let mut superuser = project.superuser();
    superuser.run(
        r#"INSERT INTO storage.buckets (id, name, owner_id) VALUES ('owner', 'owner', 'user_ada');
           INSERT INTO storage.objects (bucket_id, name, owner_id)
           VALUES ('owner', 'a/ada', 'user_ada'), ('owner', 'b/bob', 'user_bob'), ('owner', 'c/nobody', NULL);
           CREATE POLICY "Own files" ON storage.objects FOR SELECT TO authenticated
               USING (bucket_id = 'owner' AND (SELECT auth.uid()) = owner AND 'owner''s' <> name);
           CREATE POLICY cast_both ON storage.objects FOR DELETE USING (auth.uid()::text = objects.owner::text);
           CREATE POLICY folder ON storage.objects FOR INSERT TO authenticated
               WITH CHECK (owner = auth.uid() AND (storage.foldername(name))[1] = (SELECT auth.uid()::text));
           CREATE POLICY as_uuid ON storage.objects FOR UPDATE USING (owner = (SELECT clerk.current_user_id())::uuid);
           CREATE POLICY theirs ON storage.buckets USING (owner = auth.uid());
           CREATE TABLE public.files (object_id uuid, "owner" text);
           ALTER TABLE public.files ENABLE ROW LEVEL SECURITY;
           CREATE POLICY by_object ON public.files USING (EXISTS (
               SELECT FROM storage.objects AS o WHERE o.id = object_id AND o.owner = (SELECT auth.uid())));
           CREATE POLICY inbox ON realtime.messages FOR SELECT TO authenticated USING (realtime.topic() = 'user:' || auth.uid()::text)"#,
    );
    let theirs = what_is_theirs(&project);
    for finding in complaints(&project, "policies") {
        assert!(
            !finding
                .mend
                .as_deref()
                .is_some_and(|mend| mend.contains("ALTER TABLE")),
            "{finding:?}"
        );
        finding.mend(&project);
    }
    assert_eq!(project.complaints(), []);
    assert_eq!(what_is_theirs(&project), theirs);
    assert_eq!(
        policies(&mut superuser, "storage.objects"),
        [
            "Own files: ((bucket_id = 'owner'::text) AND (( SELECT clerk.current_user_id() AS uid) = owner_id) AND ('owner''s'::text <> name))",
            "as_uuid: (owner_id = ( SELECT clerk.current_user_id() AS current_user_id))",
            "cast_both: (clerk.current_user_id() = owner_id)",
            "folder: ((owner_id = clerk.current_user_id()) AND ((storage.foldername(name))[1] = ( SELECT clerk.current_user_id() AS uid)))",
        ]
    );
    assert_eq!(
        policies(&mut superuser, "storage.buckets"),
        ["theirs: (owner_id = clerk.current_user_id())"]
    );
    let files = policies(&mut superuser, "public.files");
    assert!(
        files[0].contains("o.owner_id = ( SELECT clerk.current_user_id()"),
        "{files:?}"
    );
    let inbox = policies(&mut superuser, "realtime.messages");
    assert!(inbox[0].contains("clerk.current_user_id()"), "{inbox:?}");
    for (user, files) in [
        ("user_ada", &["a/ada"][..]),
        ("user_bob", &["b/bob"]),
        ("user_eve", &[]),
    ] {
        assert_eq!(listed(&project, user), files, "{user}");
    }
}

/// The mend of former versions made owner text: nobody's id is in it, and nothing raised.
#[test]
fn a_comparison_with_owner_is_named_whatever_its_type() {
    let project = beside_supabase();
    project.superuser().run(
        "ALTER TABLE storage.objects ALTER COLUMN owner TYPE text USING owner::text;
         CREATE POLICY own ON storage.objects USING (owner = (SELECT clerk.current_user_id()))",
    );
    let found = complaints(&project, "policies");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (found[0].check.as_str(), found[0].found.as_str()),
        ("uuid", "on storage.objects: own")
    );
    found[0].mend(&project);
    assert_eq!(project.complaints(), []);
    let own = policies(&mut project.superuser(), "storage.objects");
    assert_eq!(
        own,
        ["own: (owner_id = ( SELECT clerk.current_user_id() AS current_user_id))"]
    );
}

/// No column of Auth's can hold a Clerk id, so there is nothing to run.
#[test]
fn what_no_statement_can_mend_is_a_step() {
    let project = beside_supabase();
    project.superuser().run(
        "CREATE TABLE public.letters (id int); ALTER TABLE public.letters ENABLE ROW LEVEL SECURITY;
         CREATE POLICY by_mail ON public.letters USING (EXISTS (SELECT FROM auth.users AS u WHERE u.id = auth.uid() AND u.email <> ''));
         CREATE FUNCTION auth.former() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('request.jwt.claims', true)::json->>'sub' $$;
         ALTER FUNCTION auth.former OWNER TO supabase_auth_admin;
         ALTER TABLE storage.migrations DISABLE ROW LEVEL SECURITY;
         ALTER ROLE authenticator SET pgrst.db_schemas = 'public, storage'",
    );
    let found = project.complaints();
    let named: Vec<_> = found
        .iter()
        .map(|one| (one.check.as_str(), one.found.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("auth.uid()", "on public.letters: by_mail"),
            (
                "row level security",
                "off on storage.migrations, which anon and authenticated may use"
            ),
            (
                "cast to json",
                "function auth.former() casts request.jwt.claims to json as it is, which raises 22P02 where it is ''"
            ),
        ]
    );
    for (finding, says) in found.iter().zip(["auth.users.id", "pgrst.db_schemas", "auth"]) {
        let mend = finding.mend.as_deref().expect("a step");
        assert!(
            mend.contains(says) && !mend.contains("ALTER") && !mend.contains("CREATE"),
            "{finding:?}"
        );
        assert!(
            !finding.mend_as.as_deref().expect("a place").starts_with("SQL"),
            "{finding:?}"
        );
    }
}

/// In the database that has Storage and Realtime, their claims are all that there is.
#[test]
fn the_source_token_is_not_advised_where_services_pass_claims() {
    let project = beside_supabase();
    let source = || {
        let all = project.doctor();
        let row = all.into_iter().find(|one| one.check == "identity source");
        row.expect("it is checked")
    };
    // PostgREST brings tokens too, the others do not.
    project
        .superuser()
        .run("ALTER ROLE authenticator IN DATABASE project SET pgrst.db_pre_request = 'clerk.pre_request'");
    assert_eq!((source().status.as_str(), source().mend), ("ok", None));
    project.owner().run("SELECT clerk.set_identity_source('token')");
    let row = source();
    assert_eq!(row.status, "warning");
    assert!(row.found.contains("right_already on storage.objects"), "{row:?}");
    // Through a function of the application's, and by Realtime, which asks the policies of what it publishes.
    project.superuser().run(
        "DROP POLICY right_already ON storage.objects;
         CREATE TABLE public.notes (author text); ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY; CREATE INDEX ON public.notes (author);
         CREATE FUNCTION public.me() RETURNS text LANGUAGE sql STABLE AS 'SELECT clerk.current_user_id()';
         CREATE POLICY own ON public.notes USING (author = public.me())",
    );
    assert_eq!(source().status, "ok");
    project
        .superuser()
        .run("ALTER PUBLICATION supabase_realtime ADD TABLE public.notes");
    let row = source();
    assert!(
        row.status == "warning" && row.found.contains("own on public.notes"),
        "{row:?}"
    );
    row.mend(&project);
    assert_eq!(source().status, "ok");
}

/// Each is mended in the order of the rows, as they were printed, and none takes back what another did.
#[test]
fn mends_are_printed_in_the_order_in_which_they_run() {
    let project = beside_supabase();
    let mut superuser = project.superuser();
    // From 17 on the workers of an owner who may not log in start all the same.
    if superuser.value::<i32>("SELECT current_setting('server_version_num')::int / 10000") < 17 {
        superuser.run("ALTER ROLE project NOLOGIN");
    }
    superuser.run(
        "DELETE FROM clerk.jwks WHERE true;
         ALTER ROLE authenticator IN DATABASE project SET pgrst.db_pre_config = 'public.other';
         REVOKE USAGE ON SCHEMA clerk FROM PUBLIC;
         CREATE TABLE public.people (id uuid PRIMARY KEY); ALTER TABLE public.people ENABLE ROW LEVEL SECURITY;
         CREATE TABLE public.tasks (
             user_id uuid DEFAULT (current_setting('request.jwt.claims', true)::json->>'sub')::uuid REFERENCES public.people, kind text);
         CREATE INDEX ON public.tasks (user_id); ALTER TABLE public.tasks ENABLE ROW LEVEL SECURITY;
         CREATE POLICY a ON public.tasks USING (user_id = auth.uid() AND current_setting('request.jwt.claims', true)::json->>'fva' <> '');
         CREATE POLICY b ON public.tasks USING (user_id = (SELECT clerk.current_user_id())::uuid);
         CREATE POLICY c ON public.tasks FOR INSERT WITH CHECK (current_setting('request.jwt.claims', true)::json->>'kind' = kind);
         CREATE ROLE writer LOGIN; GRANT CREATE ON SCHEMA public TO writer; ALTER TABLE public.tasks OWNER TO writer",
    );
    let complaints: Vec<Finding> = findings(&mut superuser, false)
        .into_iter()
        .filter(Finding::is_bad)
        .collect();
    for check in [
        "present",
        "not masked",
        "connected",
        "nothing missing",
        "auth.uid()",
        "cast to json",
    ] {
        assert!(
            complaints.iter().any(|one| one.check == check),
            "{check}: {complaints:#?}"
        );
    }
    for finding in complaints {
        finding.mend(&project);
    }
    assert_eq!(project.complaints(), []);
    assert_eq!(
        policies(&mut project.superuser(), "public.tasks"),
        [
            "a: ((user_id = clerk.current_user_id()) AND (((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::json ->> 'fva'::text) <> ''::text))",
            "b: (user_id = ( SELECT clerk.current_user_id() AS current_user_id))",
            "c: (((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::json ->> 'kind'::text) = kind)",
        ]
    );
    let default: String = project
        .superuser()
        .value("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'public.tasks'::regclass");
    assert_eq!(default, "clerk.current_user_id()");
}

/// `refresh_jwks()` would only raise.
#[test]
fn an_instance_without_a_url_is_never_told_to_fetch() {
    let project = beside_supabase();
    project.superuser().run("DELETE FROM clerk.jwks WHERE true");
    project
        .owner()
        .execute(
            "SELECT clerk.configure(issuer => $1, jwks_url => '')",
            &[&project.clerk.issuer()],
        )
        .expect("it can be changed");
    project.superuser().run(
        "UPDATE clerk.jwks_fetches SET last_error = 'the answer was HTTP 404', last_error_at = now() WHERE true",
    );
    let all = findings(&mut project.owner(), true);
    assert!(
        all.iter()
            .any(|one| one.check == "present" && one.status == "failed")
    );
    for finding in all {
        assert!(!format!("{finding:?}").contains("refresh_jwks"), "{finding:?}");
    }
}

/// A list within one pair of quotes is one library of that name: whoever logs in next cannot.
#[test]
fn a_list_of_libraries_in_one_pair_of_quotes_is_named() {
    let project = beside_supabase();
    let mut superuser = project.superuser();
    superuser.run("ALTER ROLE anon SET session_preload_libraries = 'auto_explain, clerk_sync'");
    let found = complaints(&project, "library");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (found[0].check.as_str(), found[0].status.as_str()),
        ("lists of libraries", "failed")
    );
    assert!(
        found[0].found.contains("session_preload_libraries of role anon"),
        "{found:?}"
    );
    found[0].mend(&project);
    assert_eq!(project.complaints(), []);
    let list: String = superuser.value("SELECT array_to_string(setconfig, ';') FROM pg_db_role_setting WHERE setrole = 'anon'::regrole AND setdatabase = 0");
    assert!(
        list.contains("session_preload_libraries=auto_explain, clerk_sync"),
        "{list}"
    );

    // The next start would fail.
    superuser.run("ALTER SYSTEM SET shared_preload_libraries = 'auto_explain, clerk_sync'");
    superuser.run("SELECT pg_reload_conf()");
    while !superuser
        .value::<bool>("SELECT pending_restart FROM pg_settings WHERE name = 'shared_preload_libraries'")
    {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let rows = findings(&mut superuser, false);
    let row = |rows: &[Finding]| {
        rows.iter()
            .find(|one| one.check == "lists of libraries")
            .cloned()
            .expect("it is checked")
    };
    // The owner may not look into the files.
    assert_eq!(row(&rows).status, "note", "{:?}", row(&rows));
    superuser.run("GRANT SELECT ON pg_file_settings TO project; GRANT EXECUTE ON FUNCTION pg_show_all_file_settings TO project");
    let found = complaints(&project, "library");
    assert!(
        found.len() == 1 && found[0].found.contains("shared_preload_libraries"),
        "{found:#?}"
    );
    found[0].mend(&project);
    superuser.run("SELECT pg_reload_conf()");
    let written: String =
        superuser.value("SELECT setting FROM pg_file_settings WHERE name = 'shared_preload_libraries'");
    assert_eq!(written, "auto_explain, clerk_sync");
}

/// An index that the scene's own policy would want is Storage's business.
#[test]
fn no_mend_of_the_services_shape_touches_what_is_theirs() {
    let project = beside_supabase();
    let theirs = what_is_theirs(&project);
    project.superuser().run(
        "CREATE POLICY by_owner ON storage.objects USING (owner = auth.uid());
         CREATE POLICY by_cast ON storage.buckets USING (owner = (current_setting('request.jwt.claims', true)::json->>'sub')::uuid);
         CREATE POLICY of_extension ON public.of_an_extension USING (owner_id = auth.uid()::text);
         CREATE POLICY by_claims ON realtime.messages USING (current_setting('request.jwt.claims', true)::json->>'role' = topic)",
    );
    let complaints = project.complaints();
    assert!(complaints.len() >= 4, "{complaints:#?}");
    for finding in complaints {
        finding.mend(&project);
    }
    assert_eq!(project.complaints(), []);
    assert_eq!(what_is_theirs(&project), theirs);
}
