//! With whose rights leaving happens.

use clerk_tests::Sql;

use super::scene::{Scene, leave};

#[test]
fn only_the_owner_may_call_it() {
    let scene = Scene::new();
    scene
        .owner()
        .run("SELECT clerk.grant_admin('stranger'); SELECT clerk.grant_service('stranger')");
    let mut stranger = scene.db.connect("stranger");
    for call in [
        "SELECT clerk.eject()",
        "SELECT clerk.uninstall()",
        "SELECT clerk.eject_as_owner('DROP TABLE clerk.users')",
        "SELECT clerk.eject_plan('x')",
        "SELECT clerk.uninstall_by_hand()",
    ] {
        assert_eq!(stranger.failure(call).sqlstate, "42501", "{call}");
    }
}

#[test]
fn what_the_owner_hung_on_the_mirror_never_runs_as_the_superuser_who_leaves() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    owner.run(
        "CREATE TABLE public.seen (who text); GRANT INSERT ON public.seen TO PUBLIC;
         CREATE FUNCTION public.note() RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO public.seen VALUES (current_user);
             BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END;
             INSERT INTO public.seen VALUES (current_user);
         END $$;
         CREATE FUNCTION public.spy(anything text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
         BEGIN PERFORM public.note(); RETURN true; END $$;
         CREATE FUNCTION public.spy_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN PERFORM public.spy('trigger'); RETURN new; END $$;
         ALTER TABLE clerk.users ADD CONSTRAINT spy CHECK (public.spy(id));
         CREATE INDEX spy ON clerk.users (public.spy(id));
         CREATE TRIGGER spy BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.spy_trigger();
         TRUNCATE public.seen",
    );
    leave(&mut scene.db.superuser(), "clerk_data");
    let mut superuser = scene.db.superuser();
    let seen: Vec<String> = superuser.value("SELECT array_agg(DISTINCT who) FROM public.seen");
    assert_eq!(seen, ["project"]);
    let triggered: bool = superuser.value("SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'clerk_data.users'::regclass AND tgname = 'spy')");
    assert!(triggered, "the owner's trigger came along");
    let others: i64 = superuser.value(
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'clerk_data'::regnamespace AND relowner <> 'project'::regrole)
              + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'clerk_data'::regnamespace AND proowner <> 'project'::regrole)
              + (SELECT count(*) FROM pg_namespace WHERE nspname = 'clerk_data' AND nspowner <> 'project'::regrole)",
    );
    assert_eq!(others, 0, "all of it is the owner's");
}

#[test]
fn what_is_of_others_is_named_and_needs_their_rights() {
    let scene = Scene::new();
    let mut superuser = scene.db.superuser();
    superuser.run(
        "CREATE SCHEMA theirs AUTHORIZATION stranger; SET ROLE stranger;
         CREATE TABLE theirs.files (owner_id text DEFAULT clerk.current_user_id());
         CREATE POLICY mine ON theirs.files USING (owner_id = clerk.current_user_id());
         CREATE FUNCTION theirs.who() RETURNS text LANGUAGE sql AS 'SELECT clerk.current_user_id()';
         RESET ROLE",
    );
    let mut owner = scene.owner();
    let refused: Vec<String> =
        owner.value("SELECT array_agg(object || ' ' || statement ORDER BY object) FROM clerk.eject() WHERE step = 'refused'");
    assert_eq!(refused.len(), 3, "{refused:#?}");
    for (row, object) in refused.iter().zip([
        "default value for column owner_id of table theirs.files",
        "function theirs.who()",
        "policy mine on table theirs.files",
    ]) {
        assert!(
            row.starts_with(object) && row.contains("it belongs to stranger"),
            "{row}"
        );
    }
    assert!(
        refused[0]
            .ends_with("Let a superuser run GRANT stranger TO project first, and REVOKE it afterwards."),
        "{refused:#?}"
    );
    let failure = owner.failure("SELECT clerk.eject(dry_run => false)");
    assert_eq!(failure.sqlstate, "2BP01");
    assert!(
        failure
            .detail
            .unwrap_or_default()
            .contains("policy mine on table theirs.files: it belongs to stranger")
    );

    leave(&mut superuser, "clerk_data");
    let (owner_of, qual): (String, String) = {
        let row = superuser
            .query_one("SELECT tableowner::text, (SELECT qual FROM pg_policies WHERE policyname = 'mine') FROM pg_tables WHERE tablename = 'files'", &[])
            .expect("the table is there");
        (row.get(0), row.get(1))
    };
    assert_eq!(
        (owner_of.as_str(), qual.as_str()),
        (
            "stranger",
            "(owner_id = ( SELECT clerk_data.current_user_id() AS current_user_id))"
        )
    );
}

#[test]
fn a_policy_that_hides_rows_of_the_mirror_from_its_owner_does_not_lose_them() {
    let scene = Scene::new();
    let mut owner = scene.owner();
    owner.run(
        "ALTER TABLE clerk.users ENABLE ROW LEVEL SECURITY; ALTER TABLE clerk.users FORCE ROW LEVEL SECURITY",
    );
    let failure = owner.failure("SELECT clerk.eject(dry_run => false)");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
}
