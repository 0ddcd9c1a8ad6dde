//! Whether PostgREST and Supabase's services have the keys.

use clerk_tests::Sql;

use super::project::{OWNER, Project, assert_healthy, complaint};

#[test]
fn a_postgrest_that_was_started_after_it_was_told_is_noticed() {
    let mut project = Project::start();
    project.listen();
    let finding = complaint(&project, "postgrest", "told");
    assert!(finding.found.contains("began to listen"), "{finding:?}");
    finding.mend(&project);
    assert_healthy(&project);
    // So does a round of maintenance.
    project.listen();
    assert_ne!(project.complaints(), []);
    project.owner().run("SELECT clerk.maintain()");
    assert_healthy(&project);
}

#[test]
fn a_postgrest_that_does_not_listen_is_noticed() {
    let mut project = Project::start();
    project.stop_listening();
    let finding = complaint(&project, "postgrest", "listens");
    assert!(
        finding
            .mend
            .is_some_and(|mend| mend.contains("PGRST_DB_PRE_CONFIG") && mend.contains("SIGUSR2"))
    );
    // Where that cannot be seen it is not claimed, but said.
    project
        .superuser()
        .run("ALTER ROLE authenticator SET track_activities = off");
    project.listen();
    assert_healthy(&project);
    let notes = project.doctor();
    let note = notes.iter().find(|finding| finding.check == "listens");
    assert!(note.is_some_and(|note| note.status == "note" && note.found.contains("track_activities")));
}

#[test]
fn realtime_has_to_have_the_keys_too() {
    let project = Project::start();
    project.superuser().run(
        "CREATE SCHEMA _realtime;
         CREATE TABLE _realtime.tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), external_id text, jwt_secret text, jwt_jwks jsonb);
         INSERT INTO _realtime.tenants (external_id) VALUES ('realtime-dev')"
    );
    let finding = complaint(&project, "realtime", "keys");
    assert_eq!(
        (finding.status.as_str(), finding.found.as_str()),
        ("warning", "not kept up to date")
    );
    finding.mend(&project);
    assert_healthy(&project);
    // Realtime started anew. Whether the owner can see that is for the superuser to say.
    project
        .superuser()
        .run("UPDATE _realtime.tenants SET jwt_jwks = NULL WHERE true");
    assert_healthy(&project);
    project.superuser().run(&format!(
        "GRANT USAGE ON SCHEMA _realtime TO {OWNER}; GRANT SELECT ON _realtime.tenants TO {OWNER}"
    ));
    let finding = complaint(&project, "realtime", "keys");
    assert!(
        finding.found.starts_with("1 tenants lack Clerk's keys"),
        "{finding:?}"
    );
    finding.mend(&project);
    assert_healthy(&project);
}

#[test]
fn services_get_their_exact_lines() {
    let project = Project::start();
    let notes: Vec<_> = project
        .doctor()
        .into_iter()
        .filter(|finding| finding.area == "services")
        .collect();
    let storage = notes
        .iter()
        .find(|note| note.found.starts_with("Storage "))
        .expect("Storage is named");
    assert_eq!(storage.status, "note");
    let line = storage.mend.as_deref().expect("a line");
    assert!(
        line.starts_with("JWT_JWKS='{\"keys\": [") && line.contains("ins_sim"),
        "{line}"
    );
    assert!(
        storage
            .mend_as
            .as_deref()
            .is_some_and(|place| place.starts_with("Storage, "))
    );
    // PostgREST has its keys from the database.
    assert!(
        !notes.iter().any(|note| note.found.starts_with("PostgREST ")),
        "{notes:#?}"
    );
}
