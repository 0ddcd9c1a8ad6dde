//! What tokens, deliveries and reconciles tell of Clerk and of whoever sends requests.

use clerk_tests::Sql;

use super::project::{Project, assert_healthy, complaint};

/// A request as PostgREST makes it, in a session of its own. No policy and no helper is asked.
fn request(project: &Project, role: &str, issuer: &str) {
    let mut pooled = project.connect("authenticator");
    let mut transaction = pooled
        .build_transaction()
        .read_only(true)
        .start()
        .expect("it begins");
    let claims = format!(r#"{{"iss":"{issuer}","role":"{role}","sid":"sess_1","sub":"user_ada"}}"#);
    transaction
        .execute(
            "SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
            &[&role, &claims],
        )
        .expect("they can be set");
    transaction.run("SELECT 1");
    transaction.commit().expect("it commits");
}

#[test]
fn a_token_without_a_role_claim_is_noticed() {
    let project = Project::start();
    let mut superuser = project.superuser();
    request(&project, "authenticated", project.clerk.issuer());
    request(&project, "anon", "https://gotrue.example");
    // A worker writes, a moment later: the one that is to be noticed comes last.
    request(&project, "anon", project.clerk.issuer());
    let noticed = (0..3000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        superuser.value::<bool>(
            "SELECT EXISTS (SELECT FROM clerk.token_problems) AND NOT EXISTS (
                 SELECT FROM pg_stat_activity WHERE application_name = 'clerk_sync: note problems of tokens')",
        )
    });
    assert!(noticed);
    let noted: Vec<String> =
        superuser.value("SELECT array_agg(concat_ws(' ', issuer, reason, seen)) FROM clerk.token_problems");
    assert_eq!(
        noted,
        [format!("{} role-claim-missing 1", project.clerk.issuer())]
    );
    let finding = complaint(&project, "tokens", "role claim");
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    assert!(finding.found.contains(project.clerk.issuer()), "{finding:?}");
    superuser.run("UPDATE clerk.token_problems SET last_seen_at = now() - interval '61 minutes' WHERE true");
    assert_healthy(&project);
    project.cluster.assert_no_crash();
}

/// Storage passes the claims as the token has them, so what it runs as is told by the session alone.
#[test]
fn a_token_without_a_role_claim_is_noticed_in_what_storage_passes_too() {
    let project = Project::start();
    let claims = format!(
        r#"{{"azp":"https://app.example","iss":"{}","metadata":{{"role":"admin"}},"sid":"sess_1","sub":"user_ada","v":2}}"#,
        project.clerk.issuer()
    );
    // As somebody who is signed in they are nothing to complain of: that is an application's own doing.
    for (role, is_noticed) in [("authenticated", false), ("anon", true)] {
        let mut storage = project.connect("authenticator");
        let mut request = storage.transaction().expect("it begins");
        request
            .execute(
                "SELECT set_config('role', $1, true), set_config('request.jwt', 'the token', true), set_config('request.jwt.claims', $2, true)",
                &[&role, &claims],
            )
            .expect("they can be set");
        request.run("SELECT 1");
        request.commit().expect("it commits");
        let is_told = || {
            project
                .complaints()
                .iter()
                .any(|finding| finding.check == "role claim")
        };
        let noticed = is_noticed
            && (0..300).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(100));
                is_told()
            });
        assert_eq!(noticed || is_told(), is_noticed, "{role}");
    }
}

#[test]
fn deliveries_of_another_instance_alone_are_noticed() {
    let project = Project::start();
    let mut owner = project.owner();
    let mut deliver = |svix_id: &str| {
        owner.run(&format!(
            "SELECT clerk.apply_event(jsonb_build_object('type', 'user.created', 'object', 'event', 'instance_id', 'ins_live',
                 'timestamp', floor(extract(epoch FROM clock_timestamp()) * 1000), 'data', jsonb_build_object('id', 'user_1', 'object', 'user')), '{svix_id}')"
        ));
    };
    // The dashboard's examples name another instance too.
    deliver("msg_foreign1");
    deliver("msg_foreign2");
    assert_healthy(&project);
    deliver("msg_foreign3");
    let finding = complaint(&project, "webhooks", "own instance");
    assert_eq!(finding.status, "warning");
    assert!(
        finding.found.contains("ins_live") && finding.found.contains("ins_sim"),
        "{finding:?}"
    );
    assert!(finding.mend.is_some_and(|mend| mend.ends_with(&format!(
        "SELECT * FROM clerk.configure(issuer => '{}', instance_id => 'ins_live');",
        project.clerk.issuer()
    ))));
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    let foreign: i64 = project
        .connect(super::project::ADMINISTRATOR)
        .value("SELECT foreign_deliveries FROM clerk.status");
    assert_eq!(foreign, 3);
    // The id was wrong, and is made right.
    let mut superuser = project.superuser();
    superuser.run("UPDATE clerk.instances SET instance_id = 'ins_live' WHERE true");
    assert_healthy(&project);
    superuser.run("UPDATE clerk.instances SET instance_id = 'ins_sim' WHERE true");
    assert_ne!(project.complaints(), []);
    project.deliver("msg_own");
    assert_healthy(&project);
}

#[test]
fn a_secret_that_never_verified_anything_is_suspicious() {
    let project = Project::start();
    project.superuser().run(
        "DELETE FROM clerk.secret_uses WHERE true; UPDATE clerk.secrets SET created_at = now() - interval '2 hours' WHERE true",
    );
    let finding = complaint(&project, "webhooks", "used");
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    // The step in the dashboard: an example is sent.
    assert_eq!(project.deliver("msg_example")["status"], "applied");
    assert_healthy(&project);
}

#[test]
fn a_clock_that_is_behind_shows_in_the_deliveries() {
    let project = Project::start();
    for number in 0..5 {
        project.deliver(&format!("msg_clock{number}"));
    }
    assert_healthy(&project);
    // Clerk's clock is the right one, so the events come from the future.
    project
        .superuser()
        .run("UPDATE clerk.webhook_events SET event_at = received_at + interval '40 seconds' WHERE true");
    let finding = complaint(&project, "webhooks", "clock");
    assert!(
        finding.found.contains("came 40 s before it happened"),
        "{finding:?}"
    );
    assert!(finding.mend.is_some_and(|mend| mend.contains("ntp")));
}

#[test]
fn an_endpoint_that_looks_disabled_shows_in_what_reconciles_find() {
    let project = Project::start();
    project.superuser().run(
        "UPDATE clerk.secret_uses SET last_used_at = now() - interval '3 hours' WHERE kind = 'webhook_signing';
         UPDATE clerk.sync_steps SET changed = 100, inserted = 4, missing = 3, repaired = 107 WHERE resource = 'users' AND run_id = (SELECT max(id) FROM clerk.sync_runs WHERE kind = 'reconcile')",
    );
    let finding = complaint(&project, "sync", "endpoint");
    assert!(
        finding
            .found
            .contains("looks disabled: reconciles found 7 rows that came or went"),
        "{finding:?}"
    );
    assert_eq!(finding.mend_as.as_deref(), Some("Clerk's dashboard"));
    // The step in the dashboard.
    project.deliver("msg_enabled_again");
    assert_healthy(&project);
}
