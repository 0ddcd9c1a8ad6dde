//! What only Clerk can tell.

use clerk_sim::{ApiFault, FaultPlan, Rotation, WorldClock};
use clerk_tests::Sql;

use super::project::{Finding, Project, findings};

fn online(project: &Project) -> Vec<Finding> {
    let all = findings(&mut project.owner(), true);
    all.into_iter()
        .filter(|finding| finding.area == "online")
        .collect()
}

fn check(project: &Project, check: &str) -> Finding {
    let found = online(project).into_iter().find(|finding| finding.check == check);
    found.unwrap_or_else(|| panic!("no check {check}"))
}

#[test]
fn all_is_well() {
    let project = Project::start();
    let found: Vec<_> = online(&project)
        .into_iter()
        .map(|finding| (finding.check, finding.status))
        .collect();
    let expected = ["keys", "clock", "secret key"].map(|check| (check.to_owned(), "ok".to_owned()));
    assert_eq!(found, expected);
    // Without online nobody is asked.
    let requests = project.clerk.jwks_requests();
    assert!(!project.doctor().iter().any(|finding| finding.area == "online"));
    assert_eq!(project.clerk.jwks_requests(), requests);
}

#[test]
fn a_key_that_was_rotated_is_another_one() {
    let project = Project::start();
    project.clerk.rotate(Rotation::Same);
    let finding = check(&project, "keys");
    assert_eq!(finding.status, "failed");
    assert!(finding.found.contains("other keys"), "{finding:?}");
    finding.mend(&project);
    assert_eq!(check(&project, "keys").status, "ok");
}

#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    let project = Project::start();
    project
        .clerk
        .change_api(|api| api.clock = WorldClock::Wall { ahead_ms: 90_000 });
    let finding = check(&project, "clock");
    assert_eq!(finding.status, "warning");
    let seconds: Vec<_> = finding
        .found
        .split(' ')
        .filter_map(|word| word.parse::<i32>().ok())
        .collect();
    // The answer took a while, and its time is cut to the second.
    assert!(
        matches!(seconds[..], [80..=91]) && finding.found.ends_with("ahead"),
        "{finding:?}"
    );
}

#[test]
fn a_secret_key_that_was_revoked_is_refused() {
    let project = Project::start();
    project
        .clerk
        .change_api(|api| api.secret_key = api.secret_key.replace("sk_live_", "sk_live_x"));
    let finding = check(&project, "secret key");
    assert_eq!(finding.status, "failed");
    assert!(finding.found.contains("401"), "{finding:?}");
    assert!(!format!("{finding:?}").contains("sk_live_"), "{finding:?}");
    let failure = project.owner().failure("SELECT clerk.webhook_portal_url()");
    assert_eq!(failure.sqlstate, "55000", "{failure:?}");
}

#[test]
fn what_does_not_answer_is_a_finding_and_no_error() {
    let project = Project::start();
    project
        .superuser()
        .run("UPDATE clerk.instances SET jwks_url = 'http://127.0.0.1:1/jwks.json' WHERE true");
    let finding = check(&project, "keys");
    assert_eq!(finding.status, "failed");
    assert!(
        finding.found.contains("http://127.0.0.1:1/jwks.json"),
        "{finding:?}"
    );
    project.cluster.assert_no_crash();
}

#[test]
fn a_standby_says_whom_to_ask() {
    let project = Project::start();
    let standby = project.cluster.standby();
    let mut session = standby.connect_to("project", super::project::OWNER);
    let found: Vec<_> = findings(&mut session, true)
        .into_iter()
        .filter(|finding| finding.area == "online")
        .collect();
    assert_eq!(found.len(), 3);
    assert!(
        found
            .iter()
            .all(|finding| finding.status == "note"
                && finding.mend_as.as_deref() == Some("SQL on the primary"))
    );
}

#[test]
fn the_portal_opens_with_the_secret_key() {
    let project = Project::start();
    let url: String = project
        .connect(super::project::ADMINISTRATOR)
        .value("SELECT clerk.webhook_portal_url()");
    assert!(url.starts_with("https://"), "{url}");
    let by_issuer: String = project
        .owner()
        .value_of("SELECT clerk.webhook_portal_url($1)", &[&project.clerk.issuer()]);
    assert!(by_issuer.starts_with("https://"), "{by_issuer}");
    assert_eq!(
        project
            .owner()
            .failure("SELECT clerk.webhook_portal_url('https://unknown.example')")
            .sqlstate,
        "42704"
    );
    assert_eq!(
        project
            .connect("service_role")
            .failure("SELECT clerk.webhook_portal_url()")
            .sqlstate,
        "42501"
    );
    project.owner().run("SELECT clerk.drop_secret_key()");
    assert_eq!(
        project
            .owner()
            .failure("SELECT clerk.webhook_portal_url()")
            .sqlstate,
        "55000"
    );
}

#[test]
fn clerk_out_of_order_does_not_hold_the_doctor_up_for_long() {
    let project = Project::start();
    project.clerk.plan_fault(
        FaultPlan::once(ApiFault::TooManyRequests {
            retry_after: Some(3600),
        })
        .always(),
    );
    let finding = check(&project, "secret key");
    assert_eq!(finding.status, "failed", "{finding:?}");
}
