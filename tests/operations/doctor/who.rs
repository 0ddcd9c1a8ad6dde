//! Who may ask, and that no answer shows a secret.

use clerk_tests::Sql;

use super::project::{ADMINISTRATOR, Project, findings};

#[test]
fn administrators_may_ask_and_others_may_not() {
    let project = Project::start();
    let of_administrator = findings(&mut project.connect(ADMINISTRATOR), false);
    assert_eq!(of_administrator.iter().filter(|one| one.is_bad()).count(), 0);
    assert_eq!(of_administrator.len(), project.doctor().len());
    for role in ["anon", "authenticated", "service_role", "authenticator"] {
        let failure = project.connect(role).failure("SELECT * FROM clerk.doctor()");
        assert_eq!(failure.sqlstate, "42501", "{role}: {failure:?}");
    }
    // The parts are the owner's alone: they would run with the caller's rights.
    let failure = project
        .connect(ADMINISTRATOR)
        .failure("SELECT * FROM clerk.examine('clerk.doctor_secrets')");
    assert_eq!(failure.sqlstate, "42501", "{failure:?}");
}

#[test]
fn what_the_caller_set_does_not_change_who_looks() {
    let project = Project::start();
    let mut administrator = project.connect(ADMINISTRATOR);
    project
        .superuser()
        .run(&format!("GRANT CREATE ON SCHEMA public TO {ADMINISTRATOR}"));
    // Would be run as the owner if a name were looked up on the caller's path.
    administrator.run(
        "CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$;
         CREATE FUNCTION public.quote_ident(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$;
         CREATE TABLE public.pg_policy (trap int);
         SET search_path = public, pg_catalog",
    );
    assert_eq!(
        findings(&mut administrator, false)
            .iter()
            .filter(|one| one.is_bad())
            .count(),
        0
    );
}

#[test]
fn no_finding_shows_a_secret() {
    let project = Project::start();
    project.superuser().run(
        "ALTER DATABASE project SET \"app.settings.jwt_secret\" = 'OpenSesameOpenSesameOpenSesame1';
         ALTER ROLE authenticator SET pgrst.jwt_secret = 'OpenSesameOpenSesameOpenSesame2';
         ALTER ROLE authenticator IN DATABASE project SET clerk.http_proxy = 'http://me:OpenSesame@proxy.example:3128'",
    );
    let marker = project.secret().trim_start_matches("whsec_").to_owned();
    for finding in project.doctor() {
        let text = format!("{finding:?}");
        assert!(!text.contains("OpenSesame") && !text.contains(&marker), "{text}");
    }
    let named = project.complaints();
    assert!(
        named
            .iter()
            .any(|one| one.found.contains("pgrst.jwt_secret of role authenticator")),
        "{named:#?}"
    );
}
