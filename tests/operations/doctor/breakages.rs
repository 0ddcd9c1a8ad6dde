//! A table of breakages: what breaks, what the doctor must say, and that its mend, run as it stands, makes all well and
//! leaves what is Supabase's.

use clerk_tests::Sql;

use super::project::{Finding, Project};
use super::supabase::{beside_supabase, what_is_theirs};
use super::surroundings::SURROUNDINGS;
use super::table::{BREAKAGES, Breakage};

#[test]
fn a_healthy_project_has_nothing_to_mend() {
    let project = Project::start();
    assert_eq!(project.complaints(), [], "the whole:\n{:#?}", project.doctor());
    // The same again, row for row, but for the ages.
    let shape = |findings: Vec<Finding>| -> Vec<_> {
        findings
            .into_iter()
            .map(|one| (one.area, one.check, one.status))
            .collect()
    };
    assert_eq!(shape(project.doctor()), shape(project.doctor()));
}

#[test]
fn each_breakage_is_named_and_its_mend_mends_it() {
    let project = beside_supabase();
    assert_eq!(project.complaints(), []);
    let theirs = what_is_theirs(&project);
    for breakage in BREAKAGES.iter().chain(SURROUNDINGS) {
        let Breakage {
            area, check, status, ..
        } = *breakage;
        project.superuser().run(breakage.break_it);
        let complaints = project.complaints();
        let named: Vec<_> = complaints
            .iter()
            .filter(|finding| (finding.area.as_str(), finding.check.as_str()) == (area, check))
            .collect();
        assert!(
            named
                .iter()
                .any(|finding| finding.status == status && finding.found.contains(breakage.names)),
            "{area}: {check} does not say {status} of {:?}:\n{complaints:#?}",
            breakage.names
        );
        for finding in &complaints {
            assert!(
                breakage
                    .also
                    .contains(&(finding.area.as_str(), finding.check.as_str()))
                    || named.contains(&finding),
                "{}: this is not broken: {finding:#?}",
                breakage.break_it
            );
        }
        for finding in named {
            fill_in(finding.clone(), &project).mend(&project);
        }
        project.settle();
        // What one mend uncovers has a mend of its own.
        for finding in project.complaints() {
            if breakage
                .also
                .contains(&(finding.area.as_str(), finding.check.as_str()))
            {
                fill_in(finding, &project).mend(&project);
            }
        }
        if breakage.needs_delivery {
            assert_eq!(
                project.deliver(&format!("msg_after_{}", check.replace(' ', "_")))["status"],
                "applied"
            );
        }
        assert_eq!(project.complaints(), [], "after mending {area}: {check}");
        project.superuser().run(breakage.tidy);
        assert_eq!(what_is_theirs(&project), theirs, "after mending {area}: {check}");
    }
    project.cluster.assert_no_crash();
}

/// What a mend leaves open is in Clerk's dashboard.
pub fn fill_in(finding: Finding, project: &Project) -> Finding {
    let mend = finding.mend.map(|mend| {
        mend.replace("whsec_…", project.secret())
            .replace("sk_…", &project.clerk.secret_key())
    });
    Finding { mend, ..finding }
}
